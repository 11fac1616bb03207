//! Against `golden/small.safetensors` and `golden/vgg_mini.safetensors`, made by `golden/make.py` with PyTorch.

use std::sync::Arc;
use zoo_core::{Silent, Weights};
use zoo_snn_calibration::ann::Ann;
use zoo_snn_calibration::calib_file;
use zoo_snn_calibration::calibrate::{calibrate_bias, calibrate_potential, objective};
use zoo_snn_calibration::fold::fold_network;
use zoo_snn_calibration::kernel::{channels_first, channels_last};
use zoo_snn_calibration::network::{Network, Node, Op, Source};
use zoo_snn_calibration::reference::Reference;
use zoo_snn_calibration::snn::Snn;
use zoo_snn_calibration::threshold::{ThresholdMode, best};

fn load(name: &str) -> Weights {
    let path = format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
    zoo_formats::safetensors::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The script's small network: pool, projection branch, residual, depthwise stride 2.
fn small() -> Network {
    let conv = |out, kernel, stride, padding, groups| Op::Conv { out, kernel, stride, padding, groups };
    let node = |op, input, relu| Node { op, input, residual: None, relu, batch_norm: matches!(op, Op::Conv { .. }) };
    let mut nodes = vec![
        node(conv(4, 3, 1, 1, 1), Source::Image, true),
        node(Op::AvgPool { kernel: 2, stride: 2, padding: 0 }, Source::Node(0), false),
        node(conv(6, 3, 1, 1, 1), Source::Node(1), true),
        node(conv(6, 1, 1, 0, 1), Source::Node(1), false),
        node(conv(6, 3, 1, 1, 1), Source::Node(2), true),
        node(conv(6, 3, 2, 1, 6), Source::Node(4), true),
        node(Op::GlobalAvgPool, Source::Node(5), false),
        node(Op::Linear { out: 5 }, Source::Node(6), false),
    ];
    nodes[4].residual = Some(Source::Node(3));
    Network::new([1, 8, 8], nodes).unwrap()
}

fn with_prefix(file: &Weights, prefix: &str, strip: &str) -> Weights {
    let mut weights = Weights::new();
    for (name, tensor) in file.tensors.iter().filter(|(name, _)| name.starts_with(prefix)) {
        weights.insert(name.strip_prefix(strip).unwrap_or(name), tensor.clone());
    }
    weights
}

fn images(file: &Weights, name: &str, shape: [usize; 3]) -> Vec<Vec<f32>> {
    let size: usize = shape.iter().product();
    file.get(name).unwrap().as_slice::<f32>().unwrap().chunks_exact(size).map(|i| channels_last(shape, i)).collect()
}

fn values(file: &Weights, name: &str) -> Vec<f32> {
    file.get(name).unwrap_or_else(|e| panic!("{name}: {e}")).as_slice::<f32>().unwrap().to_vec()
}

fn close(what: &str, ours: &[f32], theirs: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{what}[{i}]: {a} against {b}");
    }
}

#[test]
fn folded_network_equals_batch_normalised_one() {
    let (file, network) = (load("golden/small.safetensors"), small());
    let ann = Ann::new(network.clone(), &fold_network(&network, with_prefix(&file, "orig.", "")).unwrap()).unwrap();
    for (i, image) in images(&file, "x", [1, 8, 8]).iter().enumerate() {
        for (n, activation) in ann.activations(image).iter().enumerate() {
            let wanted = values(&file, &format!("activation.{n}"));
            let wanted = &wanted[i * activation.len()..][..activation.len()];
            close(&format!("image {i}, layer {n}"), &channels_first(network.shape(n), activation), wanted, 1e-5);
        }
    }
}

