//! Random streams that depend on a seed and a purpose only.

use rand::Rng;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;

/// What random numbers are for; each purpose has streams of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Initial weights.
    Init = 1,
    /// Streams to train on.
    Training = 2,
    /// Streams to validate on.
    Validation = 3,
    /// Streams to test on.
    Test = 4,
    /// Order of moves in community detection.
    Louvain = 5,
    /// Null models, shifts and resampling.
    Controls = 6,
}

/// Stream `index` of a seed and purpose.
pub fn stream(seed: u64, purpose: Purpose, index: u64) -> ChaCha12Rng {
    let mut bytes = [0u8; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8] = purpose as u8;
    let mut rng = ChaCha12Rng::from_seed(bytes);
    rng.set_stream(index);
    rng
}

/// A number from the normal distribution of mean 0 and variance 1 (Box-Muller).
pub fn normal(rng: &mut impl Rng) -> f64 {
    let radius: f64 = 1.0 - rng.random::<f64>();
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}
