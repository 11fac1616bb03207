//! Minimum control energy by the eigen form.
//!
//! For `dx/dt = A x + B u` with symmetric `A = V diag(l) V'` and diagonal `B`, the controllability Gramian over `[0, T]`
//! in the eigenbasis is `W_ij = (V' B B' V)_ij (exp((l_i + l_j) T) - 1) / (l_i + l_j)`, and the least energy
//! `int u'u dt` that takes `x0` to `xf` is `d' W^-1 d` with `d = xf - exp(A T) x0`. No matrix exponential and no Lyapunov
//! solver is needed.

use crate::error::{Error, Result};
use faer::linalg::solvers::{Llt, Solve};
use faer::{Col, ColRef, Mat, MatRef, Side};

/// Condition numbers of the Gramian beyond this are refused in double precision.
pub const WORST_CONDITION: f64 = 1e12;

/// Continuous-time normalisation of a coupling matrix: `M / (c + lambda_max) - I` (spectral radius as `lambda_max`).
///
/// # Errors
/// [`Error::Size`], [`Error::Asymmetric`] or [`Error::NoConvergence`].
pub fn normalise(coupling: MatRef<'_, f64>, c: f64) -> Result<Mat<f64>> {
    let n = square("coupling matrix", coupling)?;
    symmetric(coupling)?;
    let values =
        coupling.self_adjoint_eigenvalues(Side::Lower).map_err(|_| Error::NoConvergence { what: "eigendecomposition", size: n })?;
    let radius = values.iter().fold(0.0f64, |r, v| r.max(v.abs()));
    Ok(Mat::from_fn(n, n, |i, j| coupling[(i, j)] / (c + radius) - f64::from(u8::from(i == j))))
}

/// Eigenvectors and eigenvalues of a symmetric system matrix: all that does not depend on the control set.
#[derive(Clone, Debug)]
pub struct Modes {
    vectors: Mat<f64>,
    values: Vec<f64>,
}

impl Modes {
    /// Decomposes `A` (symmetric, `[n, n]`).
    ///
    /// # Errors
    /// [`Error::Size`], [`Error::Asymmetric`] or [`Error::NoConvergence`].
    pub fn new(a: MatRef<'_, f64>) -> Result<Self> {
        let n = square("system matrix", a)?;
        symmetric(a)?;
        let eigen = a.self_adjoint_eigen(Side::Lower).map_err(|_| Error::NoConvergence { what: "eigendecomposition", size: n })?;
        Ok(Self { vectors: eigen.U().to_owned(), values: eigen.S().column_vector().iter().copied().collect() })
    }

    /// The modes of a coupling matrix under [`normalise`], without building the normalised matrix.
    ///
    /// # Errors
    /// As [`Modes::new`].
    pub fn normalised(coupling: MatRef<'_, f64>, c: f64) -> Result<Self> {
        let mut modes = Self::new(coupling)?;
        let radius = modes.values.iter().fold(0.0f64, |r, v| r.max(v.abs()));
        modes.values.iter_mut().for_each(|v| *v = *v / (c + radius) - 1.0);
        Ok(modes)
    }
}

/// A controlled linear system with everything that depends on the system alone worked out.
pub struct System {
    vectors: Mat<f64>,
    values: Vec<f64>,
    horizon: f64,
    input: Vec<f64>,
    gramian: Llt<f64>,
    condition: f64,
}

impl System {
    /// Works out the system `A` (symmetric, `[n, n]`), input weights `b` (diagonal of `B`) and horizon `T` in the time
    /// unit of `A`.
    ///
    /// # Errors
    /// [`Error::Size`], [`Error::Asymmetric`], [`Error::NoConvergence`], or [`Error::Singular`] if the Gramian's
    /// condition number is over [`WORST_CONDITION`].
    pub fn new(a: MatRef<'_, f64>, b: &[f64], horizon: f64) -> Result<Self> {
        Self::of_modes(&Modes::new(a)?, b, horizon)
    }

