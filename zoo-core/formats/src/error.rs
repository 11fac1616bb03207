//! What can go wrong with a file format.

use std::path::PathBuf;

/// Shorthand for results with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Errors of the readers and writers. Converts into [`zoo_core::Error`] with `?`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not an ONNX model.
    #[error("{source_name}: expected an ONNX model, found {found}; {mend}")]
    NotOnnx {
        /// File or artifact.
        source_name: String,
        /// What the bytes look like.
        found: String,
        /// What the user can do.
        mend: String,
    },
    /// The model has a version that is not supported.
    #[error("{source_name}: expected {what} {supported}, found {found}; export the model again with a supported version")]
    Version {
        /// File or artifact.
        source_name: String,
        /// `IR version` or `opset`.
        what: &'static str,
        /// The supported versions.
        supported: String,
        /// The version found.
        found: i64,
    },
    /// An ONNX model breaks the rules of the format.
    #[error("{source_name}: at {place}: {why}")]
    Malformed {
        /// File or artifact.
        source_name: String,
        /// Node, tensor or field.
        place: String,
        /// Expectation and finding.
        why: String,
    },
    /// A file asks for more than the reader's limits allow.
    #[error("{source_name}: expected at most {limit} {what}, found {found}; raise the limit if the file is trusted")]
    Limit {
        /// File or artifact.
        source_name: String,
        /// What is counted.
        what: &'static str,
        /// The limit.
        limit: u64,
        /// What the file asks for.
        found: u64,
    },
    /// An operator does not exist, or not in the graph's opset.
    #[error("node `{node}`: operator {op} is not available in opset {opset}; {hint}")]
    UnknownOperator {
        /// Name of the node.
        node: String,
        /// Operator type.
        op: String,
        /// The graph's opset.
        opset: u32,
        /// The nearest name, or the opset that has it.
        hint: String,
    },
    /// Inputs or attributes do not fit an operator.
    #[error("node `{node}` ({op}): {why}")]
    Operator {
        /// Name of the node.
        node: String,
        /// Operator type.
        op: String,
        /// Expectation and finding.
        why: String,
    },
    /// The graph as a whole is not well-formed.
    #[error("graph `{graph}`, {place}: {why}")]
    Graph {
        /// Name of the graph.
        graph: String,
        /// Value, node or setting.
        place: String,
        /// Expectation and finding.
        why: String,
    },
    /// A safetensors file is not well-formed, or holds something the zoo has no tensors for.
    #[error("{}: at {at}: expected {expected}, found {found}; {mend}", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// The header or the tensor.
        at: String,
        /// What should have stood there.
        expected: String,
        /// What stood there.
        found: String,
        /// What the user can do.
        mend: String,
    },
    /// An error of the core: tensors, key sets, input and output.
    #[error(transparent)]
    Core(#[from] zoo_core::Error),
}

impl Error {
    /// An [`Error::Core`] with a [`zoo_core::Error::Io`] for `path`, for use with `map_err`.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Core(zoo_core::Error::Io { path, source })
    }

    pub(crate) fn malformed(source_name: &str, place: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Malformed { source_name: source_name.into(), place: place.into(), why: why.into() }
    }
}

impl From<Error> for zoo_core::Error {
    fn from(error: Error) -> Self {
        let artifact = |place: String, why: String| Self::Artifact { artifact: "onnx".into(), place, why };
        match error {
            Error::Core(core) => core,
            Error::Safetensors { path, at, expected, found, mend } => Self::Data { path, at, expected, found, mend },
            Error::NotOnnx { source_name, found, mend } => {
                Self::Data { path: source_name.into(), at: "start of file".into(), expected: "an ONNX model".into(), found, mend }
            }
            Error::UnknownOperator { node, op, opset, hint } => {
                artifact(format!("node `{node}`"), format!("operator {op} is not available in opset {opset}; {hint}"))
            }
            Error::Operator { node, op, why } => artifact(format!("node `{node}` ({op})"), why),
            Error::Graph { graph, place, why } => Self::Artifact { artifact: format!("onnx graph `{graph}`"), place, why },
            Error::Malformed { source_name, place, why } => Self::Artifact { artifact: source_name, place, why },
            other @ (Error::Version { .. } | Error::Limit { .. }) => {
                let why = other.to_string();
                artifact("header".into(), why)
            }
        }
    }
}
