//! Planted data: a system that really switches its coupling, and one that never does. They tell whether the comparison
//! against surrogates has power, and whether it raises false alarms.

use faer::{Col, Mat};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Spectral radius of the planted autoregressions: slow enough for windows to see the coupling.
const RADIUS: f64 = 0.9;

/// A random symmetric coupling whose regions fall into groups of `group` with strong links inside; the grouping is
/// shuffled by `seed`, so two seeds couple different regions.
pub fn coupling(regions: usize, group: usize, seed: u64) -> Mat<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut order: Vec<usize> = (0..regions).collect();
    for i in (1..regions).rev() {
        order.swap(i, rng.random_range(0..=i));
    }
    let mut matrix = Mat::zeros(regions, regions);
    for a in 0..regions {
        for b in 0..a {
            let inside = a / group == b / group;
            let weight = if inside { 0.6 + 0.4 * rng.random::<f64>() } else { 0.02 * rng.random::<f64>() };
            matrix[(order[a], order[b])] = weight;
            matrix[(order[b], order[a])] = weight;
        }
    }
    matrix
}

/// A vector autoregression of order one whose coupling changes every `dwell` samples through `couplings` in turn;
/// `[regions, samples]`. One coupling makes it stationary.
pub fn switching(couplings: &[Mat<f64>], dwell: usize, samples: usize, seed: u64) -> Mat<f64> {
    const BURN_IN: usize = 200;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let regions = couplings.first().map_or(0, Mat::nrows);
    let scaled: Vec<Mat<f64>> = couplings.iter().map(|m| m * faer::Scale(RADIUS / radius(m))).collect();
    let mut state = Col::<f64>::zeros(regions);
    let mut out = Mat::zeros(regions, samples);
    for t in 0..samples + BURN_IN {
        let regime = t.saturating_sub(BURN_IN) / dwell % scaled.len();
        state = &scaled[regime] * &state;
        for i in 0..regions {
            state[i] += gaussian(&mut rng);
        }
        if t >= BURN_IN {
            for i in 0..regions {
                out[(i, t - BURN_IN)] = state[i];
            }
        }
    }
    out
}

/// Greatest absolute row sum, an upper bound of the spectral radius that keeps the recursion stable.
fn radius(matrix: &Mat<f64>) -> f64 {
    (0..matrix.nrows()).map(|i| (0..matrix.ncols()).map(|j| matrix[(i, j)].abs()).sum::<f64>()).fold(f64::MIN_POSITIVE, f64::max)
}

/// A standard normal number (Box and Muller 1958).
fn gaussian(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}
