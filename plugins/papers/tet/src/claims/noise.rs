//! Bar 7: how flat the minimum is, probed by noise on the weights.

use super::{Exam, Results, mean};
use crate::config::ClaimsConfig;
use crate::model::Tet;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;
use serde_json::json;
use zoo_core::{ClaimOutcome, DType, Result, Tensor, Weights, Workbench};

/// Standard deviations of the noise, as shares of a tensor's root mean square.
const SIGMAS: [f64; 3] = [0.02, 0.05, 0.10];
/// Draws a standard deviation.
const DRAWS: u64 = 10;
/// Test items the probe looks at.
const ITEMS: usize = 200;

/// A copy whose weights and biases carry Gaussian noise; statistics of batch normalisation are left alone.
///
/// # Errors
/// [`zoo_core::Error::DType`] if a tensor is not f32.
pub fn with_noise(weights: &Weights, sigma: f64, seed: u64) -> Result<Weights> {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let mut noisy = weights.clone();
    for (name, tensor) in &mut noisy.tensors {
        if tensor.dtype() != DType::F32 || name.ends_with(".mean") || name.ends_with(".var") {
            continue;
        }
        let values = tensor.as_slice::<f32>()?;
        let rms = (values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / values.len().max(1) as f64).sqrt();
        let moved = values.iter().map(|v| (f64::from(*v) + sigma * rms * normal(&mut rng)) as f32).collect();
        *tensor = Tensor::from_vec(tensor.shape(), moved)?;
    }
    Ok(noisy)
}

/// Box and Muller's transform, one of its two numbers.
fn normal(rng: &mut impl Rng) -> f64 {
    let radius = 1.0 - rng.random::<f64>();
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

/// Measures the mean rise of the test loss under noise for TET and for the best SDT; nothing if an arm is missing.
pub(super) fn flatness(
    family: &Tet,
    claims: &ClaimsConfig,
    results: &Results,
    exam: &Exam,
    bench: &mut dyn Workbench,
) -> Result<Option<ClaimOutcome>> {
    let exam = exam.first(ITEMS);
    let mut rises: [Vec<Vec<f64>>; 2] = Default::default();
    for &seed in &claims.seeds {
        let (Some(sdt), Some(tet)) = (results.best_sdt(), results.best_tet()) else { return Ok(None) };
        for (arm, rises) in [tet, sdt].into_iter().zip(&mut rises) {
            let Some(found) = results.arm(arm, seed) else { return Ok(None) };
            let before = exam.run(family, &found.paper, &found.weights, arm, bench)?.sdt_loss()?;
            let mut by_sigma = Vec::new();
            for sigma in SIGMAS {
                let mut sum = 0.0;
                for draw in 0..DRAWS {
                    let noisy = with_noise(&found.weights, sigma, draw)?;
                    sum += exam.run(family, &found.paper, &noisy, &format!("{arm}, noise {sigma}"), bench)?.sdt_loss()? - before;
                }
                by_sigma.push(sum / DRAWS as f64);
            }
            rises.push(by_sigma);
        }
    }
    let all = |rises: &[Vec<f64>]| mean(&rises.iter().flatten().copied().collect::<Vec<_>>());
    let measured = all(&rises[0]) - all(&rises[1]);
    let detail = json!({"sigmas": SIGMAS, "draws": DRAWS, "items": exam.len(), "rise_of_loss_by_seed_and_sigma": {"tet": rises[0], "best_sdt": rises[1]}});
    Ok(Some(ClaimOutcome { id: "bar-7".into(), measured, holds: measured <= 0.0, detail }))
}
