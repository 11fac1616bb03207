//! The training engine's network against PyTorch: outputs in evaluation, and loss and gradients in training.

use zoo_core::{Dialect, Weights};
use zoo_imaging_planes::import::import;
use zoo_imaging_planes::train::{add_tensors, forward};
use zoo_imaging_planes::unet::{Head, Preset, Unet};
use zoo_train::burn::tensor::Tensor;
use zoo_train::ops::mean_squared_error;
use zoo_train::params::{Mode, ParamStore};

fn file() -> Weights {
    zoo_formats::safetensors::read(format!("{}/golden/unet.safetensors", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn setup() -> (Weights, Unet, ParamStore) {
    let (golden, mut own) = (file(), Weights::new());
    for (name, tensor) in &golden.tensors {
        if let Some(name) = name.strip_prefix("w.") {
            own.insert(name, tensor.clone());
        }
    }
    let network = Unet::new(Preset::Unet, 16, Head::Pretext, 2).unwrap();
    let mut params = ParamStore::on_cpu(0);
    add_tensors(&mut params, &network).unwrap();
    params.load(&import(&network, &own, Dialect::Authors).unwrap()).unwrap();
    (golden, network, params)
}

fn values(golden: &Weights, name: &str) -> Vec<f32> {
    golden.get(name).unwrap().to_f32()
}

fn close(what: &str, ours: &[f32], theirs: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let scale = theirs.iter().map(|v| v.abs()).fold(0.0, f32::max).max(1e-6);
    let worst = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / scale;
    assert!(worst < tolerance, "{what}: {worst} of the greatest");
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec::<f32>().unwrap()
}

#[test]
fn evaluation_is_pytorchs() {
    let (golden, network, mut params) = setup();
    params.set_mode(Mode::Eval);
    let x = params.input(values(&golden, "x"), [2, 1, 32, 48]).unwrap();
    let outputs = forward(&mut params, &network, x, None).unwrap();
    close("heat", &host(outputs.maps.unwrap()), &values(&golden, "heat"), 1e-4);
    close("location", &host(outputs.head.unwrap()), &values(&golden, "location"), 1e-4);
}

#[test]
fn loss_and_gradients_are_autograds() {
    let (golden, network, mut params) = setup();
    params.set_mode(Mode::Train);
    let x = params.input(values(&golden, "x"), [2, 1, 32, 48]).unwrap();
    let outputs = forward(&mut params, &network, x, None).unwrap();
    let heat = params.input(values(&golden, "heat_target"), [2, 2, 32, 48]).unwrap();
    let place = params.input(values(&golden, "place"), [2, 1]).unwrap();
    let loss = mean_squared_error(outputs.maps.unwrap(), heat).unwrap() + mean_squared_error(outputs.head.unwrap(), place).unwrap();
    close("loss", &host(loss.clone()), &values(&golden, "loss"), 1e-5);
    let grads = params.backward(&loss);
    for name in golden.tensors.keys().filter_map(|n| n.strip_prefix("grad.")) {
        close(name, &grads.by_name[name], &values(&golden, &format!("grad.{name}")), 2e-3);
    }
}
