//! The few statistics the study reports.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// Mean, t value and two-sided p of values against zero (one-sample t test; paired when the values are differences).
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct TTest {
    /// Mean of the values.
    pub mean: f64,
    /// Student's t.
    pub t: f64,
    /// Two-sided p.
    pub p: f64,
}

/// Tests `values` against zero; `None` for fewer than two values or values that do not vary.
pub fn t_test(values: &[f64]) -> Option<TTest> {
    let n = values.len() as f64;
    if values.len() < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    if !(variance > 0.0) {
        return None;
    }
    let t = mean / (variance / n).sqrt();
    let distribution = StudentsT::new(0.0, 1.0, n - 1.0).ok()?;
    Some(TTest { mean, t, p: 2.0 * distribution.cdf(-t.abs()) })
}

/// Mean of values; NaN for none.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
