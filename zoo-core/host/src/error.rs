//! What can go wrong in the host.

use crate::registry::{RegistryError, Sha256};
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
    /// Content of the right size with another sum.
    #[error(
        "{what}: expected SHA-256 {expected}, found {found}; it was not put into the cache. The source has changed or is damaged: \
             fetch it again, or mend its sum in registry.toml if the change is known to be good"
    )]
    WrongHash {
        /// The file and where it came from.
        what: String,
        /// Sum in the registry.
        expected: Sha256,
        /// Sum of what came.
        found: Sha256,
    },
    /// Fewer bytes than declared.
    #[error("{what}: truncated: expected {expected} bytes, found {found}; it was not put into the cache. Fetch it again")]
    Truncated {
        /// The file and where it came from.
        what: String,
        /// Declared size.
        expected: u64,
        /// Size of what came.
        found: u64,
    },
    /// More bytes than declared; reading stopped there.
    #[error(
        "{what}: expected {expected} bytes, found more, and stopped reading; it was not put into the cache. If the source is \
             trusted, mend `bytes` in registry.toml"
    )]
    TooLong {
        /// The file and where it came from.
        what: String,
        /// Declared size.
        expected: u64,
    },
    /// A server states another size than the registry.
    #[error(
        "{what}: expected {expected} bytes, but the server offers {found}; nothing was downloaded. The file has changed, or \
             `bytes` in registry.toml is wrong"
    )]
    OfferedSize {
        /// The file and where it is.
        what: String,
        /// Size in the registry.
        expected: u64,
        /// Size the server states.
        found: u64,
    },
    /// A Git LFS pointer where data should be.
    #[error(
        "{what}: expected data, found a Git LFS pointer file; it was not put into the cache. The copy was made without LFS: run \
             `git lfs pull` there, or use a source that serves the data themselves"
    )]
    LfsPointer {
        /// The file and where it came from.
        what: String,
    },
    /// A web page where data should be.
    #[error(
        "{what}: expected data, found an HTML page; it was not put into the cache. A proxy, a login page or an error page answered: \
             open the source in a browser to see what it says"
    )]
    HtmlPage {
        /// The file and where it came from.
        what: String,
    },
    /// No room.
    #[error("{}: no space left on the disk; free some, or set {variable} to a folder on another disk", path.display())]
    DiskFull {
        /// File that was being written.
        path: PathBuf,
        /// Variable that moves the cache.
        variable: &'static str,
    },
    /// The cache can't be written.
    #[error("{}: the cache can't be written ({source}); make it writable, or set {variable} to a folder that is", path.display())]
    ReadOnlyCache {
        /// File or folder that was to be written.
        path: PathBuf,
        /// Variable that moves the cache.
        variable: &'static str,
        /// The cause.
        source: std::io::Error,
    },
    /// There is no home folder to keep a cache in.
    #[error("no home folder: HOME is not set, so {what} has no default place; set {variable} to a folder")]
    NoHome {
        /// What was to be kept there.
        what: &'static str,
        /// Variable that names the place.
        variable: &'static str,
    },
    /// Something is not in the cache and the network may not be used; exit status 3.
    #[error("{what}: not in the cache, and offline mode is on: missing {}; run `{command}` with the network on (ZOO_OFFLINE and \
             HF_HUB_OFFLINE unset){}", missing.join(", "), listed(failures))]
    Offline {
        /// The data set or weights.
        what: String,
        /// Files that are missing.
        missing: Vec<String>,
        /// Command that fetches them.
        command: String,
        /// What the local sources said.
        failures: Vec<(String, Error)>,
    },
    /// No source had it; exit status 3.
    #[error("{what}: no source could provide {}{}{obtain}", missing.join(", "), listed(failures))]
    AllSourcesFailed {
        /// The data set or weights.
        what: String,
        /// Files that are missing.
        missing: Vec<String>,
        /// Each source tried, with its error.
        failures: Vec<(String, Error)>,
        /// How to get the data by hand; starts with a line break.
        obtain: String,
    },
    /// A source would need the network.
    #[error("{what} needs the network, and offline mode is on")]
    NeedsNetwork {
        /// The source.
        what: String,
    },
    /// Something is to be written to a hub, and there is no token.
    #[error("no token for the hub: set HF_TOKEN to one that may write (log in with `hf auth login` to keep one)")]
    NoToken,
    /// A local folder lacks a file.
    #[error("expected a file at {}, found none", path.display())]
    NoSuchFile {
        /// Where it should be.
        path: PathBuf,
    },
    /// The network or a server failed.
    #[error("{what}: {message}; check the network{}", if what.contains("hub") { " (HF_ENDPOINT names a mirror)" } else { "" })]
    Network {
        /// What was asked for.
        what: String,
        /// The client's account.
        message: String,
    },
    /// A server stopped sending.
    #[error(
        "{what}: the server sent nothing for {seconds} s; run the command again to go on from there, or raise HF_HUB_DOWNLOAD_TIMEOUT \
             (seconds)"
    )]
    Stalled {
        /// What was asked for.
        what: String,
        /// How long was waited.
        seconds: u64,
    },
    /// A server refused.
    #[error("{what}: the server answered {status}; {mend}")]
    Refused {
        /// What was asked for.
        what: String,
        /// HTTP status.
        status: u16,
        /// What the user can do.
        mend: &'static str,
    },
    /// A server asks to slow down.
    #[error("{what}: the server answered {status} and asks to wait {}; try again then", seconds.map_or("a while".into(), |s| format!("{s} s")))]
    Busy {
        /// What was asked for.
        what: String,
        /// 429 or 503.
        status: u16,
        /// Its `Retry-After`, in seconds.
        seconds: Option<u64>,
    },
    /// A server does not speak as the hub does.
    #[error("{what}: not an answer of a hub: expected {expected}, found {found}; check HF_ENDPOINT")]
    NotAHub {
        /// What was asked for.
        what: String,
        /// Header or value that was expected.
        expected: String,
        /// What came.
        found: String,
    },
    /// A package client is not installed.
    #[error("`{program}` is not installed; {install}")]
    ClientMissing {
        /// The program.
        program: &'static str,
        /// How to get it.
        install: &'static str,
    },
    /// A package client failed.
    #[error("`{command}` failed ({status}): {said}")]
    ClientFailed {
        /// Command line.
        command: String,
        /// Exit status.
        status: String,
        /// The end of what it wrote.
        said: String,
    },
    /// A package or packed file is damaged, or lacks a file.
    #[error("{what}: {why}")]
    Archive {
        /// The package or packed file.
        what: String,
        /// Expectation and finding.
        why: String,
    },
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

    /// Whether no other source can mend it: the user stopped, or the cache itself is at fault.
    pub(crate) fn is_final(&self) -> bool {
        use zoo_core::Error as Core;
        matches!(self, Self::Core(Core::Cancelled) | Self::DiskFull { .. } | Self::ReadOnlyCache { .. } | Self::NoHome { .. })
    }
}

fn listed(failures: &[(String, Error)]) -> String {
    failures.iter().map(|(source, error)| format!("\n  {source}: {error}")).collect()
}

impl From<Error> for zoo_core::Error {
    /// Keeps I/O errors and errors of the core; whatever else is wrong makes something unavailable.
    fn from(error: Error) -> Self {
        match error {
            Error::Core(core) => core,
            Error::Io { path, source } => Self::Io { path, source },
            Error::Registry(_) => {
                Self::Unavailable { what: "the configuration".into(), why: error.to_string(), mend: "mend the file".into() }
            }
            other => {
                Self::Unavailable { what: "the file".into(), why: other.to_string(), mend: "mend that and run the command again".into() }
            }
        }
    }
}
