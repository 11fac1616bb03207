//! What a check can find.

/// A broken rule.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The backend failed where it had to succeed.
    #[error("{what}: the backend failed: {source}")]
    Backend {
        /// Fixture and step.
        what: String,
        /// Its error.
        source: zoo_core::Error,
    },
    /// A result differs from what was expected.
    #[error("{what}: {difference}")]
    Differs {
        /// Fixture, case and tensor.
        what: String,
        /// Expectation and finding.
        difference: String,
    },
    /// The backend accepted what it had to refuse, or refused it with another error than the contract names.
    #[error("{what}: expected {expected}, found {found}")]
    Refusal {
        /// Fixture and step.
        what: String,
        /// The error that the contract names.
        expected: &'static str,
        /// What came instead.
        found: String,
    },
    /// The backend panicked.
    #[error("{what}: the backend panicked")]
    Panicked {
        /// Fixture and step.
        what: String,
    },
    /// No fixture fits; the check says nothing.
    #[error("no fixture fits")]
    NoFixture,
}

impl Failure {
    pub(crate) fn backend(what: impl Into<String>) -> impl FnOnce(zoo_core::Error) -> Self {
        let what = what.into();
        move |source| Self::Backend { what, source }
    }
}
