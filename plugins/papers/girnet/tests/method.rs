//! Networks, integration and losses against PyTorch, measures against SimpleITK, and calculation by hand.

use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use zoo_backend_onnxruntime::OnnxRuntime;
use zoo_backend_tract::Tract;
use zoo_core::backend::Availability;
use zoo_core::metric::{dice, hd95};
use zoo_core::{Backend, Config, Device, Dialect, Error, Options, Tensor, Weights};
use zoo_girnet::config::{Arm, NetworkConfig, PaperConfig, Widths};
use zoo_girnet::export::{DEFAULT, FULL, INPAINT, MASK, VELOCITY, export};
use zoo_girnet::field::{Fields, compose, exponential, fold_percent, jacobian, lengths};
use zoo_girnet::full_scale;
use zoo_girnet::import::import;
use zoo_girnet::network::{inp, reg, seg, tensors};

fn golden() -> Weights {
    zoo_formats::safetensors::read(concat!(env!("CARGO_MANIFEST_DIR"), "/golden/golden.safetensors")).unwrap()
}

fn numbers() -> Value {
    serde_json::from_str(include_str!("../golden/golden.json")).unwrap()
}

fn network(axes: usize) -> NetworkConfig {
    let widths = Widths { encoder: vec![3, 4], decoder: vec![5, 4], tail: vec![4, 3] };
    let grid = if axes == 2 { vec![16, 32] } else { vec![16, 16, 32] };
    NetworkConfig { grid, spacing: 2.0, seg: widths.clone(), inp: widths, reg_width: 2, range: 6.0, squarings: 5 }
}

fn weights(golden: &Weights, axes: usize) -> Weights {
    let prefix = format!("{axes}/weights/");
    let mut weights = Weights::new();
    for (name, tensor) in &golden.tensors {
        if let Some(name) = name.strip_prefix(&prefix) {
            weights.insert(name, tensor.clone());
        }
    }
    weights
}

