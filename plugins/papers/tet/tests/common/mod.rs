//! What the tests share: golden values, and the small network they are of.

use zoo_core::Weights;
use zoo_tet::network::{Architecture, Network};

/// The golden file.
pub fn golden() -> Weights {
    zoo_formats::safetensors::read(format!("{}/golden/golden.safetensors", env!("CARGO_MANIFEST_DIR"))).expect("golden file")
}

/// Values of a golden tensor.
pub fn values(golden: &Weights, name: &str) -> Vec<f32> {
    golden.get(name).expect("golden tensor").as_slice().expect("f32").to_vec()
}

/// The network of the golden values, and its weights.
pub fn small(golden: &Weights) -> (Network, Weights) {
    let network = Network::new(Architecture::VggsnnMini, [2, 12, 12], 10).unwrap();
    let mut weights = Weights::new();
    for (name, _) in network.tensors() {
        weights.insert(name.clone(), golden.get(&format!("net.{name}")).unwrap().clone());
    }
    (network, weights)
}

/// Greatest difference, over the greatest expected value.
pub fn furthest(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / scale
}
