//! The training side against PyTorch's autograd and SpikingJelly's neuron.

use crate::common::{furthest, golden, small, values};
use zoo_core::Weights;
use zoo_tet::config::{LossConfig, LossKind};
use zoo_tet::network::Neuron;
use zoo_tet::train::{SpikingNet, by_config, sdt, sigmoid, tet};
use zoo_train::burn::tensor::{Tensor, TensorData};
use zoo_train::ops::{self, Lif};
use zoo_train::params::{Init, Mode, ParamStore};

fn ints(golden: &Weights, name: &str) -> Vec<i64> {
    golden.get(name).unwrap().as_slice().unwrap().to_vec()
}

/// A store with one trainable tensor `x` that holds `values`.
fn leaf(values: Vec<f32>) -> ParamStore {
    let mut params = ParamStore::on_cpu(0);
    params.parameter("x", &[values.len()], Init::Constant(0.0)).unwrap();
    params.set_values("x", values).unwrap();
    params
}

fn host<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_into_vec::<f32>().unwrap()
}

fn loss(kind: LossKind, lambda: f64, phi: f64, smoothing: f32) -> LossConfig {
    LossConfig { kind, lambda, phi, smoothing, switch_epoch: 0 }
}

#[test]
fn losses_are_pytorchs() {
    let golden = golden();
    let labels = ints(&golden, "loss.labels");
    let mut cases =
        vec![("sdt".to_string(), loss(LossKind::Sdt, 0.0, 1.0, 0.0)), ("sdt-smooth".into(), loss(LossKind::Sdt, 0.0, 1.0, 0.1))];
    for (lambda, phi, name) in
        [(0.0, 1.0, "0.0:1.0"), (0.001, 1.0, "0.001:1.0"), (0.05, 1.0, "0.05:1.0"), (0.3, 0.5, "0.3:0.5"), (1.0, 1.0, "1.0:1.0")]
    {
        cases.push((format!("tet:{name}"), loss(LossKind::Tet, lambda, phi, 0.0)));
    }
    for (name, config) in cases {
        let params = leaf(values(&golden, "loss.logits"));
        let logits = params.get::<1>("x").unwrap().reshape([3, 4, 5]);
        let loss = by_config(&config, 0, logits, &labels).unwrap();
        let gradient = params.backward(&loss).by_name.remove("x").unwrap();
        assert!(furthest(&host(loss), &values(&golden, &format!("loss.{name}.value"))) < 1e-5, "{name}");
        assert!(furthest(&gradient, &values(&golden, &format!("loss.{name}.grad"))) < 1e-5, "{name}");
    }
}

#[test]
fn the_switch_is_at_its_epoch() {
    let config = LossConfig { switch_epoch: 2, ..loss(LossKind::Tet, 0.05, 1.0, 0.0) };
    let golden = golden();
    let (labels, params) = (ints(&golden, "loss.labels"), leaf(values(&golden, "loss.logits")));
    let logits = || params.get::<1>("x").unwrap().reshape([3, 4, 5]);
    let at = |epoch| host(by_config(&config, epoch, logits(), &labels).unwrap());
    assert_eq!(at(1), host(sdt(logits(), &labels, 0.0).unwrap()));
    assert_eq!(at(2), host(tet(logits(), &labels, 0.0, 0.05, 1.0).unwrap()));
    assert_ne!(at(1), at(2));
}

#[test]
fn at_one_step_the_gradients_are_equal_bit_for_bit() {
    let golden = golden();
    let values = values(&golden, "loss.logits");
    let gradient = |kind| {
        let params = leaf(values.clone());
        let logits = params.get::<1>("x").unwrap().reshape([1, 12, 5]);
        let loss = by_config(&loss(kind, 0.0, 1.0, 0.0), 0, logits, &[0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]).unwrap();
        params.backward(&loss).by_name.remove("x").unwrap()
    };
    assert_eq!(gradient(LossKind::Sdt), gradient(LossKind::Tet));
}

fn neuron_case(name: &str, apply: impl Fn(Tensor<2>) -> Tensor<2>) {
    let golden = golden();
    let params = leaf(values(&golden, "lif.current"));
    let spikes = apply(params.get::<1>("x").unwrap().reshape([6, 40]));
    let weight = Tensor::<2>::from_data(TensorData::new(values(&golden, "lif.weight"), [6, 40]), params.device());
    let gradient = params.backward(&(spikes.clone() * weight).sum()).by_name.remove("x").unwrap();
    assert!(furthest(&host(spikes), &values(&golden, &format!("{name}.spikes"))) < 1e-5, "{name}");
    assert!(furthest(&gradient, &values(&golden, &format!("{name}.grad"))) < 1e-5, "{name}");
}

#[test]
fn neurons_and_their_gradients_through_time_are_pytorchs() {
    neuron_case("lif", |x| ops::lif(x, 6, Lif::default()).unwrap());
    neuron_case("lif-wide", |x| ops::lif(x, 6, Lif { decay: 0.75, v_threshold: 0.5, surrogate_width: 2.0 }).unwrap());
    neuron_case("sigmoid", |x| sigmoid(x, 6, Lif::default(), 10.0).unwrap());
}

#[test]
fn spikes_are_spikingjellys() {
    let golden = golden();
    let params = leaf(values(&golden, "lif.current"));
    let spikes = ops::lif(params.get::<1>("x").unwrap().reshape([6, 40]), 6, Lif::default()).unwrap();
    assert_eq!(host(spikes), values(&golden, "spikingjelly.spikes"));
}

