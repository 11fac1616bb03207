//! Files of torch.save: what PyTorch wrote is read as it was, and nothing hostile is.

use proptest::prelude::*;
use std::path::{Path, PathBuf};
use zoo_core::{Config, Dialect, Model, Result, Weights, Workbench};
use zoo_hebbff::config::PaperConfig;
use zoo_hebbff::model::HebbFf;
use zoo_hebbff::task::Stream;
use zoo_hebbff::torch_file::read;
use zoo_hebbff::weights::Net;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/torch_file");

fn config() -> Config {
    let mut text = std::fs::read_to_string(format!("{}/config/anti-r5.toml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    for (from, to) in [("d = 25", "d = 4"), ("n = 40", "n = 6"), ("force = \"anti\"", "force = \"none\"")] {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    Config::new(toml::from_str::<serde_json::Value>(&text).unwrap())
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(GOLDEN).join(name)).unwrap()
}

/// Reads bytes through a file.
fn of(bytes: &[u8]) -> Result<Weights> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.pkl");
    std::fs::write(&path, bytes).unwrap();
    read(&path)
}

#[test]
fn both_layouts_hold_what_pytorch_saved() {
    let answers: serde_json::Value = serde_json::from_slice(&bytes("answers.json")).unwrap();
    let list = |value: &serde_json::Value| -> Vec<f64> {
        value
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|v| if v.is_array() { v.as_array().unwrap().clone() } else { vec![v.clone()] })
            .map(|v| v.as_f64().unwrap())
            .collect()
    };
    let config = config();
    let paper = PaperConfig::read(&config).unwrap();
    for name in ["archive.pkl", "sequence.pkl"] {
        let found = read(&Path::new(GOLDEN).join(name)).unwrap();
        let w1: Vec<f64> = found.get("w1").unwrap().to_f32().iter().map(|v| f64::from(*v)).collect();
        assert_eq!((found.get("w1").unwrap().shape(), w1), (&[6, 4][..], list(&answers["w1"])), "{name}");
        assert_eq!((found.metadata["hist.iter"].as_str(), found.metadata["hist.epoch"].as_str()), ("70000", "3"));
        let weights = HebbFf::default().import(&found, Dialect::Authors, &config).unwrap();
        let Net::Plastic(net) = Net::read(&paper, &weights).unwrap() else { panic!("another network") };
        let items = list(&answers["items"]);
        let stream = Stream { d: 4, familiar: vec![false; items.len() / 4], items };
        let worst = net.answers(&stream).iter().zip(list(&answers["answers"])).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-6, "{name}: {worst}");
    }
}

#[test]
fn the_command_writes_safetensors() {
    struct Nothing;
    impl zoo_core::Reporter for Nothing {
        fn log(&self, _: zoo_core::Level, _: &str, _: &str) {}
        fn progress(&self, _: &str, _: u64, _: Option<u64>, _: &str) {}
        fn cancelled(&self) -> bool {
            false
        }
    }
    impl Workbench for Nothing {
        fn seed(&self) -> u64 {
            0
        }
        fn limit(&self) -> Option<usize> {
            None
        }
        fn backend(&self) -> &str {
            "tract"
        }
        fn dataset(&mut self, _: &str, _: &str) -> Result<Box<dyn zoo_core::Dataset>> {
            unreachable!()
        }
        fn compile(&mut self, _: &zoo_core::Artifact) -> Result<Box<dyn zoo_core::Session>> {
            unreachable!()
        }
        fn compile_on(&mut self, _: &str, _: &zoo_core::Artifact) -> Result<Box<dyn zoo_core::Session>> {
            unreachable!()
        }
        fn weights(&mut self, _: &str, _: Option<u64>) -> Result<(Weights, Config)> {
            unreachable!()
        }
        fn reporter(&self) -> &dyn zoo_core::Reporter {
            self
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let out: PathBuf = folder.path().join("out.safetensors");
    let args = [format!("{GOLDEN}/sequence.pkl"), out.display().to_string()];
    HebbFf::default().act("import-pickle", &args, "hebbff/anti-r5", &config(), &mut Nothing).unwrap();
    let written = zoo_formats::safetensors::read(&out).unwrap();
    assert_eq!((written.tensors.len(), written.metadata["hist.iter"].as_str()), (6, "70000"));
    let told = HebbFf::default().act("import-pickle", &args[..1], "hebbff/anti-r5", &config(), &mut Nothing).unwrap_err().to_string();
    assert!(told.contains("a file and where to write"), "{told}");
}

#[test]
fn a_program_is_refused_by_name_and_not_run() {
    let told = read(&Path::new(GOLDEN).join("hostile.pkl")).unwrap_err().to_string();
    assert!(told.contains("posix.system") && told.contains("refused"), "{told}");
    assert!(!Path::new("was-run").exists());
}

#[test]
fn broken_files_say_where() {
    for name in ["archive.pkl", "sequence.pkl"] {
        let whole = bytes(name);
        for cut in (0..whole.len()).step_by(7) {
            assert!(of(&whole[..cut]).is_err(), "{name} cut at {cut}");
        }
    }
    let told = of(b"\x80\x02X\xff\xff\xff\xff").unwrap_err().to_string();
    assert!(told.contains("byte 7") && told.contains("expected 4294967295 more bytes"), "{told}");
    // Fifty thousand lists in one another cost no stack.
    let nested = [b"\x80\x02".to_vec(), vec![b']'; 50_000], vec![b'a'; 49_999], b".".to_vec()].concat();
    assert!(of(&nested).is_err());
}

proptest! {
    #[test]
    fn damaged_files_never_panic(name in prop::sample::select(vec!["archive.pkl", "sequence.pkl"]), at in 0usize..2000, with in any::<u8>(), more in 0usize..2000, and in any::<u8>()) {
        let mut damaged = bytes(name);
        let length = damaged.len();
        damaged[at % length] = with;
        damaged[more % length] = and;
        let _ = of(&damaged);
    }
}