    /// The same from modes worked out before.
    ///
    /// # Errors
    /// [`Error::Size`] or [`Error::Singular`].
    pub fn of_modes(modes: &Modes, b: &[f64], horizon: f64) -> Result<Self> {
        let Modes { vectors, values } = modes.clone();
        let n = values.len();
        if b.len() != n {
            return Err(Error::Size { what: "input weights", expected: n.to_string(), found: b.len().to_string() });
        }
        let weighted = Mat::from_fn(n, n, |i, j| b[i] * vectors[(i, j)]);
        let spread = weighted.transpose() * &weighted;
        let gramian = Mat::from_fn(n, n, |i, j| spread[(i, j)] * integral(values[i] + values[j], horizon));
        let singular = |condition| Error::Singular { condition, limit: WORST_CONDITION };
        let factor = gramian.llt(Side::Lower).map_err(|_| singular(f64::INFINITY))?;
        let condition = condition(&gramian, &factor);
        if !(condition <= WORST_CONDITION) {
            return Err(singular(condition));
        }
        Ok(Self { vectors, values, horizon, input: b.to_vec(), gramian: factor, condition })
    }

    /// Number of regions.
    pub fn size(&self) -> usize {
        self.values.len()
    }

    /// Condition number of the Gramian.
    pub fn condition(&self) -> f64 {
        self.condition
    }

    /// Residual `d = xf - exp(A T) x0` in the eigenbasis.
    fn residual(&self, x0: ColRef<'_, f64>, xf: ColRef<'_, f64>) -> Col<f64> {
        let (mut from, to) = (self.vectors.transpose() * x0, self.vectors.transpose() * xf);
        for (value, l) in from.iter_mut().zip(&self.values) {
            *value *= (l * self.horizon).exp();
        }
        to - from
    }

    /// Least energy from `x0` to `xf`.
    pub fn energy(&self, x0: ColRef<'_, f64>, xf: ColRef<'_, f64>) -> f64 {
        let d = self.residual(x0, xf);
        let solved = self.gramian.solve(&d);
        d.iter().zip(solved.iter()).map(|(a, b)| a * b).sum()
    }

    /// Least energies of transitions `x0[:, k] -> xf[:, k]`.
    pub fn energies(&self, x0: MatRef<'_, f64>, xf: MatRef<'_, f64>) -> Vec<f64> {
        let mut from = self.vectors.transpose() * x0;
        let to = self.vectors.transpose() * xf;
        for j in 0..from.ncols() {
            for i in 0..from.nrows() {
                from[(i, j)] = to[(i, j)] - from[(i, j)] * (self.values[i] * self.horizon).exp();
            }
        }
        let solved = self.gramian.solve(&from);
        (0..from.ncols()).map(|j| (0..from.nrows()).map(|i| from[(i, j)] * solved[(i, j)]).sum()).collect()
    }

    /// Energy of each region's input, `int u_i^2 dt`, on the least-energy path; sums to [`System::energy`].
    ///
    /// With `g = W^-1 d` the input is `u(t) = B' exp(A'(T - t)) g`, so region `i` spends
    /// `b_i^2 sum_jk V_ij V_ik g_j g_k (exp((l_j + l_k) T) - 1) / (l_j + l_k)`.
    pub fn regional(&self, x0: ColRef<'_, f64>, xf: ColRef<'_, f64>) -> Vec<f64> {
        let n = self.size();
        let g = self.gramian.solve(&self.residual(x0, xf));
        let kernel = Mat::from_fn(n, n, |j, k| g[j] * g[k] * integral(self.values[j] + self.values[k], self.horizon));
        let spread = &self.vectors * &kernel;
        (0..n).map(|i| self.input[i].powi(2) * (0..n).map(|k| spread[(i, k)] * self.vectors[(i, k)]).sum::<f64>()).collect()
    }

