//! Nets that sinabs, SpikingJelly, snnTorch and Norse exported to NIR spike here, entry for entry, as they did there.
//!
//! Files and spikes are those of `zoo-core/formats/tests/nir` (`make.py` makes them).

use serde_json::Value;
use std::path::{Path, PathBuf};
use zoo_backend_events::Events;
use zoo_core::{Artifact, ArtifactKind, Backend, Device, Options, Tensor};
use zoo_formats::nir::{Dialect, NirGraph, NirOptions};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../zoo-core/formats/tests/nir")
}

fn check(name: &str, case: &Value) {
    let dialect = Dialect::parse(case["dialect"].as_str().unwrap()).unwrap();
    let shape: Vec<usize> = case["input_shape"].as_array().unwrap().iter().map(|d| d.as_u64().unwrap() as usize).collect();
    let input: Vec<f32> = case["input"].as_str().unwrap().bytes().map(|b| f32::from(b - b'0')).collect();
    let expected: Vec<f32> = case["output"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
    let steps = input.len() / shape.iter().product::<usize>();
    let mut options = NirOptions::new(dialect).steps(steps);
    if let Some(dt) = case["dt"].as_f64() {
        options = options.dt(dt);
    }
    let (mut graph, losses) = NirGraph::read(&folder().join(format!("{name}.nir"))).unwrap().to_event_graph(&options).unwrap();
    assert!(losses.is_empty(), "{name}: {losses:?}");
    graph.readout.per_step = true;
    let artifact = graph.to_artifact("nir").unwrap();
    let mut session = Events.compile(&artifact, &Device::Cpu, &Options::default()).unwrap();
    let tensor = Tensor::from_vec([&[1, steps][..], &shape].concat(), input).unwrap();
    let outputs = session.run(&[tensor]).unwrap();
    assert_eq!(outputs[1].as_slice::<f32>().unwrap(), expected, "{name}");
}

#[test]
fn exported_nets_spike_as_their_frameworks() {
    for (file, count) in [("golden.json", 7), ("golden_old.json", 2)] {
        let all: Value = serde_json::from_slice(&std::fs::read(folder().join(file)).unwrap()).unwrap();
        let cases: Vec<_> = all.as_object().unwrap().iter().filter(|(name, _)| *name != "versions").collect();
        assert_eq!(cases.len(), count);
        cases.into_iter().for_each(|(name, case)| check(name, case));
    }
}

#[test]
fn a_nir_file_is_an_input_of_the_backend() {
    let path = folder().join("sinabs_iaf.nir");
    let artifact = Artifact::single(ArtifactKind::Nir, "nir", "sinabs_iaf.nir", std::fs::read(&path).unwrap());
    let all: Value = serde_json::from_slice(&std::fs::read(folder().join("golden.json")).unwrap()).unwrap();
    let case = &all["sinabs_iaf"];
    let shape: Vec<usize> = case["input_shape"].as_array().unwrap().iter().map(|d| d.as_u64().unwrap() as usize).collect();
    let input: Vec<f32> = case["input"].as_str().unwrap().bytes().map(|b| f32::from(b - b'0')).collect();
    let expected: Vec<f32> = case["output"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
    let steps = input.len() / shape.iter().product::<usize>();
    let options = |pairs: &[(&str, &str)]| {
        let extra = pairs.iter().map(|(k, v)| (format!("events.{k}"), (*v).to_string())).collect();
        Options { extra, ..Options::default() }
    };
    let steps_text = steps.to_string();
    let mut session = Events.compile(&artifact, &Device::Cpu, &options(&[("nir-dialect", "sinabs"), ("nir-steps", &steps_text)])).unwrap();
    assert_eq!(session.metadata()["steps"], steps_text);
    let tensor = Tensor::from_vec([&[1, steps][..], &shape].concat(), input).unwrap();
    let logits = session.run(&[tensor]).unwrap()[0].to_f32();
    // The default readout sums what the last neurons put out.
    let classes = logits.len();
    let sums: Vec<f32> = (0..classes).map(|c| expected.iter().skip(c).step_by(classes).sum()).collect();
    assert_eq!(logits, sums);
    let refused = |pairs: &[(&str, &str)]| Events.compile(&artifact, &Device::Cpu, &options(pairs)).err().unwrap().to_string();
    assert!(refused(&[]).contains("events.nir-dialect"));
    assert!(refused(&[("nir-steps", "3")]).contains("events.nir-dialect"));
    assert!(refused(&[("nir-dialect", "brian")]).contains("brian"));
}