/// Greatest difference of an output from a golden tensor.
fn apart(found: &[f32], golden: &Weights, name: &str) -> f32 {
    let wanted = golden.get(name).unwrap().as_slice::<f32>().unwrap();
    assert_eq!(found.len(), wanted.len(), "{name}");
    found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn check_on(backend: &dyn Backend, axes: usize) {
    let (golden, network) = (golden(), network(axes));
    let weights = weights(&golden, axes);
    let input = |name: &str| golden.get(&format!("{axes}/{name}")).unwrap().clone();
    let run = |graph: &str, inputs: &[Tensor]| {
        let artifact = export(graph, None, &network, &weights, &BTreeMap::new()).unwrap();
        backend.compile(&artifact, &Device::Cpu, &Options::default()).unwrap().run(inputs).unwrap()
    };
    let (x, y, mask) = (input("x"), input("y"), input("mask"));
    assert!(apart(run(MASK, std::slice::from_ref(&x))[0].as_slice().unwrap(), &golden, &format!("{axes}/seg")) < 1e-5);
    let masked: Vec<f32> = x.as_slice::<f32>().unwrap().iter().zip(mask.as_slice::<f32>().unwrap()).map(|(x, m)| x * (1.0 - m)).collect();
    let masked = Tensor::from_vec(x.shape(), masked).unwrap();
    assert!(apart(run(INPAINT, &[masked, mask, y.clone()])[0].as_slice().unwrap(), &golden, &format!("{axes}/inp")) < 1e-4);
    let all = run(DEFAULT, &[x.clone(), y.clone()]);
    assert_eq!(all.len(), 3);
    let velocities = run(VELOCITY, &[x.clone(), y.clone()]);
    for (i, name) in ["v_xy", "v_yx"].into_iter().enumerate() {
        assert!(apart(velocities[i].as_slice().unwrap(), &golden, &format!("{axes}/{name}")) < 1e-4);
        assert_eq!(velocities[i].as_bytes(), all[i + 1].as_bytes());
    }
    // The default road: velocities from the graph, the rest here.
    let values = |t: &Tensor| t.as_slice::<f32>().unwrap().to_vec();
    let fields = Fields::integrate([&values(&velocities[0]), &values(&velocities[1])], network.range, network.squarings, &network.grid);
    let fields = fields.unwrap();
    assert!(apart(&fields.xy, &golden, &format!("{axes}/flow_xy")) < 2e-3);
    assert!(apart(&fields.yx, &golden, &format!("{axes}/flow_yx")) < 2e-3);
    // The whole in one graph.
    let full = run(FULL, &[x, y]);
    for (found, name) in full.iter().zip(["warped_xy", "warped_yx", "flow_xy", "flow_yx"]) {
        let difference = apart(found.as_slice().unwrap(), &golden, &format!("{axes}/{name}"));
        assert!(difference < 5e-3, "{name}: {difference}");
    }
}

#[test]
fn graphs_of_planes_are_pytorchs_on_tract() {
    check_on(&Tract, 2);
}

#[test]
fn graphs_of_volumes_are_pytorchs_on_tract() {
    check_on(&Tract, 3);
}

#[test]
fn graphs_are_pytorchs_on_onnx_runtime() {
    let backend = OnnxRuntime::default();
    if let Availability::Unavailable { why, .. } = backend.probe() {
        println!("skipped: ONNX Runtime is not there: {why}");
        return;
    }
    check_on(&backend, 2);
    check_on(&backend, 3);
}

#[test]
fn measures_are_simple_itks() {
    let golden = golden();
    for (name, grid) in [("plane", vec![20, 24]), ("volume", vec![9, 12, 14])] {
        let field = golden.get(&format!("jacobian/{name}/field")).unwrap().as_slice::<f32>().unwrap().to_vec();
        let wanted = golden.get(&format!("jacobian/{name}/det")).unwrap().as_slice::<f32>().unwrap().to_vec();
        let found = jacobian(&field, &grid);
        let mut inner = 0;
        let mut folds = 0;
        for p in 0..found.len() {
            let mut rest = p;
            let inside = grid.iter().rev().all(|n| {
                let at = rest % n;
                rest /= n;
                at > 0 && at + 1 < *n
            });
            if inside {
                inner += 1;
                folds += usize::from(wanted[p] <= 0.0);
                assert!((found[p] - wanted[p]).abs() < 1e-4, "{name} at {p}: {} {}", found[p], wanted[p]);
            }
        }
        assert!(folds > 0, "the field has folds");
        assert!((fold_percent(&found, &grid) - 100.0 * folds as f64 / inner as f64).abs() < 1e-9);
    }
    let case = &numbers()["measures"];
    let mask = |key: &str| case[key].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u8).collect::<Vec<_>>();
    let (a, b) = (mask("a"), mask("b"));
    assert!((dice(&a, &b, 1) - case["dice"].as_f64().unwrap()).abs() < 1e-9);
    let bools = |m: &[u8]| m.iter().map(|v| *v == 1).collect::<Vec<_>>();
    let found = hd95(&bools(&a), &bools(&b), [1, 24, 30], [1e6, 2.0, 2.0]).unwrap();
    assert!((found - case["hd95"].as_f64().unwrap()).abs() < 1e-4, "{found}");
}

