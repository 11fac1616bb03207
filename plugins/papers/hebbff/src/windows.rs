//! Windowed correlation of a recording, and the entropy of a Gaussian fitted to it (specification section 4, items 1 and 5).

use crate::error::Error;
use faer::{Mat, Side};

/// A recording: `units` series of `steps` samples, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Number of units.
    pub units: usize,
    /// Samples, a unit after another.
    pub values: Vec<f64>,
}

/// A correlation matrix a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Layers {
    /// Number of units.
    pub units: usize,
    /// Row-major symmetric matrices `units x units`.
    pub matrices: Vec<Vec<f64>>,
    /// Units that were constant in a window, over all windows; their rows and columns are 0.
    pub constant: usize,
}

impl Series {
    /// A series from values, a unit after another.
    ///
    /// # Errors
    /// [`Error::Size`] if the values do not divide among the units, [`Error::NotFinite`].
    pub fn new(units: usize, values: Vec<f64>) -> Result<Self, Error> {
        if units == 0 || !values.len().is_multiple_of(units) {
            return Err(Error::Size { what: "series", expected: units * (values.len() / units.max(1)), found: values.len() });
        }
        let steps = (values.len() / units).max(1);
        match values.iter().position(|v| !v.is_finite()) {
            Some(at) => Err(Error::NotFinite { what: "series", found: values[at], row: at / steps, column: at % steps }),
            None => Ok(Self { units, values }),
        }
    }

    /// Samples of a unit.
    pub fn steps(&self) -> usize {
        self.values.len() / self.units
    }

    /// Pearson correlation of the units in windows that do not overlap; a rest shorter than a window is dropped.
    ///
    /// `zero_diagonal` removes the self-correlations, which the authors' code keeps.
    ///
    /// # Errors
    /// [`Error::Window`], [`Error::TooShort`].
    pub fn correlations(&self, window: usize, zero_diagonal: bool) -> Result<Layers, Error> {
        if window < 3 {
            return Err(Error::Window { window });
        }
        let (units, steps) = (self.units, self.steps());
        if steps < window {
            return Err(Error::TooShort { window, steps });
        }
        let mut layers = Layers { units, matrices: Vec::new(), constant: 0 };
        for start in (0..=steps - window).step_by(window) {
            let mut centred = vec![0.0; units * window];
            for (unit, row) in centred.chunks_exact_mut(window).enumerate() {
                let samples = &self.values[unit * steps + start..][..window];
                let mean = samples.iter().sum::<f64>() / window as f64;
                row.iter_mut().zip(samples).for_each(|(r, s)| *r = s - mean);
                let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
                // What is left of a constant by rounding of its mean is no variation.
                if norm <= 1e-12 * (window as f64).sqrt() * mean.abs() || norm == 0.0 {
                    layers.constant += 1;
                    row.fill(0.0);
                } else {
                    row.iter_mut().for_each(|v| *v /= norm);
                }
            }
            let mut matrix = vec![0.0; units * units];
            for i in 0..units {
                for j in 0..=i {
                    let (a, b) = (&centred[i * window..][..window], &centred[j * window..][..window]);
                    let r = a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>().clamp(-1.0, 1.0);
                    let r = if i == j && zero_diagonal { 0.0 } else { r };
                    matrix[i * units + j] = r;
                    matrix[j * units + i] = r;
                }
            }
            layers.matrices.push(matrix);
        }
        Ok(layers)
    }

    /// Differential entropy in nats of a Gaussian with the units' covariance over all steps, and the ridge that was added to
    /// its diagonal (1e-6 of the mean variance).
    ///
    /// # Errors
    /// [`Error::TooShort`] for fewer than two steps, [`Error::Singular`] if nothing varies.
    pub fn gaussian_entropy(&self) -> Result<(f64, f64), Error> {
        let (n, steps) = (self.units, self.steps());
        if steps < 2 {
            return Err(Error::TooShort { window: 2, steps });
        }
        let means: Vec<f64> = self.values.chunks_exact(steps).map(|row| row.iter().sum::<f64>() / steps as f64).collect();
        let centred = Mat::from_fn(n, steps, |i, t| self.values[i * steps + t] - means[i]);
        let mut covariance = &centred * centred.transpose();
        let scale = 1.0 / (steps as f64 - 1.0);
        let trace: f64 = (0..n).map(|i| covariance[(i, i)] * scale).sum();
        let ridge = 1e-6 * trace / n as f64;
        // What is left of constants by rounding of their means is no variation.
        if trace <= 1e-24 * means.iter().map(|m| m * m).sum::<f64>() {
            return Err(Error::Singular { ridge });
        }
        for i in 0..n {
            for j in 0..n {
                covariance[(i, j)] = covariance[(i, j)] * scale + if i == j { ridge } else { 0.0 };
            }
        }
        let factor = covariance.llt(Side::Lower).map_err(|_| Error::Singular { ridge })?;
        let log_det: f64 = (0..n).map(|i| factor.L()[(i, i)].ln()).sum::<f64>() * 2.0;
        Ok((0.5 * log_det + 0.5 * n as f64 * (1.0 + std::f64::consts::TAU.ln()), ridge))
    }
}
