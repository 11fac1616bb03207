//! Average and modal controllability of a discrete-time system (Gu et al. 2015, as nctpy defines them).

use crate::energy::square;
use crate::error::{Error, Result};
use faer::{MatRef, Side};

/// Average and modal controllability of each region.
#[derive(Clone, Debug, PartialEq)]
pub struct Controllability {
    /// Trace of the infinite-horizon Gramian with input at the region alone.
    pub average: Vec<f64>,
    /// `sum_j (1 - lambda_j^2) v_ij^2`.
    pub modal: Vec<f64>,
}

/// Controllability under the discrete normalisation `M / (c + lambda_max)` of a symmetric coupling matrix.
///
/// # Errors
/// [`Error::Size`] or [`Error::NoConvergence`].
pub fn controllability(coupling: MatRef<'_, f64>, c: f64) -> Result<Controllability> {
    let n = square("coupling matrix", coupling)?;
    let eigen = coupling.self_adjoint_eigen(Side::Lower).map_err(|_| Error::NoConvergence { what: "eigendecomposition", size: n })?;
    let (vectors, values) = (eigen.U(), eigen.S().column_vector());
    let radius = values.iter().fold(0.0f64, |r, v| r.max(v.abs()));
    let sum = |f: &dyn Fn(f64) -> f64, i: usize| (0..n).map(|j| f(values[j] / (c + radius)) * vectors[(i, j)].powi(2)).sum();
    Ok(Controllability {
        // trace sum_k A^k e_i e_i' A^k = sum_j v_ij^2 / (1 - l_j^2) for a symmetric A.
        average: (0..n).map(|i| sum(&|l| 1.0 / (1.0 - l * l), i)).collect(),
        modal: (0..n).map(|i| sum(&|l| 1.0 - l * l, i)).collect(),
    })
}
