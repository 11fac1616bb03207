//! Configurations of the paper's scale: complete, exportable, finite.

use zoo_core::{Artifact, Backend, Config, Dataset, Device, Error, Level, Options, Reporter, Result, Session, Weights, Workbench};
use zoo_stock_attention::{actions, full_scale};

/// A workbench of one backend and nothing else.
struct Bench(zoo_backend_tract::Tract);

impl Reporter for Bench {
    fn log(&self, _: Level, _: &str, _: &str) {}
    fn progress(&self, _: &str, _: u64, _: Option<u64>, _: &str) {}
    fn cancelled(&self) -> bool {
        false
    }
}

impl Workbench for Bench {
    fn seed(&self) -> u64 {
        0
    }
    fn limit(&self) -> Option<usize> {
        None
    }
    fn backend(&self) -> &str {
        "tract"
    }
    fn dataset(&mut self, name: &str, _: &str) -> Result<Box<dyn Dataset>> {
        Err(Error::Unknown { kind: "dataset", name: name.into(), hint: "there is none".into() })
    }
    fn compile(&mut self, artifact: &Artifact) -> Result<Box<dyn Session>> {
        self.0.compile(artifact, &Device::Cpu, &Options::default())
    }
    fn compile_on(&mut self, _: &str, artifact: &Artifact) -> Result<Box<dyn Session>> {
        self.compile(artifact)
    }
    fn weights(&mut self, model: &str, _: Option<u64>) -> Result<(Weights, Config)> {
        Err(Error::Unknown { kind: "model", name: model.into(), hint: "there is none".into() })
    }
    fn reporter(&self) -> &dyn Reporter {
        self
    }
}

#[test]
fn every_configuration_builds_exports_and_runs() {
    let mut bench = Bench(zoo_backend_tract::Tract);
    for (name, _) in full_scale::CONFIGS {
        let report = actions::dry_run(name, &mut bench).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(report["finite"], true, "{report}");
        let (ours, native) = (report["logit"][0].as_f64().unwrap(), report["native"].as_f64().unwrap());
        assert!((ours - native).abs() < 1e-4, "{report}");
        assert!(report["parameters"]["multimodal"].as_u64().unwrap() > 50_000, "{report}");
    }
    assert!(actions::dry_run("none", &mut bench).unwrap_err().to_string().contains("mman-posts-gated"));
}
