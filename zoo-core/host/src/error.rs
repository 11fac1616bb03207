//! What can go wrong in the host.

use crate::registry::RegistryError;
use std::path::PathBuf;

/// Shorthand for results with the host's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in the host. Each variant says what was expected, what was found, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `registry.toml`, or a configuration it names, has mistakes in it.
    #[error("{0}")]
    Registry(#[from] RegistryError),
    /// Reading or writing failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// An error of the core.
    #[error("{0}")]
    Core(#[from] zoo_core::Error),
}

impl Error {
    /// An [`Error::Io`] for `path`, for use with `map_err`.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

impl From<Error> for zoo_core::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Core(core) => core,
            Error::Io { path, source } => Self::Io { path, source },
            other => Self::Unavailable { what: "the registry".into(), why: other.to_string(), mend: "mend the file".into() },
        }
    }
}