/// On the grid every sum is exact, so spike counts must agree bit for bit, residual and depthwise layers included.
#[test]
fn clocked_network_equals_the_torch_simulator_bit_for_bit() {
    let (file, network) = (load("golden/small.safetensors"), small());
    let ann = Arc::new(Ann::new(network.clone(), &with_prefix(&file, "grid.layers.", "grid.")).unwrap());
    let images = images(&file, "grid.x", [1, 8, 8]);
    for (name, shift, start) in [("plain", false, false), ("full", true, true)] {
        let mut thresholds = vec![None; network.nodes().len()];
        for n in network.spiking() {
            thresholds[n] = Some(values(&file, &format!("grid.theta.{n}")));
        }
        let mut snn = Snn::new(Arc::clone(&ann), &thresholds, 8, shift).unwrap();
        for n in network.spiking().filter(|_| start) {
            let mut neurons = snn.neurons(n).unwrap().clone();
            neurons.v_init = Some(channels_last(network.shape(n), &values(&file, &format!("grid.v_init.{n}"))));
            snn.set_neurons(n, neurons).unwrap();
        }
        for n in 0..network.nodes().len() {
            let wanted = values(&file, &format!("grid.{name}.sum.{n}"));
            for (i, rate) in snn.rates(&images, n).iter().enumerate() {
                let sum: Vec<f32> = channels_first(network.shape(n), rate).iter().map(|r| r * 8.0).collect();
                let wanted = &wanted[i * sum.len()..][..sum.len()];
                assert_eq!(sum, wanted, "{name}, image {i}, layer {n}");
            }
        }
    }
}

fn calibration_case() -> (Weights, Network, Snn, Reference) {
    let (file, network) = (load("golden/small.safetensors"), small());
    let ann = Arc::new(Ann::new(network.clone(), &fold_network(&network, with_prefix(&file, "orig.", "")).unwrap()).unwrap());
    let mut thresholds = vec![None; network.nodes().len()];
    for n in network.spiking() {
        thresholds[n] = Some(values(&file, &format!("calib.theta.{n}")));
    }
    let snn = Snn::new(Arc::clone(&ann), &thresholds, 4, true).unwrap();
    let reference = Reference::new(&ann, images(&file, "x", [1, 8, 8])).unwrap();
    (file, network, snn, reference)
}

#[test]
fn bias_and_potential_calibration_equal_the_double_precision_ones() {
    let (file, network, plain, reference) = calibration_case();
    let mut snn = plain.clone();
    calibrate_bias(&mut snn, &reference, &Silent).unwrap();
    for n in network.spiking() {
        close(&format!("bias of layer {n}"), &snn.neurons(n).unwrap().bias, &values(&file, &format!("calib.bias.{n}")), 1e-4);
    }
    let mut snn = plain;
    calibrate_potential(&mut snn, &reference, &Silent).unwrap();
    for n in network.spiking() {
        let ours = channels_first(network.shape(n), snn.neurons(n).unwrap().v_init.as_ref().unwrap());
        close(&format!("potential of layer {n}"), &ours, &values(&file, &format!("calib.v_init.{n}")), 1e-3);
    }
}

#[test]
fn weight_calibration_gradient_equals_autograd() {
    let (file, network, snn, _) = calibration_case();
    let (loss, gradient) =
        objective(&snn, 2, &images(&file, "wc.input", [4, 4, 4]), &images(&file, "wc.target", network.shape(2))).unwrap();
    close("loss", &[loss as f32], &values(&file, "wc.loss"), 1e-5);
    close("gradient", &gradient, &values(&file, "wc.gradient"), 1e-4);
}

#[test]
fn threshold_search_equals_double_precision_brute_force() {
    let file = load("golden/small.safetensors");
    let activations = values(&file, "search.activations");
    for row in values(&file, "search.best").chunks_exact(2) {
        let found = best(activations.clone(), ThresholdMode::Mmse, row[0] as u32);
        assert!((found - row[1]).abs() < 1e-5 * row[1], "T={}: {found} against {}", row[0], row[1]);
    }
}

#[test]
fn trained_vgg_mini_equals_torch() {
    let golden = load("golden/vgg_mini.safetensors");
    let network = Network::named("vgg-mini", [1, 28, 28], 10).unwrap();
    let ann = Ann::new(network.clone(), &load("weights/vgg-mini-mnist-ann-seed1000.safetensors")).unwrap();
    let images = images(&golden, "x", [1, 28, 28]);
    close("logits", &ann.logits(&images).concat(), &values(&golden, "logits"), 1e-4);
    let snn = calib_file::from_weights(&network, &load("weights/vgg-mini-mnist-seed1000.safetensors")).unwrap();
    let ours: Vec<f32> = snn.run_all(&images).into_iter().flat_map(|o| o.logits).collect();
    // Off the grid a rounding difference may move a spike by a step; the script works in double precision.
    close("spiking logits", &ours, &values(&golden, "snn.logits"), 2e-2);
}
