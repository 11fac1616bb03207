//! Why a library is not loaded.

use std::path::PathBuf;

/// Why a library is not loaded as a plugin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The file can't be read.
    #[error("can't be read: {0}")]
    Unreadable(#[source] std::io::Error),
    /// The file is no shared library.
    #[error("not a library: expected a shared library for {expected}, found {found}")]
    NotALibrary {
        /// The format that would load here.
        expected: &'static str,
        /// What the file looks like.
        found: String,
    },
    /// The library is for another processor or system.
    #[error("wrong architecture: expected {expected}, found {found}; build the plugin for this machine")]
    WrongArchitecture {
        /// This machine.
        expected: String,
        /// The library's.
        found: String,
    },
    /// The library exports no plugin table.
    #[error("exports no `{}`: expected a plugin's table; is it a plugin, and is its crate-type cdylib?", zoo_core::abi::SYMBOL)]
    MissingSymbol,
    /// The library exports more than one plugin table.
    #[error("exports several plugin tables ({}): a library holds one plugin", .0.join(", "))]
    SeveralSymbols(Vec<String>),
    /// Nobody pinned the file.
    #[error("not trusted: no [[plugin]] in registry.toml pins SHA-256 {found}; check where it comes from, then run `cargo xtask plugin trust {}`", path.display())]
    Unpinned {
        /// The library.
        path: PathBuf,
        /// Its sum.
        found: String,
    },
    /// The file is not the one that was pinned.
    #[error("changed since it was trusted: registry.toml pins SHA-256 {expected}, found {found}; if the change is wanted, run `cargo xtask plugin trust {}`", path.display())]
    Changed {
        /// The library.
        path: PathBuf,
        /// The pinned sum.
        expected: String,
        /// The file's sum.
        found: String,
    },
    /// The pin is for a plugin of another name.
    #[error("registry.toml pins it as `{expected}`, but it calls itself `{found}`; run `cargo xtask plugin trust` again")]
    OtherName {
        /// Name in the registry.
        expected: String,
        /// Name the plugin gives.
        found: String,
    },
    /// Another plugin already has the name.
    #[error("its name `{name}` is taken by {}; keep one of {} and {}", first, first, path.display())]
    Duplicate {
        /// The name.
        name: String,
        /// Who came first: a path, or the program itself.
        first: String,
        /// This library.
        path: PathBuf,
    },
    /// The system can't load it, for example because a library it needs is missing.
    #[error("can't be loaded: {0}")]
    Unloadable(String),
    /// It broke the rules of the ABI, or failed while it was asked what it offers.
    #[error("{0}")]
    Plugin(#[source] zoo_core::Error),
}

impl Refusal {
    /// This refusal of the library at `path` as the error of the seams.
    pub fn at(self, path: impl Into<PathBuf>) -> zoo_core::Error {
        let path = path.into();
        match self {
            Self::Unreadable(source) => zoo_core::Error::Io { path, source },
            Self::Plugin(error) => error,
            other => zoo_core::Error::Plugin { plugin: path.display().to_string(), message: other.to_string() },
        }
    }
}
