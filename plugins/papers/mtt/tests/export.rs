//! Exports run on tract and on the event executor as PyTorch runs the network, also under mixed times.

use crate::common::{config, furthest, golden, mean_logits, paper, values, weights};
use std::collections::BTreeMap;
use zoo_backend_events::Events;
use zoo_backend_tract::Tract;
use zoo_core::{Artifact, ArtifactKind, Backend, Device, Error, ExportRequest, Model, Options, Session, Tensor};
use zoo_mtt::export::{self, Readout};
use zoo_mtt::full_scale;
use zoo_mtt::model::{Mtt, by_count, run};

fn compile(backend: &dyn Backend, artifact: &Artifact) -> Box<dyn Session> {
    backend.compile(artifact, &Device::Cpu, &Options::default()).unwrap()
}

#[test]
fn every_graph_gives_pytorchs_logits() {
    let golden = golden();
    let frames = golden.get("frames").unwrap();
    let expected = mean_logits(&golden, "fixed");
    let mut all = Vec::new();
    for (kind, variant, backend) in [
        (ArtifactKind::Onnx, "seq", &Tract as &dyn Backend),
        (ArtifactKind::Onnx, "step", &Tract),
        (ArtifactKind::EventGraph, "clocked", &Events),
    ] {
        let artifact = Mtt::new().export(&ExportRequest::new(kind).variant(variant), &weights(&golden), &config()).unwrap();
        let logits = run(compile(backend, &artifact).as_mut(), frames).unwrap();
        // Weights and pools lie on a grid, so that sums are exact and all roads give the same sums over time.
        let sums: Vec<f32> = logits.as_slice::<f32>().unwrap().iter().map(|v| (v * 6.0 * 4096.0).round()).collect();
        assert!(furthest(logits.as_slice().unwrap(), &expected) < 1e-5, "{variant}");
        all.push(sums);
    }
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn mixed_times_as_onnx_give_pytorchs_logits_at_every_step() {
    let golden = golden();
    let net = Mtt::deployed(&paper(), &weights(&golden), 6).unwrap();
    for (tag, times) in [("mixed", [3, 5, 2, 4]), ("short", [1, 2, 1, 1])] {
        let artifact = export::sequence(None, &net, &times, BTreeMap::new()).unwrap();
        let outputs = compile(&Tract, &artifact).run(&[golden.get("frames").unwrap().clone()]).unwrap();
        let steps = times[3];
        let by_step = values(&golden, &format!("{tag}.logits"));
        let expected: Vec<f32> =
            (0..3).flat_map(|b| (0..steps).flat_map(move |t| (t * 3 + b) * 10..(t * 3 + b + 1) * 10)).map(|i| by_step[i]).collect();
        assert_eq!(outputs[1].shape(), [3, steps, 10]);
        assert!(furthest(outputs[1].as_slice().unwrap(), &expected) < 1e-6, "{tag}");
    }
    assert!(export::sequence(None, &net, &[1, 2, 0, 1], BTreeMap::new()).is_err());
    assert!(export::sequence(None, &net, &[1, 2], BTreeMap::new()).is_err());
}

/// A chain without skips is a sequence of transducers: breadth first and depth first agree (E3).
#[test]
fn event_driven_runs_agree_in_both_orders_and_keep_count_and_membrane() {
    let golden = golden();
    let frames = golden.get("frames").unwrap();
    let output = |mode: &str| {
        let artifact = Mtt::event_graph(&paper(), &weights(&golden), 6, mode, Readout::Counts).unwrap();
        assert_eq!(artifact.metadata["events.mode"], mode);
        compile(&Events, &artifact).run(std::slice::from_ref(frames)).unwrap().remove(0)
    };
    let (dfs, bfs, tick) = (output("async_dfs"), output("async_bfs"), output("tick_sync"));
    assert_eq!(dfs.shape(), [3, 20]);
    assert_eq!(dfs, bfs);
    assert_ne!(dfs, tick, "the clock cancels excitation and inhibition that events do not");
    for row in [&dfs, &tick].iter().flat_map(|o| o.as_slice::<f32>().unwrap().chunks(20)) {
        for (count, total) in row[..10].iter().zip(&row[10..]) {
            assert!(*count >= 0.0 && count.fract() == 0.0 && total - count < 1.0, "{row:?}");
        }
    }
    // The totals of a clocked run are its currents, as PyTorch has them.
    let expected: Vec<f32> = mean_logits(&golden, "fixed").iter().map(|v| v * 6.0).collect();
    let totals: Vec<f32> = tick.as_slice::<f32>().unwrap().chunks(20).flat_map(|row| row[10..].to_vec()).collect();
    assert!(furthest(&totals, &expected) < 1e-5);
}

#[test]
fn equal_counts_go_by_membrane() {
    let output = Tensor::from_vec([1, 6], vec![2.0f32, 2.0, 1.0, 2.25, 2.5, 1.75]).unwrap();
    let logits = by_count(&output).unwrap();
    let row = logits.as_slice::<f32>().unwrap();
    assert!(row[1] > row[0] && row[0] > row[2]);
    assert!((row[1] - (2.0 + 0.49 * 0.5 / 1.5)).abs() < 1e-6);
    assert!(by_count(&Tensor::from_vec([6], vec![0.0f32; 6]).unwrap()).is_err());
}

#[test]
fn other_forms_and_refusals() {
    let golden = golden();
    let export = |kind, variant: &str| {
        let request = ExportRequest::new(kind);
        let request = if variant.is_empty() { request } else { request.variant(variant) };
        Mtt::new().export(&request, &weights(&golden), &config())
    };
    let nir = export(ArtifactKind::Nir, "").unwrap();
    assert!(!nir.metadata["losses"].is_empty());
    let file = export(ArtifactKind::Safetensors, "").unwrap();
    let file = zoo_formats::safetensors::from_bytes("model", &file.files[0].bytes).unwrap();
    assert_eq!(file.get("neuron.stages.1.conv1.v_min").unwrap().as_slice::<f32>().unwrap(), [-1.0]);
    assert_eq!(file.get("head.weight").unwrap(), golden.get("w.head.weight").unwrap());
    assert!(matches!(export(ArtifactKind::Onnx, "later"), Err(Error::NotOffered { .. })));
    assert!(export(ArtifactKind::Onnx, "seq_T0").is_err());
    assert!(export(ArtifactKind::Onnx, "seq_T9999999").is_err());
    assert_eq!(export(ArtifactKind::Onnx, "seq_T4").unwrap().metadata["T"], "4");
}

#[test]
fn full_scale_configurations_read_and_build() {
    for (name, _) in full_scale::CONFIGS {
        let paper = full_scale::read(name).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(paper.network().unwrap().parameters() > 1_000, "{name}");
    }
    assert!(matches!(full_scale::read("none"), Err(Error::Unknown { .. })));
}
