//! What can be wrong with series, matrices and settings.

/// Shorthand for results with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can be wrong with series, matrices and settings.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A sample is NaN or infinite.
    #[error("region {region}, sample {sample}: expected a finite number; repair or drop the sample before the analysis")]
    NotFinite {
        /// Row of the series.
        region: usize,
        /// Column of the series.
        sample: usize,
    },
    /// A region does not change, so its correlations do not exist.
    #[error("region {region} is constant: expected a series that varies; drop the region (config key `drop`)")]
    Constant {
        /// Row of the series.
        region: usize,
    },
    /// There are too few samples.
    #[error("expected at least {need} samples, found {have}; use a shorter window or a longer recording")]
    TooShort {
        /// Samples needed.
        need: usize,
        /// Samples there are.
        have: usize,
    },
    /// A matrix is not square, or not of the size of its partner.
    #[error("{what}: expected {expected}, found {found}")]
    Size {
        /// The matrix.
        what: &'static str,
        /// Expected size.
        expected: String,
        /// Size found.
        found: String,
    },
    /// A matrix is not symmetric where the method needs it.
    #[error("coupling matrix: expected symmetry, found {difference:e} between [{row}, {column}] and its mirror; use the general form")]
    Asymmetric {
        /// Row.
        row: usize,
        /// Column.
        column: usize,
        /// Absolute difference.
        difference: f64,
    },
    /// The Gramian can't be inverted with any trust.
    #[error("Gramian: condition number {condition:e} is over {limit:e}; enlarge the control set, `eps`, or the horizon")]
    Singular {
        /// Its condition number.
        condition: f64,
        /// The greatest accepted one.
        limit: f64,
    },
    /// A decomposition did not converge.
    #[error("{what} did not converge on a matrix of {size} x {size}; look for extreme values in it")]
    NoConvergence {
        /// The decomposition.
        what: &'static str,
        /// Size of the matrix.
        size: usize,
    },
}