#[test]
fn three_steps_of_one_neuron_by_hand() {
    // u1 = 0.8, silent; u2 = 0.4 + 0.9 = 1.3, fires; u3 = 0 + 0.6 = 0.6, silent. Loss: the sum of spikes.
    // Triangle: 0.8, 0.7, 0.6. g3 = 0.6. After step 2, carry = 0.5 g3 = 0.3: g2 = (1 - 0.3 * 1.3) 0.7 + 0 * 0.3 = 0.427.
    // After step 1, carry = 0.5 g2 = 0.2135: g1 = (1 - 0.2135 * 0.8) 0.8 + 1 * 0.2135 = 0.87686.
    let params = leaf(vec![0.8, 0.9, 0.6]);
    let spikes = ops::lif(params.get::<1>("x").unwrap().reshape([3, 1]), 3, Lif::default()).unwrap();
    let gradient = params.backward(&spikes.clone().sum()).by_name.remove("x").unwrap();
    assert_eq!(host(spikes), [0.0, 1.0, 0.0]);
    assert!(furthest(&gradient, &[0.87686, 0.427, 0.6]) < 1e-6, "{gradient:?}");
}

#[test]
fn the_surrogate_has_area_one() {
    for width in [0.5, 1.0, 3.0] {
        let count = 40_000;
        let step = 8.0 / count as f32;
        let params = leaf((0..count).map(|i| -3.0 + step * (i as f32 + 0.5)).collect());
        let lif = Lif { surrogate_width: width, ..Lif::default() };
        let spikes = ops::lif(params.get::<1>("x").unwrap().reshape([1, count]), 1, lif).unwrap();
        let slopes = params.backward(&spikes.sum()).by_name.remove("x").unwrap();
        let area: f64 = slopes.iter().map(|s| f64::from(s * step)).sum();
        assert!((area - 1.0).abs() < 1e-3, "{width}: {area}");
    }
}

#[test]
fn the_sigmoid_control_is_differentiated_exactly() {
    let at = |x: &[f32]| {
        let params = leaf(x.to_vec());
        let loss = sigmoid(params.get::<1>("x").unwrap().reshape([4, 2]), 4, Lif::default(), 2.0).unwrap().sum();
        let gradient = params.backward(&loss).by_name.remove("x").unwrap();
        (host(loss)[0], gradient)
    };
    let x = [0.7f32, -0.2, 1.1, 0.4, 0.9, 0.3, -0.5, 1.6];
    let (_, gradient) = at(&x);
    for i in 0..x.len() {
        let moved = |h: f32| {
            let mut y = x;
            y[i] += h;
            at(&y).0
        };
        let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
        assert!((slope - gradient[i]).abs() < 1e-3, "{i}: {slope} {}", gradient[i]);
    }
    assert!(sigmoid(leaf(vec![0.0; 3]).get::<1>("x").unwrap(), 2, Lif::default(), 1.0).is_err());
}

/// Frames as training orders them: all items of a step together.
fn time_major(golden: &Weights) -> Vec<f32> {
    let frames = values(golden, "net.frames");
    let each = 2 * 144;
    (0..4).flat_map(|t| (0..3).flat_map(move |b| (b * 4 + t) * each..(b * 4 + t + 1) * each)).map(|i| frames[i]).collect()
}

fn store(golden: &Weights, neuron: Neuron) -> (SpikingNet, ParamStore) {
    let (network, weights) = small(golden);
    let net = SpikingNet::new(network, neuron);
    let mut params = ParamStore::on_cpu(1);
    net.add_to(&mut params).unwrap();
    net.load(&mut params, &weights).unwrap();
    (net, params)
}

#[test]
fn the_network_is_pytorchs_in_both_modes() {
    let golden = golden();
    let (net, mut params) = store(&golden, Neuron::default());
    // Batch norm sees [T * batch] images, as one batch of all frames would be seen.
    for (mode, name) in [(Mode::Eval, "net.eval"), (Mode::Train, "net.train")] {
        params.set_mode(mode);
        let logits = net.forward(&mut params, time_major(&golden), 4).unwrap();
        assert!(furthest(&host(logits), &values(&golden, name)) < 1e-4, "{name}");
    }
}

#[test]
fn gradients_of_the_network_are_pytorchs() {
    let golden = golden();
    let labels = ints(&golden, "net.labels");
    for (name, config) in [("sdt", loss(LossKind::Sdt, 0.0, 1.0, 0.0)), ("tet", loss(LossKind::Tet, 0.05, 1.0, 0.0))] {
        for (mode, neuron) in [("", Neuron::default()), (".sigmoid", Neuron { sigmoid: Some(10.0), ..Neuron::default() })] {
            let (net, mut params) = store(&golden, neuron);
            let logits = net.forward(&mut params, time_major(&golden), 4).unwrap();
            let gradients = params.backward(&by_config(&config, 0, logits, &labels).unwrap());
            for (ours, gradient) in &gradients.by_name {
                let theirs = match ours.split_once('.').filter(|(kind, _)| *kind == "bns") {
                    Some(_) => ours.replace(".weight", ".gamma").replace(".bias", ".beta"),
                    None => ours.clone(),
                };
                let expected = values(&golden, &format!("net.{name}{mode}.grad.{theirs}"));
                // A bias ahead of batch norm has gradient 0 but for rounding.
                let scale = expected.iter().fold(0f32, |m, v| m.max(v.abs()));
                if scale < 1e-5 {
                    assert!(gradient.iter().all(|g| g.abs() < 1e-4), "{name}{mode} {ours}");
                } else {
                    assert!(furthest(gradient, &expected) < 2e-3, "{name}{mode} {ours}: {}", furthest(gradient, &expected));
                }
            }
        }
    }
}

#[test]
fn weights_survive_the_store() {
    let golden = golden();
    let (net, params) = store(&golden, Neuron::default());
    assert_eq!(net.weights(&params).unwrap().tensors, small(&golden).1.tensors);
}
