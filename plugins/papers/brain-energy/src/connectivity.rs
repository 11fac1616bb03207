//! Functional connectivity: correlations of regional series, whole and in windows.

use crate::error::{Error, Result};
use faer::{Mat, MatRef};
use serde::{Deserialize, Serialize};

/// Which matrix of a window becomes the system's coupling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Coupling {
    /// Pearson correlation.
    #[default]
    Correlation,
    /// Covariance of the z-scored series.
    Covariance,
    /// Fisher's z of the correlation.
    FisherZ,
}

/// Fewest samples a window must hold for a correlation to mean anything.
pub const SHORTEST_WINDOW: usize = 4;

/// Z-scores each row of `series` `[regions, samples]` over all samples (population standard deviation).
///
/// # Errors
/// [`Error::NotFinite`] for a NaN or infinite sample, [`Error::Constant`] for a region that never changes, each naming
/// the region.
pub fn zscore(series: MatRef<'_, f64>) -> Result<Mat<f64>> {
    let (regions, samples) = series.shape();
    let mut out = Mat::zeros(regions, samples);
    for region in 0..regions {
        let row = series.row(region);
        if let Some(sample) = (0..samples).find(|&t| !row[t].is_finite()) {
            return Err(Error::NotFinite { region, sample });
        }
        let mean = row.iter().sum::<f64>() / samples as f64;
        let variance = row.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / samples as f64;
        let deviation = variance.sqrt();
        if deviation <= f64::EPSILON * mean.abs().max(1.0) {
            return Err(Error::Constant { region });
        }
        for t in 0..samples {
            out[(region, t)] = (row[t] - mean) / deviation;
        }
    }
    Ok(out)
}

/// Coupling matrix `[regions, regions]` of samples `range` of z-scored `series`, with a zero diagonal; negative entries
/// are kept unless `drop_negative`.
///
/// # Errors
/// [`Error::TooShort`] for fewer than [`SHORTEST_WINDOW`] samples, [`Error::Constant`] for a region that does not change
/// inside the window.
pub fn coupling(series: MatRef<'_, f64>, range: std::ops::Range<usize>, kind: Coupling, drop_negative: bool) -> Result<Mat<f64>> {
    let (regions, samples) = series.shape();
    if range.end > samples || range.len() < SHORTEST_WINDOW {
        return Err(Error::TooShort { need: range.len().max(SHORTEST_WINDOW), have: samples.saturating_sub(range.start).min(range.len()) });
    }
    let mut part = series.subcols(range.start, range.len()).to_owned();
    for region in 0..regions {
        let mean = part.row(region).iter().sum::<f64>() / range.len() as f64;
        let norm = part.row(region).iter().map(|v| (v - mean).powi(2)).sum::<f64>().sqrt();
        // The series is z-scored, so anything this small is rounding.
        if norm <= 1e-12 * (range.len() as f64).sqrt() {
            return Err(Error::Constant { region });
        }
        let scale = if kind == Coupling::Covariance { ((range.len() - 1) as f64).sqrt() } else { norm };
        for t in 0..range.len() {
            part[(region, t)] = (part[(region, t)] - mean) / scale;
        }
    }
    let mut matrix = &part * part.transpose();
    for i in 0..regions {
        for j in 0..regions {
            let value = match kind {
                // Rounding can lift a correlation over one, where Fisher's z has no value.
                Coupling::FisherZ => matrix[(i, j)].clamp(-1.0 + 1e-12, 1.0 - 1e-12).atanh(),
                _ => matrix[(i, j)],
            };
            matrix[(i, j)] = if i == j || (drop_negative && value < 0.0) { 0.0 } else { value };
        }
    }
    // The product is symmetric up to rounding; the eigen form needs it exactly.
    for i in 0..regions {
        for j in 0..i {
            let mean = 0.5 * (matrix[(i, j)] + matrix[(j, i)]);
            matrix[(i, j)] = mean;
            matrix[(j, i)] = mean;
        }
    }
    Ok(matrix)
}

/// Starts of windows of `length` samples, `step` apart.
///
/// # Errors
/// [`Error::TooShort`] if not even one window fits.
pub fn windows(samples: usize, length: usize, step: usize) -> Result<Vec<std::ops::Range<usize>>> {
    if samples < length || length < SHORTEST_WINDOW {
        return Err(Error::TooShort { need: length.max(SHORTEST_WINDOW), have: samples });
    }
    Ok((0..=samples - length).step_by(step.max(1)).map(|start| start..start + length).collect())
}