#[test]
fn a_constant_velocity_is_a_shift_and_its_inverse_undoes_it() {
    let grid = [32, 48];
    let plane = 32 * 48;
    let velocity: Vec<f32> = (0..2 * plane).map(|i| if i < plane { 2.0 } else { -1.0 }).collect();
    let forth = exponential(&velocity, 1.0, 7, &grid).unwrap();
    let back = exponential(&velocity, -1.0, 7, &grid).unwrap();
    let middle = 16 * 48 + 24;
    assert!((forth[middle] - 2.0).abs() < 1e-4 && (forth[plane + middle] + 1.0).abs() < 1e-4);
    let undone = compose(&forth, &back, &grid).unwrap();
    assert!(undone[middle].abs() < 1e-4 && undone[plane + middle].abs() < 1e-4);
    assert_eq!(fold_percent(&jacobian(&vec![0.0; 2 * plane], &grid), &grid), 0.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn smooth_velocities_do_not_fold(a in -3.0f32..3.0, b in -3.0f32..3.0, c in 0.05f32..0.2, d in 0.05f32..0.2) {
        let grid = [32usize, 32];
        let velocity: Vec<f32> = (0..2 * 1024)
            .map(|i| {
                let (x, y) = ((i % 32) as f32, (i / 32 % 32) as f32);
                // Nothing moves at the border, so that nothing is lost there.
                let edge = (std::f32::consts::PI * x / 31.0).sin() * (std::f32::consts::PI * y / 31.0).sin();
                edge * if i < 1024 { a * (c * y).sin() } else { b * (d * x).cos() }
            })
            .collect();
        let forth = exponential(&velocity, 1.0, 7, &grid).unwrap();
        let back = exponential(&velocity, -1.0, 7, &grid).unwrap();
        prop_assert_eq!(fold_percent(&jacobian(&forth, &grid), &grid), 0.0);
        let rest = lengths(&compose(&forth, &back, &grid).unwrap(), 2);
        prop_assert!(rest.iter().all(|v| *v < 0.1), "{:?}", rest.iter().copied().fold(0.0, f32::max));
    }
}

#[test]
fn authors_names_are_read_and_what_does_not_fit_is_refused() {
    let network = network(2);
    let all = tensors(&network, Arm::Girnet);
    let fresh = full_scale::fresh_weights(&all, 1).unwrap();
    // As the authors save them: under `state_dict`, with the buffer of the grid.
    let mut file = Weights::new();
    for (name, tensor) in &fresh.tensors {
        file.insert(format!("state_dict.{name}"), tensor.clone());
    }
    file.insert("state_dict.symnet.grid", Tensor::from_vec([1], vec![0.0f32]).unwrap());
    assert_eq!(import(&all, &file, Dialect::Authors).unwrap().tensors, fresh.tensors);
    // Checkpoints of one network lack the first component.
    for (part, prefix) in [(seg(&network), "mask_generator."), (inp(&network), "inpainter."), (reg(&network), "symnet.")] {
        let mut file = Weights::new();
        for (name, _) in &part {
            file.insert(name.strip_prefix(prefix).unwrap(), fresh.get(name).unwrap().clone());
        }
        assert_eq!(import(&part, &file, Dialect::Authors).unwrap().tensors.len(), part.len());
        file.insert("more", Tensor::from_vec([1], vec![0.0f32]).unwrap());
        assert!(matches!(import(&part, &file, Dialect::Authors), Err(Error::Keys { .. })));
    }
    let mut double = Weights::new();
    double.insert("encoder1.encoder.0.0.conv.0.0.weight", Tensor::from_vec([1], vec![0.0f32]).unwrap());
    let refused = import(&inp(&network), &double, Dialect::Authors).unwrap_err().to_string();
    assert!(refused.contains("two"), "{refused}");
}

#[test]
fn full_scale_configurations_are_the_papers_networks() {
    for (name, _) in full_scale::CONFIGS {
        let config = full_scale::read(name).unwrap();
        let shapes: BTreeMap<String, Vec<usize>> = tensors(&config.network, Arm::Girnet).into_iter().collect();
        // Specification section 2: a decoder's level sees its own features and the skip behind it.
        assert_eq!(shapes["mask_generator.encoder.encoder.3.0.conv.0.weight"], [128, 64, 3, 3, 3]);
        assert_eq!(shapes["mask_generator.decoder.decoder.1.0.conv.0.weight"], [64, 128 + 128, 3, 3, 3]);
        assert_eq!(shapes["mask_generator.decoder.remaining.0.conv.0.weight"], [32, 32 + 16, 3, 3, 3]);
        assert_eq!(shapes["inpainter.decoder.decoder.0.0.conv.0.weight"], [64, 2 * 64, 3, 3, 3]);
        assert_eq!(shapes["symnet.unet.ec9.0.weight"], [8 * 7, 16 * 7, 3, 3, 3]);
        assert_eq!(shapes["symnet.unet.dc9.0.weight"], [3, 14, 5, 5, 5]);
        assert!(!shapes.contains_key("symnet.unet.dc9.0.bias"));
    }
    assert!(full_scale::read("other").is_err());
}

fn config(arm: &str) -> Value {
    let path = format!("{}/config/{arm}.toml", env!("CARGO_MANIFEST_DIR"));
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn configurations_are_read_and_nonsense_is_refused() {
    let read = |value: Value| PaperConfig::read(&Config::new(value));
    for arm in ["pretrained", "baseline", "girnet", "oracle", "random-mask"] {
        let paper = read(config(arm)).unwrap();
        // All arms differ in nothing but what they are.
        let base = read(config("girnet")).unwrap();
        assert_eq!((&paper.train, &paper.loss, &paper.phantom, &paper.network), (&base.train, &base.loss, &base.phantom, &base.network));
    }
    let bad = [
        ("/network/grid", serde_json::json!([90, 96])),
        ("/network/range", 0.0.into()),
        ("/network/seg/decoder", serde_json::json!([1])),
        ("/phantom/warp", serde_json::json!([7.0, 4.0])),
        ("/train/batch", 0.into()),
        ("/from", Value::Null),
    ];
    for (place, value) in bad {
        let mut whole = config("girnet");
        *whole.pointer_mut(place).unwrap() = value;
        assert!(matches!(read(whole), Err(Error::Config { .. })), "{place}");
    }
}
