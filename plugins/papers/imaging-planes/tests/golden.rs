//! The network against PyTorch on tract, and metrics against scipy and scikit-learn.

use std::collections::BTreeMap;
use zoo_backend_tract::Tract;
use zoo_core::metric::{dice, hd95};
use zoo_core::{Backend, Device, Dialect, Options, Tensor, Weights};
use zoo_imaging_planes::export::export;
use zoo_imaging_planes::gradcam::grad_cam;
use zoo_imaging_planes::import::{import, transferable};
use zoo_imaging_planes::metrics::{auroc, f1};
use zoo_imaging_planes::unet::{Head, Preset, Unet};

fn file() -> Weights {
    zoo_formats::safetensors::read(format!("{}/golden/unet.safetensors", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn network(head: Head, outputs: usize) -> Unet {
    Unet::new(Preset::Unet, 16, head, outputs).unwrap()
}

/// PyTorch's `state_dict`, as the authors' files would be converted.
fn state_dict(prefix: &str) -> Weights {
    let mut weights = Weights::new();
    for (name, tensor) in file().tensors {
        if let Some(name) = name.strip_prefix("w.") {
            weights.insert(format!("{prefix}{name}"), tensor);
        }
    }
    weights
}

fn close(what: &str, ours: &[f32], theirs: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let worst = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < tolerance, "{what}: {worst}");
}

#[test]
fn the_exported_network_is_pytorchs_at_any_multiple_of_16() {
    let golden = file();
    let network = network(Head::Pretext, 2);
    let weights = import(&network, &state_dict("module."), Dialect::Authors).unwrap();
    let artifact = export("pretext", None, &network, &weights, true, BTreeMap::new()).unwrap();
    let mut session = Tract.compile(&artifact, &Device::Cpu, &Options::default()).unwrap();
    let outputs = session.run(&[golden.get("x").unwrap().clone()]).unwrap();
    let named = |name: &str| &outputs[session.outputs().iter().position(|o| o.name == name).unwrap()];
    close("heat", named("heatmaps").as_slice().unwrap(), golden.get("heat").unwrap().as_slice().unwrap(), 1e-4);
    close("location", named("slice_location").as_slice().unwrap(), golden.get("location").unwrap().as_slice().unwrap(), 1e-4);
    let center = golden.get("center").unwrap();
    close("center", &named("center").as_slice::<f32>().unwrap()[..center.len()], center.as_slice().unwrap(), 1e-4);
    // Other rows and columns.
    for (h, w) in [(16, 16), (64, 32)] {
        let outputs = session.run(&[Tensor::zeros(zoo_core::DType::F32, [3, 1, h, w]).unwrap()]).unwrap();
        assert!(outputs.iter().any(|o| o.shape() == [3, 2, h, w]));
    }
    // Sides that are no multiple of 16 can't be joined with their skips.
    assert!(session.run(&[Tensor::zeros(zoo_core::DType::F32, [1, 1, 24, 24]).unwrap()]).is_err());
}

#[test]
fn grad_cam_is_autograds() {
    let golden = file();
    let weights = import(&network(Head::Pretext, 2), &state_dict(""), Dialect::Authors).unwrap();
    let center = golden.get("center").unwrap();
    let shape: [usize; 3] = center.shape().try_into().unwrap();
    let cam = grad_cam(center.as_slice().unwrap(), shape, &weights, 0, [32, 48]).unwrap();
    close("map", &cam.map, golden.get("cam").unwrap().as_slice().unwrap(), 1e-4);
    assert!((cam.score - golden.get("location").unwrap().as_slice::<f32>().unwrap()[0]).abs() < 1e-4);
    assert!(grad_cam(center.as_slice().unwrap(), shape, &weights, 1, [32, 48]).is_err());
}

#[test]
fn the_importer_lists_what_is_missing_and_what_is_strange() {
    let network = network(Head::Pretext, 2);
    let mut bad = state_dict("");
    bad.tensors.remove("final.bias");
    bad.insert("head.weight", Tensor::scalar(0.0f32));
    bad.insert("conv1_label.weight", Tensor::scalar(0.0f32));
    let message = import(&network, &bad, Dialect::Authors).unwrap_err().to_string();
    assert!(message.contains("final.bias") && message.contains("head.weight") && !message.contains("conv1_label"), "{message}");
    // Our own files know no counters.
    assert!(import(&network, &state_dict(""), Dialect::Zoo).unwrap_err().to_string().contains("num_batches_tracked"));
    let mut nan = state_dict("");
    nan.insert("final.bias", Tensor::from_vec([2], vec![0.0, f32::NAN]).unwrap());
    assert!(import(&network, &nan, Dialect::Authors).unwrap_err().to_string().contains("finite"));
}

#[test]
fn transfer_takes_everything_but_the_last_layer() {
    let pretext = import(&network(Head::Pretext, 2), &state_dict(""), Dialect::Authors).unwrap();
    let target = network(Head::Segmentation, 4);
    let names = transferable(&target, &pretext, true);
    let left: Vec<_> = target.tensors().into_iter().map(|t| t.0).filter(|n| !names.contains(n)).collect();
    assert_eq!(left, ["final_.weight", "final_.bias"]);
    let encoder = transferable(&target, &pretext, false);
    assert!(encoder.iter().all(|n| n.starts_with("conv") || n.starts_with("center")) && encoder.len() < names.len());
    let again = import(&network(Head::Pretext, 2), &pretext.in_half_precision().unwrap(), Dialect::Zoo).unwrap();
    close("halved", &again.get("final.weight").unwrap().to_f32(), &pretext.get("final.weight").unwrap().to_f32(), 1e-3);
}

#[test]
fn presets_that_are_not_built_are_named_and_refused() {
    let error = Unet::new(Preset::Deeplabv3, 1, Head::Pretext, 2).unwrap_err().to_string();
    assert!(error.contains("Deeplabv3") && error.contains("unet"), "{error}");
    assert!(Unet::new(Preset::Unet, 3, Head::Pretext, 2).is_err());
    // The full-scale network: 31 million parameters, of which the target net lacks the slice head.
    let full = Unet::new(Preset::Unet, 1, Head::Pretext, 2).unwrap();
    assert_eq!(full.widths, [64, 128, 256, 512, 1024]);
}

#[test]
fn metrics_are_scipys_and_scikit_learns() {
    let path = format!("{}/golden/metrics.json", env!("CARGO_MANIFEST_DIR"));
    let golden: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let list = |value: &serde_json::Value| value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect::<Vec<_>>();
    let region = |key: &str| list(&golden[key]).iter().map(|v| *v > 0.0).collect::<Vec<_>>();
    let spacing: [f64; 3] = list(&golden["spacing"]).try_into().unwrap();
    let ours = hd95(&region("a"), &region("b"), [5, 9, 11], spacing).unwrap();
    assert!((ours - golden["hd95"].as_f64().unwrap()).abs() < 1e-9, "{ours} against {}", golden["hd95"]);
    assert!(hd95(&[false; 495], &region("b"), [5, 9, 11], spacing).is_none());
    let labels = |i: usize| list(&golden["labels"][i]).iter().map(|v| *v as u8).collect::<Vec<_>>();
    for (class, wanted) in list(&golden["dice"]).iter().enumerate() {
        assert!((dice(&labels(0), &labels(1), class as u8) - wanted).abs() < 1e-12);
    }
    assert_eq!((dice(&[0, 0], &[0, 0], 1), dice(&[1, 0], &[0, 0], 1)), (1.0, 0.0));
    let scores = list(&golden["scores"]);
    let positive: Vec<bool> = golden["positive"].as_array().unwrap().iter().map(|v| v.as_bool().unwrap()).collect();
    assert!((auroc(&scores, &positive).unwrap() - golden["auroc"].as_f64().unwrap()).abs() < 1e-12);
    assert!(auroc(&scores, &vec![true; scores.len()]).is_none());
    let predicted: Vec<bool> = scores.iter().map(|s| *s > 0.5).collect();
    assert!((f1(&predicted, &positive) - golden["f1"].as_f64().unwrap()).abs() < 1e-12);
}
