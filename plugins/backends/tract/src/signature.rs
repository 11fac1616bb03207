//! What an ONNX graph takes and gives, and whether tract can have it, found out before tract builds anything.

use crate::NAME;
use crate::convert::{datum_type, unsupported};
use prost::Message;
use std::collections::{BTreeMap, HashSet};
use tract_onnx::Onnx;
use zoo_core::{Artifact, Error, Result, TensorSpec};
use zoo_formats::onnx::Model;
use zoo_formats::onnx::proto::{GraphProto, NodeProto, TensorProto, tensor_proto::DataLocation};

/// A model that was read and checked.
pub(crate) struct Signature {
    pub(crate) model: Model,
    pub(crate) inputs: Vec<TensorSpec>,
    pub(crate) outputs: Vec<TensorSpec>,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// Reads and checks the model of an artifact.
pub(crate) fn read(artifact: &Artifact, onnx: &Onnx) -> Result<Signature> {
    let file = &artifact.main()?.name;
    let model = zoo_formats::onnx::read_artifact(artifact).map_err(|error| match error {
        zoo_formats::Error::NotOnnx { source_name, found, mend } => {
            Error::artifact(source_name, "start of file", format!("expected an ONNX model, found {found}; {mend}"))
        }
        other => other.into(),
    })?;
    check_nodes(file, model.graph(), onnx)?;
    check_outputs(file, model.graph())?;
    let (inputs, outputs) = (model.inputs()?, model.outputs()?);
    for spec in inputs.iter().chain(&outputs) {
        datum_type(spec.dtype).ok_or_else(|| unsupported(&spec.name, spec.dtype))?;
    }
    let metadata = artifact.metadata.clone().into_iter().chain(model.metadata()).collect();
    Ok(Signature { model, inputs, outputs, metadata })
}

/// The bytes of the model with external data moved inside, if there are any: tract looks for them in a folder, and an
/// artifact has none.
pub(crate) fn with_data_inside(model: &Model) -> Result<Option<Vec<u8>>> {
    let is_outside = |t: &TensorProto| t.data_location == Some(DataLocation::External as i32);
    if !model.graph().initializer.iter().any(is_outside) {
        return Ok(None);
    }
    let mut proto = model.to_proto();
    for tensor in proto.graph.iter_mut().flat_map(|g| &mut g.initializer).filter(|t| is_outside(t)) {
        *tensor = zoo_formats::onnx::tensor_to_proto(tensor.name(), &model.tensor(tensor)?);
    }
    Ok(Some(proto.encode_to_vec()))
}

/// Refuses operators that tract has no builder for, and attributes that it would not survive, in subgraphs too.
fn check_nodes(file: &str, graph: &GraphProto, onnx: &Onnx) -> Result<()> {
    for node in &graph.node {
        // Tract looks operators up by type alone, so a foreign domain must not be taken for ONNX's own.
        let known_domain = matches!(node.domain(), "" | "ai.onnx" | "ai.onnx.ml" | "com.microsoft");
        if !known_domain || !onnx.op_register.0.contains_key(node.op_type()) {
            return Err(unsupported_operator(node, "it is not implemented"));
        }
        crate::hazards::check(file, node)?;
        for attribute in &node.attribute {
            attribute.g.iter().chain(&attribute.graphs).try_for_each(|sub| check_nodes(file, sub, onnx))?;
        }
    }
    Ok(())
}

/// Refuses outputs that nothing makes, which tract would panic on.
fn check_outputs(file: &str, graph: &GraphProto) -> Result<()> {
    if graph.output.is_empty() {
        return Err(Error::artifact(file, "graph", "expected at least one output, found none"));
    }
    let made: HashSet<_> = (graph.node.iter().flat_map(|n| n.output.iter().map(String::as_str)))
        .chain(graph.input.iter().map(|v| v.name()))
        .chain(graph.initializer.iter().map(|t| t.name()))
        .collect();
    match graph.output.iter().find(|v| v.name().is_empty() || !made.contains(v.name())) {
        Some(v) => Err(orphan(file, v.name())),
        None => Ok(()),
    }
}

/// The error for a tensor that nothing makes.
pub(crate) fn orphan(file: &str, name: &str) -> Error {
    Error::artifact(file, format!("tensor `{name}`"), "expected a node, input or initializer that makes it, found none")
}

/// A node's name; an unnamed node goes by its first output.
pub(crate) fn node_name(node: &NodeProto) -> String {
    if node.name().is_empty() { node.output.first().cloned().unwrap_or_default() } else { node.name().into() }
}

/// An [`Error::UnsupportedOperator`] for a node.
pub(crate) fn unsupported_operator(node: &NodeProto, why: impl Into<String>) -> Error {
    let op = if node.domain().is_empty() { node.op_type().into() } else { format!("{}::{}", node.domain(), node.op_type()) };
    Error::UnsupportedOperator { backend: NAME.into(), op, node: node_name(node), why: why.into() }
}
