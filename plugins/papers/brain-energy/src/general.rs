//! The general forms: systems that are not symmetric (Van Loan), and optimal control with a path cost (Hamiltonian).

use crate::energy::square;
use crate::error::{Error, Result};
use faer::linalg::solvers::Solve;
use faer::{Col, ColRef, Mat, MatRef};

/// Matrix exponential by scaling and squaring of a Taylor polynomial of degree 18.
///
/// # Errors
/// [`Error::Size`] unless the matrix is square.
pub fn exponential(a: MatRef<'_, f64>) -> Result<Mat<f64>> {
    const DEGREE: u32 = 18;
    let n = square("matrix exponent", a)?;
    let norm = (0..n).map(|j| (0..n).map(|i| a[(i, j)].abs()).sum::<f64>()).fold(0.0, f64::max);
    // The remainder of degree 18 at norm 1/2 is far below double precision.
    let squarings = if norm > 0.5 { (norm / 0.5).log2().ceil() as i32 } else { 0 };
    let scaled = Mat::from_fn(n, n, |i, j| a[(i, j)] / 2f64.powi(squarings));
    let mut sum = Mat::<f64>::identity(n, n);
    for k in (1..=DEGREE).rev() {
        let product = &scaled * &sum;
        sum = Mat::from_fn(n, n, |i, j| product[(i, j)] / f64::from(k) + f64::from(u8::from(i == j)));
    }
    for _ in 0..squarings {
        sum = &sum * &sum;
    }
    Ok(sum)
}

/// Least energy for any `A` (Van Loan 1978): the Gramian is read off the exponential of `[[-A, BB'], [0, A']] T`.
///
/// # Errors
/// [`Error::Size`]; [`Error::Singular`] if the Gramian can't be inverted.
pub fn energy(a: MatRef<'_, f64>, b: &[f64], horizon: f64, x0: ColRef<'_, f64>, xf: ColRef<'_, f64>) -> Result<f64> {
    let n = square("system matrix", a)?;
    let block = Mat::from_fn(2 * n, 2 * n, |i, j| {
        horizon
            * match (i < n, j < n) {
                (true, true) => -a[(i, j)],
                (true, false) => {
                    if i == j - n {
                        b[i] * b[i]
                    } else {
                        0.0
                    }
                }
                (false, true) => 0.0,
                (false, false) => a[(j - n, i - n)],
            }
    });
    let big = exponential(block.as_ref())?;
    let decay = big.submatrix(n, n, n, n).transpose().to_owned();
    let gramian = &decay * big.submatrix(0, n, n, n);
    let d = xf.to_owned() - &decay * x0;
    let solved = gramian.partial_piv_lu().solve(&d);
    let energy: f64 = d.iter().zip(solved.iter()).map(|(p, q)| p * q).sum();
    if energy.is_finite() { Ok(energy) } else { Err(Error::Singular { condition: f64::INFINITY, limit: crate::energy::WORST_CONDITION }) }
}

/// A path that minimises `int (x - xr)' S (x - xr) + rho u'u dt`.
#[derive(Clone, Debug)]
pub struct Path {
    /// States at the sampled times, `[regions, samples]`.
    pub states: Mat<f64>,
    /// Inputs at the sampled times, `[regions, samples]`.
    pub inputs: Mat<f64>,
}

/// What an optimal path weighs.
#[derive(Clone, Copy, Debug)]
pub struct PathCost<'a> {
    /// Diagonal of `S`.
    pub state: &'a [f64],
    /// Weight of the input.
    pub rho: f64,
    /// Reference state `xr`.
    pub reference: ColRef<'a, f64>,
}

/// The optimal path from `x0` to `xf`, sampled at `samples` evenly spaced times including both ends.
///
/// With the costate `p` of Pontryagin's principle, `u = -B'p / (2 rho)` and
/// `d/dt [x; p] = [[A, -BB'/(2 rho)], [-2S, -A']] [x; p] + [0; 2S xr]`.
///
/// # Errors
/// [`Error::Size`]; [`Error::Singular`] if no costate takes the state to `xf`.
pub fn optimal_path(
    a: MatRef<'_, f64>,
    b: &[f64],
    horizon: f64,
    x0: ColRef<'_, f64>,
    xf: ColRef<'_, f64>,
    cost: &PathCost<'_>,
    samples: usize,
) -> Result<Path> {
    let n = square("system matrix", a)?;
    if samples < 2 {
        return Err(Error::TooShort { need: 2, have: samples });
    }
    // One more state, constantly one, carries the reference.
    let size = 2 * n + 1;
    let block = |value: f64, on_diagonal: bool| if on_diagonal { value } else { 0.0 };
    let hamiltonian = Mat::from_fn(size, size, |i, j| match (i / n, j / n) {
        (0, 0) => a[(i, j)],
        (0, 1) => block(-b[i] * b[i] / (2.0 * cost.rho), i + n == j),
        (1, 0) => block(-2.0 * cost.state[j], i == j + n),
        (1, 1) => -a[(j - n, i - n)],
        (1, 2) => 2.0 * cost.state[i - n] * cost.reference[i - n],
        _ => 0.0,
    });
    let whole = exponential((&hamiltonian * faer::Scale(horizon)).as_ref())?;
    let right = Col::from_fn(n, |i| xf[i] - whole[(i, 2 * n)] - (0..n).map(|j| whole[(i, j)] * x0[j]).sum::<f64>());
    let costate = whole.submatrix(0, n, n, n).to_owned().partial_piv_lu().solve(&right);
    if costate.iter().any(|v| !v.is_finite()) {
        return Err(Error::Singular { condition: f64::INFINITY, limit: crate::energy::WORST_CONDITION });
    }
    let step = exponential((&hamiltonian * faer::Scale(horizon / (samples - 1) as f64)).as_ref())?;
    let mut joint = Col::from_fn(size, |i| {
        if i < n {
            x0[i]
        } else if i < 2 * n {
            costate[i - n]
        } else {
            1.0
        }
    });
    let (mut states, mut inputs) = (Mat::zeros(n, samples), Mat::zeros(n, samples));
    for k in 0..samples {
        for i in 0..n {
            states[(i, k)] = joint[i];
            inputs[(i, k)] = -b[i] * joint[n + i] / (2.0 * cost.rho);
        }
        joint = &step * &joint;
    }
    Ok(Path { states, inputs })
}
