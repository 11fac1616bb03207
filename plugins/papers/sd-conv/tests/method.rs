//! The layer against PyTorch's values, what must hold exactly, and the ONNX forms against the network here.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use zoo_backend_onnxruntime::OnnxRuntime;
use zoo_backend_tract::Tract;
use zoo_core::{ArtifactKind, Backend, Config, Device, ExportRequest, Model, Options, Tensor, Weights};
use zoo_sd_conv::config::{NetworkConfig, PaperConfig};
use zoo_sd_conv::count::cost;
use zoo_sd_conv::export::GROUPS;
use zoo_sd_conv::layer::{DynamicConv, Shape, conv3x3};
use zoo_sd_conv::mask::{DensityController, ThresholdForm, hard_backward, keeps, soft, soft_backward, step_slope};
use zoo_sd_conv::model::SdConv;
use zoo_sd_conv::network::{TinySd, tensors};
use zoo_sd_conv::sparse::SparseConv;

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

fn golden() -> (Value, DynamicConv, [usize; 2]) {
    let case: Value = serde_json::from_str(include_str!("../golden/golden.json")).unwrap();
    let sizes: Vec<usize> = case["shape"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect();
    let shape = Shape { inputs: sizes[0], outputs: sizes[1], hidden: sizes[2], kernels: sizes[3] };
    let part = |name: &str| numbers(&case[name]);
    let conv =
        DynamicConv { shape, weight: part("weight"), bias: part("bias"), fc1: part("fc1"), fc2: part("fc2"), fc2_bias: part("fc2_bias") };
    (case, conv, [sizes[4], sizes[5]])
}

#[test]
fn routing_output_and_counts_are_those_of_pytorch() {
    let (case, conv, side) = golden();
    let temperature = case["temperature"].as_f64().unwrap() as f32;
    for image in 0..2 {
        let x = numbers(&case["x"][image]);
        let shares = conv.routing(&x, temperature);
        assert!(shares.iter().zip(numbers(&case["shares"][image])).all(|(a, b)| (a - b).abs() < 1e-6));
        let y = conv.forward(&x, side, temperature);
        let worst = y.iter().zip(numbers(&case["y"][image])).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-5, "{worst}");
        // The sparse path does the same sums without the zeros.
        assert_eq!(SparseConv::new(&conv).forward(&x, side, temperature), y);
    }
    let found = cost(&conv, 42);
    assert_eq!((found.nonzeros, found.union), (case["nonzeros"].as_u64().unwrap(), case["union"].as_u64().unwrap()));
    assert_eq!(SparseConv::new(&conv).taps() as u64, found.union);
    assert_eq!(found.mask_bits, 4 * 5 * 3 * 9);
    // Pooling 3 x 42, maps 2 x 3 + 4 x 2, mixture, convolution.
    assert_eq!(found.macs, 126 + 14 + found.nonzeros + 42 * found.union);
    assert_eq!(found.dense_macs, 126 + 14 + 540 + 42 * 135);
}

#[test]
fn one_kernel_is_a_static_convolution_and_a_zero_threshold_prunes_nothing() {
    let (case, conv, side) = golden();
    let x = numbers(&case["x"][0]);
    let size = conv.shape.kernel_len();
    let one = DynamicConv {
        shape: Shape { kernels: 1, ..conv.shape },
        weight: conv.weight[..size].to_vec(),
        bias: conv.bias[..5].to_vec(),
        fc2: conv.fc2[..2].to_vec(),
        fc2_bias: conv.fc2_bias[..1].to_vec(),
        ..conv.clone()
    };
    assert_eq!(one.forward(&x, side, 31.0), conv3x3(&x, &conv.weight[..size], Some(&conv.bias[..5]), 3, side));
    let masked = conv.weight.iter().map(|w| if keeps(f64::from(*w), 0.0) { *w } else { 0.0 }).collect();
    assert_eq!(DynamicConv { weight: masked, ..conv.clone() }.forward(&x, side, 1.0), conv.forward(&x, side, 1.0));
    let soft = conv.weight.iter().map(|w| soft(f64::from(*w), 0.0) as f32).collect();
    assert_eq!(DynamicConv { weight: soft, ..conv.clone() }.forward(&x, side, 1.0), conv.forward(&x, side, 1.0));
}

#[test]
fn thresholds_and_masks_have_their_formulas_gradients() {
    for (form, s) in [(ThresholdForm::Softplus, -1.3), (ThresholdForm::Softplus, 30.0), (ThresholdForm::Sigmoid, 0.4)] {
        let (_, slope) = form.threshold(s, 1.7);
        let numeric = (form.threshold(s + 1e-6, 1.7).0 - form.threshold(s - 1e-6, 1.7).0) / 2e-6;
        assert!((slope - numeric).abs() < 1e-6, "{form:?}");
    }
    for w in [-0.9, -0.2, 0.3, 1.4] {
        let (dw, dt) = soft_backward(w, 0.35, 2.0);
        let by = |dw: f64, dt: f64| 2.0 * (soft(w + dw, 0.35 + dt) - soft(w - dw, 0.35 - dt)) / 2e-6;
        assert!((dw - by(1e-6, 0.0)).abs() < 1e-6 && (dt - by(0.0, 1e-6)).abs() < 1e-6, "{w}");
    }
    // The estimator by hand: slope 2 - 4 |q| at q = 0.25, 0.4 at 0.7, 0 beyond 1.
    assert_eq!([0.25, -0.25, 0.7, -1.2].map(step_slope), [1.0, 1.0, 0.4, 0.0]);
    // w = -0.75, t = 0.5: kept, q = 0.25, so dw = g (1 + 0.75) and dt = 0.75 g.
    assert_eq!(hard_backward(-0.75, 0.5, 2.0), (3.5, 1.5));
    assert_eq!(hard_backward(0.25, 0.5, 2.0), (0.5, -0.5));
    // 0.4 too much: 0.5 of it is remembered and twice of it felt at once.
    let mut controller = DensityController { target: 0.3, gain: 2.0, rate: 0.5, most: 1.5, alpha: 0.0 };
    assert!((controller.observe(0.7) - (0.2 + 0.8)).abs() < 1e-12);
    assert!((controller.observe(0.1) - (0.1 - 0.4)).abs() < 1e-12);
    // Both parts are bounded: 1.4 + 0.25 becomes 1.5.
    controller.alpha = 1.4;
    assert!((controller.observe(0.8) - (1.5 + 1.0)).abs() < 1e-12);
    // Too far off, nothing is remembered.
    controller.alpha = 0.0;
    assert!((controller.observe(1.3) - 1.5).abs() < 1e-12 && controller.alpha == 0.0);
}

