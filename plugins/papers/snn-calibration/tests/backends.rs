//! Exports run elsewhere as the network runs here: `ann`, `step` and `rate` on tract, the event graph on the executor.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::sync::Arc;
use zoo_backend_events::Events;
use zoo_backend_tract::Tract;
use zoo_core::{
    Artifact, ArtifactKind, Backend, Batch, Config, DType, Device, ExportRequest, Model, Options, Session, Tensor, TensorSpec, Weights,
};
use zoo_snn_calibration::ann::{Ann, bias_key, weight_key};
use zoo_snn_calibration::calib_file;
use zoo_snn_calibration::config::PaperConfig;
use zoo_snn_calibration::data::{argmax, standardise};
use zoo_snn_calibration::export::{NormalForm, event, rate, step};
use zoo_snn_calibration::kernel::{channels_first, channels_last};
use zoo_snn_calibration::model::{Calibration, Side};
use zoo_snn_calibration::network::{Network, Node, Op, Source};
use zoo_snn_calibration::snn::{Neurons, Snn};

const COUNT: usize = 12;

fn config(name: &str) -> Config {
    let text = std::fs::read_to_string(format!("{}/config/{name}.toml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    Config::new(toml::from_str::<serde_json::Value>(&text).unwrap())
}

fn weights(name: &str) -> Weights {
    zoo_formats::safetensors::read(format!("{}/weights/{name}-seed1000.safetensors", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn compile(backend: &dyn Backend, artifact: &Artifact) -> Box<dyn Session> {
    backend.compile(artifact, &Device::Cpu, &Options::default()).unwrap()
}

/// Bars and boxes of random brightness on black: ink of about the digits' extent.
fn batch() -> Batch {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut pixels = vec![0u8; COUNT * 784];
    for image in pixels.chunks_exact_mut(784) {
        for _ in 0..4 {
            let (top, left) = (rng.random_range(3..20), rng.random_range(3..20));
            let (height, width) = (rng.random_range(1..8), rng.random_range(1..8));
            let ink = rng.random_range(100..=255);
            for y in top..(top + height).min(28) {
                image[y * 28 + left..y * 28 + (left + width).min(28)].fill(ink);
            }
        }
    }
    let features: Arc<[TensorSpec]> = Arc::new([TensorSpec::new("image", DType::U8, [1usize, 28, 28])]);
    Batch::new(features, vec![Tensor::from_vec([COUNT, 1, 28, 28], pixels).unwrap()], 0).unwrap()
}

fn native_images(batch: &Batch, config: &Config) -> Vec<Vec<f32>> {
    let paper = PaperConfig::read(config).unwrap();
    let x = standardise(batch.field("image").unwrap(), &paper.network).unwrap();
    x.as_slice::<f32>().unwrap().chunks_exact(784).map(|image| channels_last([1, 28, 28], image)).collect()
}

/// Logits by `Model::predict`.
fn predict(model: &Calibration, session: &mut dyn Session, batch: &Batch) -> Vec<f32> {
    let prediction = model.predict(session, batch).unwrap();
    prediction.get("logits").unwrap().as_slice::<f32>().unwrap().to_vec()
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn check(name: &str) {
    let (config, batch) = (config(name), batch());
    let network = PaperConfig::read(&config).unwrap().network().unwrap();
    let images = native_images(&batch, &config);

    let model = Calibration::new(Side::Ann);
    let file = weights(&format!("{name}-ann"));
    let ours = Ann::new(network.clone(), &file).unwrap().logits(&images).concat();
    let artifact = model.export(&ExportRequest::new(ArtifactKind::Onnx), &file, &config).unwrap();
    let difference = furthest(&ours, &predict(&model, compile(&Tract, &artifact).as_mut(), &batch));
    assert!(difference < 1e-3, "{name}, ann on tract: {difference}");

    let model = Calibration::new(Side::Snn);
    let file = weights(name);
    let snn = calib_file::from_weights(&network, &file).unwrap();
    let ours: Vec<f32> = snn.run_all(&images).into_iter().flat_map(|o| o.logits).collect();
    let backends: [(&dyn Backend, ArtifactKind); 2] = [(&Tract, ArtifactKind::Onnx), (&Events, ArtifactKind::EventGraph)];
    for (backend, kind) in backends {
        let artifact = model.export(&ExportRequest::new(kind), &file, &config).unwrap();
        let mut session = compile(backend, &artifact);
        let theirs = predict(&model, session.as_mut(), &batch);
        // Rounding differs in its order, so a membrane that stands on its threshold may fire a step later.
        let difference = furthest(&ours, &theirs);
        assert!(difference < 0.25, "{name} on {}: {difference}", backend.name());
        let classes = |logits: &[f32]| logits.chunks_exact(10).map(argmax).collect::<Vec<_>>();
        assert_eq!(classes(&ours), classes(&theirs), "{name} on {}", backend.name());
        // Driving keeps nothing from one batch to the next.
        assert_eq!(theirs, predict(&model, session.as_mut(), &batch), "{name} on {}, again", backend.name());
    }
}

#[test]
fn vgg_mini_runs_the_same_on_every_backend() {
    check("vgg-mini-mnist");
}

#[test]
fn resnet_mini_runs_the_same_on_every_backend() {
    check("resnet-mini-mnist");
}

/// Two spiking layers, a pool, a residual and a linear reader, with weights from `draw`.
fn little(mut draw: impl FnMut() -> f32, bias: f32) -> Arc<Ann> {
    let conv = |out, kernel, padding| Op::Conv { out, kernel, stride: 1, padding, groups: 1 };
    let node = |op, input, relu| Node { op, input, residual: None, relu, batch_norm: false };
    let mut nodes = vec![
        node(conv(4, 3, 1), Source::Image, true),
        node(Op::AvgPool { kernel: 2, stride: 2, padding: 0 }, Source::Node(0), false),
        node(conv(4, 3, 1), Source::Node(1), true),
        node(conv(4, 3, 1), Source::Node(2), true),
        node(Op::Linear { out: 3 }, Source::Node(3), false),
    ];
    nodes[3].residual = Some(Source::Node(1));
    let network = Network::new([1, 4, 4], nodes).unwrap();
    let mut file = Weights::new();
    for layer in network.weighted() {
        let shape = network.weight_shape(layer).unwrap();
        let values = (0..shape.iter().product()).map(|_| draw()).collect();
        file.insert(weight_key(layer), Tensor::from_vec(shape, values).unwrap());
        let channels = network.shape(layer)[0];
        file.insert(bias_key(layer), Tensor::from_vec([channels], vec![bias; channels]).unwrap());
    }
    Arc::new(Ann::new(network, &file).unwrap())
}

fn little_images(count: usize, low: f32) -> Vec<Vec<f32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    (0..count).map(|_| (0..16).map(|_| (rng.random_range(low..1.0f32) * 16.0).round() / 16.0).collect()).collect()
}

fn run(session: &mut dyn Session, images: &[Vec<f32>]) -> Vec<f32> {
    let x = images.iter().flat_map(|i| channels_first([1, 4, 4], i)).collect();
    let x = Tensor::from_vec([images.len(), 1, 4, 4], x).unwrap();
    session.run(&[x]).unwrap()[0].as_slice::<f32>().unwrap().to_vec()
}

fn with_potentials(mut snn: Snn, share: f32) -> Snn {
    for layer in snn.network().spiking().collect::<Vec<_>>() {
        let neurons = snn.neurons(layer).unwrap().clone();
        let size: usize = snn.network().shape(layer).iter().product();
        let v_init = Some((0..size).map(|i| share * neurons.threshold[i % neurons.threshold.len()]).collect());
        snn.set_neurons(layer, Neurons { v_init, ..neurons }).unwrap();
    }
    snn
}

/// E14: spikes that carry their threshold and unit spikes give the same, bit for bit, where all thresholds are powers
/// of two; per channel, over a pool, a residual and a linear layer.
#[test]
fn unit_spikes_equal_amplitude_spikes_for_powers_of_two() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let ann = little(|| (rng.random_range(-1.0..1.0f32) * 32.0).round() / 32.0, 0.125);
    let thresholds = [Some(vec![1.0, 0.5, 2.0, 0.25]), None, Some(vec![0.5, 1.0, 0.25, 2.0]), Some(vec![2.0, 0.5, 1.0, 4.0]), None];
    let snn = with_potentials(Snn::new(ann, &thresholds, 8, true).unwrap(), 0.25);
    let images = little_images(20, -1.0);
    let ours: Vec<f32> = snn.run_all(&images).into_iter().flat_map(|o| o.logits).collect();
    let logits = |form| {
        let artifact = event(&snn, form, BTreeMap::new()).unwrap().to_artifact("event").unwrap();
        run(compile(&Events, &artifact).as_mut(), &images)
    };
    assert_eq!(logits(NormalForm::Amplitude), ours);
    assert_eq!(logits(NormalForm::Unit), ours);
    assert!(ours.iter().any(|v| *v != ours[0]), "the network must do something");
}

/// The theorem of the closed form: currents within `[0, theta]` and potentials within `[0, theta)` make it equal to the
/// stepped network, whatever the order of spikes.
#[test]
fn rate_twin_equals_the_steps_for_small_non_negative_currents() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let ann = little(|| (rng.random_range(0.0..1.0f32) * 4.0).round() / 64.0, 0.0);
    // Weights are at most 1/16, so that 9, 36 and 36 of them bring at most 0.57, 2.25 and 5.7 + 1 a step.
    let thresholds = [Some(vec![1.0]), None, Some(vec![2.5]), Some(vec![7.0]), None];
    let snn = with_potentials(Snn::new(ann, &thresholds, 64, false).unwrap(), 0.5);
    let images = little_images(20, 0.0);
    let ours: Vec<f32> = snn.run_all(&images).into_iter().flat_map(|o| o.logits).collect();
    let twin = run(compile(&Tract, &rate("rate", None, &snn, BTreeMap::new()).unwrap()).as_mut(), &images);
    assert!(furthest(&ours, &twin) < 1e-6, "{}", furthest(&ours, &twin));
    assert!(ours.iter().any(|v| *v > 0.0), "the network must fire");
}

/// With negative weights a spike that came too early can't be recalled: the twin must differ somewhere, or it would be
/// the same graph under another name.
#[test]
fn rate_twin_differs_in_general() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let ann = little(|| rng.random_range(-1.0..1.0f32), 0.0);
    let thresholds = [Some(vec![1.0]), None, Some(vec![1.0]), Some(vec![1.0]), None];
    let snn = Snn::new(ann, &thresholds, 8, true).unwrap();
    let images = little_images(20, -1.0);
    let ours: Vec<f32> = snn.run_all(&images).into_iter().flat_map(|o| o.logits).collect();
    let twin = run(compile(&Tract, &rate("rate", None, &snn, BTreeMap::new()).unwrap()).as_mut(), &images);
    assert!(furthest(&ours, &twin) > 1e-3);
}

#[test]
fn exports_repeat_and_refuse_what_they_can_not_be() {
    let (config, file, model) = (config("vgg-mini-mnist"), weights("vgg-mini-mnist"), Calibration::new(Side::Snn));
    let request = |variant: &str| ExportRequest::new(ArtifactKind::Onnx).variant(variant);
    let artifact = model.export(&request("rate_T8"), &file, &config).unwrap();
    assert_eq!(artifact, model.export(&request("rate"), &file, &config).unwrap());
    assert_eq!(artifact.variant, "rate_T8");
    for bad in ["rate_T16", "rate_Tx", "steps"] {
        assert!(model.export(&request(bad), &file, &config).is_err(), "{bad}");
    }
    let other = ExportRequest { steps: Some(16), ..request("step") };
    assert!(model.export(&other, &file, &config).unwrap_err().to_string().contains("calibrated for"));
    let step_file = model.export(&request("step"), &file, &config).unwrap();
    for key in ["paper", "config_hash", "weights_hash", "T", "licence", "v_init"] {
        assert!(step_file.metadata.contains_key(key), "{key}");
    }
    let snn = calib_file::from_weights(&PaperConfig::read(&config).unwrap().network().unwrap(), &file).unwrap();
    assert!(step("step", Some(99), &snn, BTreeMap::new()).is_err());
}
