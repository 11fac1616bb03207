//! What the tests share: golden values, and the network they are of.

use zoo_core::{Config, Weights};
use zoo_mtt::config::PaperConfig;

/// The golden file.
pub fn golden() -> Weights {
    zoo_formats::safetensors::read(format!("{}/golden/golden.safetensors", env!("CARGO_MANIFEST_DIR"))).expect("golden file")
}

/// Values of a golden tensor.
pub fn values(golden: &Weights, name: &str) -> Vec<f32> {
    golden.get(name).expect("golden tensor").as_slice().expect("f32").to_vec()
}

/// The weights of the golden network.
pub fn weights(golden: &Weights) -> Weights {
    let mut weights = Weights::new();
    for (name, tensor) in &golden.tensors {
        if let Some(name) = name.strip_prefix("w.") {
            weights.insert(name, tensor.clone());
        }
    }
    weights
}

/// The configuration of the golden network.
pub fn config() -> Config {
    Config::new(serde_json::json!({
        "start": "none", "data": {"name": "none", "train": 1, "val": 1},
        "network": {"architecture": "nmnist3c1fc", "input": [2, 12, 12], "classes": 10, "neuron": "if"},
        "times": {"max": 6, "sampling": "fixed"},
        "train": {"epochs": 1, "batch": 1, "optimiser": "adam", "lr": 0.001},
    }))
}

/// The same, typed.
pub fn paper() -> PaperConfig {
    PaperConfig::read(&config()).expect("a good configuration")
}

/// Greatest difference, over the greatest expected value.
pub fn furthest(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / scale
}

/// PyTorch's logits `[T, batch, classes]` averaged over time, `[batch, classes]`.
pub fn mean_logits(golden: &Weights, tag: &str) -> Vec<f32> {
    let tensor = golden.get(&format!("{tag}.logits")).expect("golden tensor");
    let steps = tensor.shape()[0];
    let by_step = tensor.as_slice::<f32>().expect("f32");
    (0..30).map(|i| (0..steps).map(|t| by_step[t * 30 + i]).sum::<f32>() / steps as f32).collect()
}