    /// State at time `t` on the least-energy path.
    pub fn state(&self, x0: ColRef<'_, f64>, xf: ColRef<'_, f64>, t: f64) -> Col<f64> {
        let n = self.size();
        let g = self.gramian.solve(&self.residual(x0, xf));
        let start = self.vectors.transpose() * x0;
        let weighted = Mat::from_fn(n, n, |i, j| self.input[i] * self.vectors[(i, j)]);
        let spread = weighted.transpose() * &weighted;
        // x(t) = exp(At) x0 + int_0^t exp(A(t-s)) BB' exp(A'(T-s)) ds g
        let path = |i: usize| {
            let forced: f64 = (0..n)
                .map(|j| {
                    let (li, lj) = (self.values[i], self.values[j]);
                    spread[(i, j)] * (lj * (self.horizon - t)).exp() * integral(li + lj, t) * g[j]
                })
                .sum();
            (self.values[i] * t).exp() * start[i] + forced
        };
        &self.vectors * Col::from_fn(n, path)
    }

    /// `exp(A T)` and the inverse Cholesky factor `R` of the Gramian in the region basis, so that the energy is
    /// `|R (xf - Phi x0)|^2`: what the ONNX graph carries.
    pub fn factors(&self) -> (Mat<f64>, Mat<f64>) {
        let n = self.size();
        let decayed = Mat::from_fn(n, n, |i, j| self.vectors[(i, j)] * (self.values[j] * self.horizon).exp());
        let phi = &decayed * self.vectors.transpose();
        let mut inverse = self.vectors.transpose().to_owned();
        let lower = self.gramian.L();
        // Forward substitution: L R = V'.
        for column in 0..n {
            for i in 0..n {
                let sum: f64 = (0..i).map(|k| lower[(i, k)] * inverse[(k, column)]).sum();
                inverse[(i, column)] = (inverse[(i, column)] - sum) / lower[(i, i)];
            }
        }
        (phi, inverse)
    }
}

/// `int_0^T exp(s t) dt`, also where `s` is close to zero.
pub(crate) fn integral(s: f64, horizon: f64) -> f64 {
    let x = s * horizon;
    if x.abs() < 1e-300 { horizon } else { horizon * x.exp_m1() / x }
}

/// Ratio of the extreme eigenvalues of a symmetric positive definite matrix, by power iteration on it and its inverse.
fn condition(gramian: &Mat<f64>, factor: &Llt<f64>) -> f64 {
    const ITERATIONS: usize = 60;
    let n = gramian.nrows();
    let start = || Col::from_fn(n, |i| 1.0 + (i % 7) as f64 / 7.0);
    let grow = |apply: &dyn Fn(&Col<f64>) -> Col<f64>| {
        let (mut vector, mut size) = (start(), 0.0);
        for _ in 0..ITERATIONS {
            let next = apply(&vector);
            size = next.norm_l2();
            vector = &next * faer::Scale(1.0 / size);
        }
        size
    };
    grow(&|v| gramian * v) * grow(&|v| factor.solve(v))
}

pub(crate) fn square(what: &'static str, matrix: MatRef<'_, f64>) -> Result<usize> {
    let (rows, columns) = matrix.shape();
    if rows == columns && rows > 0 {
        return Ok(rows);
    }
    Err(Error::Size { what, expected: "a square matrix".into(), found: format!("{rows} x {columns}") })
}

fn symmetric(matrix: MatRef<'_, f64>) -> Result<()> {
    let n = matrix.nrows();
    let scale = (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).fold(0.0f64, |m, at| m.max(matrix[at].abs()));
    for row in 0..n {
        for column in 0..row {
            let difference = (matrix[(row, column)] - matrix[(column, row)]).abs();
            // Written so that NaN is caught as well.
            if !(difference <= 1e-10 * scale) {
                return Err(Error::Asymmetric { row, column, difference });
            }
        }
    }
    Ok(())
}
