//! Stationary surrogates: multivariate phase randomisation (Prichard and Theiler 1994).
//!
//! One random phase a frequency is added to every region alike, so spectra and all static correlations stay, and only
//! what changes over time is lost.

use faer::{Mat, MatRef};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustfft::FftPlanner;
use rustfft::num_complex::Complex;

/// A surrogate of `series` `[regions, samples]`.
pub fn phase_randomised(series: MatRef<'_, f64>, seed: u64) -> Mat<f64> {
    let (regions, samples) = series.shape();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut phases = vec![0.0; samples];
    // Conjugate symmetry keeps the series real; the mean and the Nyquist frequency keep their phase.
    for k in 1..samples.div_ceil(2) {
        phases[k] = rng.random::<f64>() * std::f64::consts::TAU;
        phases[samples - k] = -phases[k];
    }
    let mut planner = FftPlanner::new();
    let (forward, backward) = (planner.plan_fft_forward(samples), planner.plan_fft_inverse(samples));
    let mut out = Mat::zeros(regions, samples);
    for i in 0..regions {
        let mut spectrum: Vec<_> = (0..samples).map(|t| Complex::new(series[(i, t)], 0.0)).collect();
        forward.process(&mut spectrum);
        for (value, &phase) in spectrum.iter_mut().zip(&phases) {
            *value *= Complex::from_polar(1.0, phase);
        }
        backward.process(&mut spectrum);
        for t in 0..samples {
            out[(i, t)] = spectrum[t].re / samples as f64;
        }
    }
    out
}
