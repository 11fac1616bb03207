//! Errors of the network analysis.

/// Why series or matrices can't be analysed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A series or matrix holds NaN or an infinity.
    #[error("{what}: expected finite numbers, found {found} at row {row}, column {column}; remove or repair that entry")]
    NotFinite {
        /// What was read.
        what: &'static str,
        /// The value.
        found: f64,
        /// Row.
        row: usize,
        /// Column.
        column: usize,
    },
    /// Fewer samples than one window.
    #[error("series: expected at least one window of {window} steps, found {steps} steps; record longer or choose a shorter window")]
    TooShort {
        /// Steps of a window.
        window: usize,
        /// Steps there are.
        steps: usize,
    },
    /// A window that no correlation can be taken over.
    #[error("window: expected at least 3 steps, found {window}")]
    Window {
        /// Steps of a window.
        window: usize,
    },
    /// A matrix that should be symmetric is not.
    #[error("{what}: expected a symmetric matrix, found {a} at ({row}, {column}) and {b} opposite; symmetrise it first")]
    Asymmetric {
        /// What was read.
        what: &'static str,
        /// Row.
        row: usize,
        /// Column.
        column: usize,
        /// The value there.
        a: f64,
        /// The value opposite.
        b: f64,
    },
    /// A matrix or list of the wrong size.
    #[error("{what}: expected {expected} entries, found {found}")]
    Size {
        /// What was read.
        what: &'static str,
        /// Entries expected.
        expected: usize,
        /// Entries found.
        found: usize,
    },
    /// Nothing to divide into communities: no edge in any layer.
    #[error("network: expected at least one edge, found none; modularity of an empty graph is not defined")]
    Empty,
    /// A covariance that has no Cholesky factor even with its ridge.
    #[error("covariance: expected a positive definite matrix after the ridge of {ridge:e}, found one that is not; are all units constant?")]
    Singular {
        /// What was added to the diagonal.
        ridge: f64,
    },
}

impl From<Error> for zoo_core::Error {
    fn from(error: Error) -> Self {
        Self::Argument { what: "network analysis".into(), expected: "series and graphs it can use".into(), found: error.to_string() }
    }
}
