//! Random numbers that depend on a seed and a purpose, and on nothing else.

use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

/// Where independent random streams come from: `(seed, purpose)` names one, and its place `index` (an epoch, a layer)
/// another beside it. Adding a stream never shifts another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeds {
    seed: u64,
}

impl Seeds {
    /// Streams of one seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The seed itself.
    pub fn seed(self) -> u64 {
        self.seed
    }

    /// The stream of `purpose` at `index`, from its start.
    pub fn stream(self, purpose: &str, index: u64) -> ChaCha12Rng {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        hash.update(purpose.as_bytes());
        let mut rng = ChaCha12Rng::from_seed(hash.finalize().into());
        rng.set_stream(index);
        rng
    }

    /// The numbers `0..count` in the order of epoch `epoch`.
    pub fn permutation(self, count: usize, epoch: u64) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        order.shuffle(&mut self.stream("shuffle", epoch));
        order
    }
}

/// A number from the normal distribution of mean 0 and variance 1 (Box-Muller; the second number is dropped so that a
/// value costs a fixed number of draws).
pub fn standard_normal(rng: &mut impl Rng) -> f32 {
    let radius: f64 = 1.0 - rng.random::<f64>();
    let angle = std::f64::consts::TAU * rng.random::<f64>();
    #[allow(clippy::cast_possible_truncation, reason = "weights are f32")]
    {
        ((-2.0 * radius.ln()).sqrt() * angle.cos()) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_named_and_repeat() {
        let seeds = Seeds::new(7);
        let draw = |mut rng: ChaCha12Rng| rng.random::<u64>();
        assert_eq!(draw(seeds.stream("init", 0)), draw(Seeds::new(7).stream("init", 0)));
        let all = [seeds.stream("init", 0), seeds.stream("init", 1), seeds.stream("noise", 0), Seeds::new(8).stream("init", 0)].map(draw);
        for i in 0..4 {
            assert!(all[..i].iter().all(|x| *x != all[i]));
        }
        let mut order = seeds.permutation(100, 3);
        assert_ne!(order, seeds.permutation(100, 4));
        order.sort_unstable();
        assert!(order.into_iter().eq(0..100));
    }

    #[test]
    fn normal_numbers_have_the_right_moments() {
        let mut rng = Seeds::new(1).stream("normal", 0);
        let x: Vec<f64> = (0..100_000).map(|_| f64::from(standard_normal(&mut rng))).collect();
        let mean = x.iter().sum::<f64>() / 1e5;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 1e5;
        let fourth = x.iter().map(|x| (x - mean).powi(4)).sum::<f64>() / 1e5;
        // Standard errors: 0.0032, 0.0045, 0.031.
        assert!(mean.abs() < 0.016 && (variance - 1.0).abs() < 0.023 && (fourth - 3.0).abs() < 0.16, "{mean} {variance} {fourth}");
    }
}
