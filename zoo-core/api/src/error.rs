//! The error type that crosses every seam of the zoo.
//!
//! Each variant says what was expected, what was found, where, and, where there is something to do, what to do.

use std::path::PathBuf;

/// Shorthand for results with the core's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong at the seams between host, plugins and backends.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor has another shape than its consumer needs.
    #[error("{what}: expected shape {expected}, found {found}")]
    Shape {
        /// The tensor and where it was met.
        what: String,
        /// The shape that was expected, as text, since some dimensions may be free.
        expected: String,
        /// The shape that was found.
        found: String,
    },
    /// A tensor has another element type than its consumer needs.
    #[error("{what}: expected dtype {expected}, found {found}")]
    DType {
        /// The tensor and where it was met.
        what: String,
        /// The expected element type.
        expected: String,
        /// The element type found.
        found: String,
    },
    /// A name is not known.
    #[error("{kind} `{name}` is not known; {hint}")]
    Unknown {
        /// The kind of thing looked for: model, dataset, backend, split, output ...
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// What there is instead, or the nearest name.
        hint: String,
    },
    /// A set of named tensors does not fit what the model needs.
    #[error("{what}: {} missing{}, {} unexpected{}", missing.len(), list(missing), unexpected.len(), list(unexpected))]
    Keys {
        /// The file or weight set.
        what: String,
        /// Names that were needed and not there.
        missing: Vec<String>,
        /// Names that were there and not needed.
        unexpected: Vec<String>,
    },
    /// A configuration value is absent or of the wrong kind.
    #[error("config key `{key}`: expected {expected}, found {found}")]
    Config {
        /// Dotted path of the key.
        key: String,
        /// What a valid value looks like.
        expected: String,
        /// What stood there.
        found: String,
    },
    /// A data file is not what its name says.
    #[error("{}: at {at}: expected {expected}, found {found}; {mend}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// Where in it: a byte offset, a record or a field.
        at: String,
        /// What should have stood there.
        expected: String,
        /// What stood there.
        found: String,
        /// What the user can do.
        mend: String,
    },
    /// Something that is needed is not there; exit status 3.
    #[error("{what} is unavailable: {why}; {mend}")]
    Unavailable {
        /// The backend, device, file or package.
        what: String,
        /// Why it can't be used.
        why: String,
        /// The command or step that mends it.
        mend: String,
    },
    /// A backend does not implement an operator of the graph.
    #[error("{backend} does not support operator {op} (node `{node}`): {why}")]
    UnsupportedOperator {
        /// The backend.
        backend: String,
        /// Operator type, with its domain if it is not the default one.
        op: String,
        /// Name of the node.
        node: String,
        /// The backend's own words.
        why: String,
    },
    /// A graph, event graph or other artifact is malformed.
    #[error("artifact {artifact}, {place}: {why}")]
    Artifact {
        /// The artifact or its kind.
        artifact: String,
        /// Node, tensor or file inside it.
        place: String,
        /// Expectation and finding.
        why: String,
    },
    /// An operation is not offered by this model, dataset or backend.
    #[error("{who} does not offer {what}; {hint}")]
    NotOffered {
        /// The model, dataset or backend.
        who: String,
        /// The action, artifact kind or trait method.
        what: String,
        /// What it offers instead.
        hint: String,
    },
    /// An argument is outside what the callee accepts.
    #[error("{what}: expected {expected}, found {found}")]
    Argument {
        /// The argument.
        what: String,
        /// The accepted range or form.
        expected: String,
        /// The value given.
        found: String,
    },
    /// A runtime failed while compiling or running.
    #[error("{backend}, while {stage}: {message}")]
    Runtime {
        /// The backend.
        backend: String,
        /// What it was doing.
        stage: String,
        /// Its own message.
        message: String,
    },
    /// A plugin failed, or broke the contract of the ABI.
    #[error("plugin {plugin}: {message}")]
    Plugin {
        /// Name or path of the plugin.
        plugin: String,
        /// The plugin's message, or what it broke.
        message: String,
    },
    /// Reading or writing failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The user asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// An [`Error::Io`] for `path`, for use with `map_err`.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    /// An [`Error::Shape`] from two displayable shapes.
    pub fn shape(what: impl Into<String>, expected: impl std::fmt::Debug, found: impl std::fmt::Debug) -> Self {
        Self::Shape { what: what.into(), expected: format!("{expected:?}"), found: format!("{found:?}") }
    }

    /// An [`Error::Argument`].
    pub fn argument(what: impl Into<String>, expected: impl Into<String>, found: impl std::fmt::Display) -> Self {
        Self::Argument { what: what.into(), expected: expected.into(), found: found.to_string() }
    }

    /// An [`Error::Artifact`].
    pub fn artifact(artifact: impl Into<String>, place: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Artifact { artifact: artifact.into(), place: place.into(), why: why.into() }
    }
}

fn list(names: &[String]) -> String {
    const SHOWN: usize = 12;
    if names.is_empty() {
        return String::new();
    }
    let more = names.len().saturating_sub(SHOWN);
    let tail = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!(" ({}{tail})", names[..names.len().min(SHOWN)].join(", "))
}
