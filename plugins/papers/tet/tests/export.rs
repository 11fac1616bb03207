//! Exports run on tract and on the event executor as PyTorch runs the network.

use crate::common::{furthest, golden, small, values};
use std::sync::Arc;
use zoo_backend_events::Events;
use zoo_backend_tract::Tract;
use zoo_core::{
    Artifact, ArtifactKind, Backend, Batch, Config, DType, Device, ExportRequest, Model, Options, Session, Tensor, TensorSpec, Weights,
};
use zoo_tet::full_scale;
use zoo_tet::model::{Input, Tet, mean_over_time};

fn config() -> Config {
    Config::new(serde_json::json!({
        "data": {"name": "none", "train": 1, "val": 1}, "steps": 4,
        "network": {"architecture": "vggsnn-mini", "input": [2, 12, 12], "classes": 10},
        "loss": {"kind": "tet"}, "train": {"epochs": 1, "batch": 1, "optimiser": "adam", "lr": 0.001},
    }))
}

fn compile(backend: &dyn Backend, artifact: &Artifact) -> Box<dyn Session> {
    backend.compile(artifact, &Device::Cpu, &Options::default()).unwrap()
}

fn batch(golden: &Weights) -> Batch {
    let features: Arc<[TensorSpec]> = Arc::new([TensorSpec::new("frames", DType::F32, [4usize, 2, 12, 12])]);
    Batch::new(features, vec![golden.get("net.frames").unwrap().clone()], 0).unwrap()
}

/// PyTorch's logits `[T, batch, classes]` as `[batch, T, classes]`.
fn expected(golden: &Weights) -> Vec<f32> {
    let by_step = values(golden, "net.eval");
    (0..3).flat_map(|b| (0..4).flat_map(move |t| (t * 3 + b) * 10..(t * 3 + b + 1) * 10)).map(|i| by_step[i]).collect()
}

#[test]
fn every_graph_gives_pytorchs_logits_at_every_step() {
    let golden = golden();
    let (_, weights) = small(&golden);
    let model = Tet::new(Input::Events);
    let (expected, batch) = (expected(&golden), batch(&golden));
    for (kind, variant, backend) in [
        (ArtifactKind::Onnx, "seq", &Tract as &dyn Backend),
        (ArtifactKind::Onnx, "step", &Tract),
        (ArtifactKind::EventGraph, "event", &Events),
    ] {
        let artifact = model.export(&ExportRequest::new(kind).variant(variant), &weights, &config()).unwrap();
        let mut session = compile(backend, &artifact);
        let prediction = model.predict(session.as_mut(), &batch).unwrap();
        let by_step = prediction.get("logits_t").unwrap();
        assert_eq!(by_step.shape(), [3, 4, 10], "{variant}");
        assert!(furthest(by_step.as_slice().unwrap(), &expected) < 1e-4, "{variant}");
        assert_eq!(prediction.get("logits").unwrap(), &mean_over_time(by_step).unwrap());
    }
}

/// Weights on a grid of 2^-8 with batch norm that is the identity: sums are exact, so that all roads agree bit for bit.
fn on_grid(weights: &Weights) -> Weights {
    let mut grid = weights.clone();
    for (name, tensor) in &mut grid.tensors {
        let values = tensor.as_slice::<f32>().unwrap();
        let rounded = match name.rsplit('.').next() {
            Some("gamma") => vec![1.0; values.len()],
            // The variance that, with the epsilon, is 1.
            Some("var") => vec![1.0 - 1e-5; values.len()],
            Some("beta" | "mean") => vec![0.0; values.len()],
            _ => values.iter().map(|v| (v * 256.0).round() / 256.0).collect(),
        };
        *tensor = Tensor::from_vec(tensor.shape(), rounded).unwrap();
    }
    grid
}

#[test]
fn on_the_grid_all_roads_agree_bit_for_bit() {
    let golden = golden();
    let weights = on_grid(&small(&golden).1);
    let folded = zoo_tet::fold::fold(&small(&golden).0, &weights).unwrap();
    let on = |t: &Tensor| t.as_slice::<f32>().unwrap().iter().all(|v| (v * 256.0).fract() == 0.0);
    assert!(folded.iter().flatten().all(|f| on(&f.weight) && on(&f.bias)), "folding left the grid");
    // Frames of 0, 1/4, ... too.
    let frames: Vec<f32> = values(&golden, "net.frames").iter().map(|v| (v * 4.0).round() / 4.0).collect();
    let features: Arc<[TensorSpec]> = Arc::new([TensorSpec::new("frames", DType::F32, [4usize, 2, 12, 12])]);
    let batch = Batch::new(features, vec![Tensor::from_vec([3, 4, 2, 12, 12], frames).unwrap()], 0).unwrap();
    let model = Tet::new(Input::Events);
    let run = |kind, variant: &str, backend: &dyn Backend| {
        let artifact = model.export(&ExportRequest::new(kind).variant(variant), &weights, &config()).unwrap();
        model.predict(compile(backend, &artifact).as_mut(), &batch).unwrap().get("logits_t").unwrap().clone()
    };
    let sequence = run(ArtifactKind::Onnx, "seq", &Tract);
    assert!(sequence.to_f32().iter().any(|v| *v != 0.0));
    assert_eq!(sequence, run(ArtifactKind::Onnx, "step", &Tract));
    assert_eq!(sequence, run(ArtifactKind::EventGraph, "event", &Events));
}