fn config() -> Config {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/digits-sd03.toml")).unwrap();
    Config::new(toml::from_str::<Value>(&text).unwrap())
}

fn weights(config: &NetworkConfig) -> Weights {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut weights = Weights::new();
    for (name, shape) in tensors(config) {
        let count: usize = shape.iter().product();
        let scale = 1.0 / ((count / shape[0]) as f32).sqrt();
        let draw = |rng: &mut ChaCha8Rng| {
            let value: f32 = rng.random_range(-1.0..1.0);
            if name.ends_with("var") || name.ends_with("bn0.weight") { value.abs() + 0.5 } else { value * scale.max(0.3) }
        };
        let values: Vec<f32> = (0..count).map(|_| draw(&mut rng)).collect();
        weights.insert(name.clone(), Tensor::from_vec(shape, values).unwrap());
    }
    weights
}

/// Greatest difference from the network, or why the backend does not take the form.
fn difference(backend: &dyn Backend, form: &str, batch: usize) -> Result<f32, String> {
    let config = config();
    let network = PaperConfig::read(&config).unwrap().network;
    let weights = weights(&network);
    let net = TinySd::read(network, &weights).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let images: Vec<f32> = (0..GROUPS * 64).map(|_| rng.random_range(0.0..1.0)).collect();
    let expected: Vec<f32> = images.chunks(64).flat_map(|image| net.forward(image).unwrap().0).collect();
    let artifact = SdConv::default().export(&ExportRequest::new(ArtifactKind::Onnx).variant(form), &weights, &config).unwrap();
    let mut session = backend.compile(&artifact, &Device::Cpu, &Options::default()).map_err(|e| e.to_string())?;
    let mut logits = Vec::new();
    for images in images.chunks(batch * 64) {
        let input = Tensor::from_vec([batch, 1, 8, 8], images.to_vec()).unwrap();
        logits.extend(session.run(&[input]).map_err(|e| e.to_string())?[0].to_f32());
    }
    assert_eq!(logits.len(), expected.len());
    Ok(logits.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max))
}

const FORMS: [(&str, usize); 3] = [("form-b", GROUPS), ("form-a", 1), ("form-c", GROUPS)];

#[test]
fn forms_agree_with_the_network_on_tract() {
    let found = FORMS.map(|(form, batch)| difference(&Tract, form, batch));
    println!("{found:?}");
    // What tract makes of a computed weight is its own affair, but a wrong answer is none.
    assert!(found[0].is_ok());
    assert!(found.iter().flatten().all(|d| *d < 1e-4), "{found:?}");
}

#[test]
fn forms_agree_with_the_network_on_onnx_runtime() {
    let Some(library) = std::env::var_os("ZOO_TEST_ORT") else {
        eprintln!("not run: set ZOO_TEST_ORT to a libonnxruntime");
        return;
    };
    let runtime = OnnxRuntime::with_library(library);
    for (form, batch) in FORMS {
        let found = difference(&runtime, form, batch).unwrap();
        assert!(found < 1e-4, "{form}: {found}");
    }
}

#[test]
fn bad_input_is_told_what_is_wrong() {
    let with = |value: Value| {
        let network: Result<NetworkConfig, _> = serde_json::from_value(value);
        network.map_err(|e| e.to_string()).and_then(|n| n.check().map(|()| n).map_err(|e| e.to_string()))
    };
    let good = json!({"input": [1, 8, 8], "widths": [16, 32], "classes": 10, "kernels": 4, "reduction": 16});
    let network = with(good.clone()).unwrap();
    for (key, value) in [
        ("input", json!([1, 0, 8])),
        ("widths", json!([16])),
        ("widths", json!([16, 1, 1, 1, 1, 1, 1])),
        ("kernels", json!(0)),
        ("classes", json!(1 << 20)),
        ("other", json!(1)),
    ] {
        let mut bad = good.clone();
        bad[key] = value.clone();
        assert!(with(bad).is_err(), "{key} = {value}");
    }
    let mut file = weights(&network);
    file.tensors.remove("fc.bias");
    assert!(TinySd::read(network.clone(), &file).unwrap_err().to_string().contains("fc.bias"));
    let mut file = weights(&network);
    file.insert("fc.bias", Tensor::from_vec([10], vec![f32::NAN; 10]).unwrap());
    assert!(TinySd::read(network.clone(), &file).unwrap_err().to_string().contains("finite"));
    assert!(TinySd::read(network.clone(), &weights(&network)).unwrap().forward(&[0.0; 3]).is_err());
}