#[test]
fn shorter_runs_are_the_beginnings_of_longer_ones() {
    // Test E15: nothing looks ahead in time.
    let golden = golden();
    let (_, weights) = small(&golden);
    let model = Tet::new(Input::Events);
    let whole = expected(&golden);
    for steps in 1..4usize {
        let artifact = model.export(&ExportRequest::new(ArtifactKind::Onnx).variant(format!("seq_T{steps}")), &weights, &config()).unwrap();
        let frames = values(&golden, "net.frames");
        let some = frames.chunks_exact(4 * 288).flat_map(|item| item[..steps * 288].to_vec()).collect();
        let x = Tensor::from_vec([3, steps, 2, 12, 12], some).unwrap();
        let outputs = compile(&Tract, &artifact).run(&[x]).unwrap();
        let beginning: Vec<f32> = whole.chunks_exact(40).flat_map(|item| item[..steps * 10].to_vec()).collect();
        assert!(furthest(outputs[1].as_slice().unwrap(), &beginning) < 1e-4, "{steps}");
    }
}

#[test]
fn still_images_are_repeated() {
    let golden = golden();
    let (_, weights) = small(&golden);
    // The same network on one frame for all steps: sequence, step and event graph agree.
    let config = Config::new(config().value().clone());
    let (still, moving) = (Tet::new(Input::Images), Tet::new(Input::Events));
    let frame: Vec<f32> = values(&golden, "net.frames")[..288].to_vec();
    let one = Tensor::from_vec([1, 2, 12, 12], frame.clone()).unwrap();
    let repeated = Tensor::from_vec([1, 4, 2, 12, 12], frame.repeat(4)).unwrap();
    let export = |model: &Tet, kind| model.export(&ExportRequest::new(kind), &weights, &config).unwrap();
    let expected = compile(&Tract, &export(&moving, ArtifactKind::Onnx)).run(&[repeated]).unwrap();
    let sequence = compile(&Tract, &export(&still, ArtifactKind::Onnx)).run(std::slice::from_ref(&one)).unwrap();
    let event = compile(&Events, &export(&still, ArtifactKind::EventGraph)).run(&[one]).unwrap();
    for (name, outputs) in [("seq", sequence), ("event", event)] {
        assert!(furthest(outputs[1].as_slice().unwrap(), expected[1].as_slice().unwrap()) < 1e-5, "{name}");
    }
}

#[test]
fn nir_lists_what_it_loses_and_folded_weights_name_their_source() {
    let golden = golden();
    let (_, weights) = small(&golden);
    let model = Tet::new(Input::Events);
    let artifact = model.export(&ExportRequest::new(ArtifactKind::Nir), &weights, &config()).unwrap();
    let losses = &artifact.metadata["losses"];
    assert!(losses.contains("input is Frames") && losses.contains('>'), "{losses}");
    let nir = zoo_formats::nir::NirGraph::from_bytes("memory", artifact.files[0].bytes.to_vec()).unwrap();
    assert_eq!(nir.nodes.values().filter(|n| n.kind() == "LIF").count(), 4);
    let file = model.export(&ExportRequest::new(ArtifactKind::Safetensors), &weights, &config()).unwrap();
    assert_eq!(file.metadata["source_hash"], zoo_tet::fold::weights_hash(&weights));
    // Nothing an evaluator reads tells the loss.
    let onnx = model.export(&ExportRequest::new(ArtifactKind::Onnx), &weights, &config()).unwrap();
    assert!(onnx.metadata.iter().all(|(k, v)| !format!("{k}{v}").contains("lambda") && v != "tet" && v != "sdt"));
}

#[test]
fn full_scale_configurations_are_complete() {
    for (name, _) in full_scale::CONFIGS {
        let paper = full_scale::read(name).unwrap();
        let network = paper.network().unwrap();
        assert!(network.macs() > 100_000_000, "{name}");
        assert_eq!(network.classes(), paper.network.classes, "{name}");
    }
    assert!(full_scale::read("vgg").unwrap_err().to_string().contains("dvscifar10-vggsnn"));
    // The smallest one is built, folded and exported; the command does it for each.
    let made = zoo_tet::actions::dry_run("dvscifar10-vggsnn").unwrap();
    assert_eq!(made["spiking_layers"], 8);
    #[cfg(feature = "train")]
    assert!(made["synthetic_step"]["gradient_norm"].as_f64().unwrap() > 0.0);
}

#[test]
fn faults_are_named() {
    let golden = golden();
    let (_, weights) = small(&golden);
    let model = Tet::new(Input::Events);
    let mut missing = weights.clone();
    missing.tensors.remove("bns.2.var");
    missing.insert("bns.9.var", Tensor::scalar(1.0f32));
    let error = model.export(&ExportRequest::new(ArtifactKind::Onnx), &missing, &config()).unwrap_err().to_string();
    assert!(error.contains("bns.2.var") && error.contains("bns.9.var"), "{error}");
    for steps in [0u32, 100_000] {
        let request = ExportRequest { steps: Some(steps), ..ExportRequest::new(ArtifactKind::Onnx) };
        assert!(model.export(&request, &weights, &config()).is_err());
    }
    for (key, value) in [("steps", serde_json::json!(0)), ("loss", serde_json::json!({"kind": "sdt", "lambda": 0.1}))] {
        let error = model.export(&ExportRequest::new(ArtifactKind::Onnx), &weights, &config().with(key, value)).unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
}
