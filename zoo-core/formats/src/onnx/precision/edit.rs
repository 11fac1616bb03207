//! Pieces that both conversions are built from.

use super::super::model::Model;
use super::super::proto::{
    AttributeProto, NodeProto, StringStringEntryProto, TensorProto, attribute_proto::AttributeType, tensor_proto::DataLocation,
};
use super::super::read::read_artifact;
use super::PRECISION;
use crate::error::{Error, Result};
use prost::Message;
use std::collections::HashSet;
use zoo_core::{Artifact, ArtifactFile};

/// Opsets whose operators both conversions know.
const OPSETS: std::ops::RangeInclusive<i64> = 13..=20;

/// Reads an artifact that can be converted, and its opset.
///
/// # Errors
/// Those of reading; [`Error::Graph`] for another opset, weights outside the file, or one that was converted before.
pub(super) fn open(artifact: &Artifact) -> Result<(Model, u32)> {
    let model = read_artifact(artifact)?;
    let name = model.graph().name().to_string();
    let fail = |place: &str, why: String| Error::Graph { graph: name.clone(), place: place.into(), why };
    let opset = model.opset().filter(|opset| OPSETS.contains(opset));
    let opset = opset
        .and_then(|opset| u32::try_from(opset).ok())
        .ok_or_else(|| fail("opset", format!("expected {} to {}, found {:?}", OPSETS.start(), OPSETS.end(), model.opset())))?;
    let outside = |tensor: &&TensorProto| tensor.data_location == Some(DataLocation::External as i32);
    if let Some(tensor) = model.graph().initializer.iter().find(outside) {
        return Err(fail("weights", format!("expected them inside the file, found `{}` outside", tensor.name())));
    }
    if let Some(precision) = model.metadata().get(PRECISION) {
        return Err(fail("precision", format!("expected a graph in f32, found one that was converted to {precision}")));
    }
    Ok((model, opset))
}

/// The artifact with another graph. Its main file is named after the precision, as the hub's tools do.
pub(super) fn close(
    artifact: &Artifact,
    model: &Model,
    graph: super::super::proto::GraphProto,
    precision: &str,
    suffix: &str,
) -> Result<Artifact> {
    let mut proto = model.to_proto();
    proto.graph = Some(graph);
    proto.metadata_props.push(StringStringEntryProto::new(PRECISION, precision));
    let main = artifact.main()?;
    let stem = main.name.strip_suffix(".onnx").unwrap_or(&main.name);
    let file = ArtifactFile { name: format!("{stem}_{suffix}.onnx"), bytes: proto.encode_to_vec().into() };
    let mut out = artifact.clone();
    out.files[0] = file;
    out.metadata.insert(PRECISION.into(), precision.into());
    Ok(out)
}

/// Names that a graph has, so that new ones differ.
pub(super) struct Names(HashSet<String>);

impl Names {
    pub(super) fn of(model: &Model) -> Self {
        let graph = model.graph();
        let values = graph.input.iter().chain(&graph.output).map(|info| info.name());
        let weights = graph.initializer.iter().map(TensorProto::name);
        let inner = graph.node.iter().flat_map(|node| node.output.iter().map(String::as_str).chain([node.name()]));
        Self(values.chain(weights).chain(inner).map(String::from).collect())
    }

    /// `name`, lengthened until nothing else has it.
    pub(super) fn fresh(&mut self, name: &str) -> String {
        let mut fresh = name.to_string();
        while !self.0.insert(fresh.clone()) {
            fresh.push('_');
        }
        fresh
    }
}

/// A node of the default domain with one output.
pub(super) fn node(op: &str, name: &str, inputs: &[&str], output: &str, attributes: &[(&str, i64)]) -> NodeProto {
    let attribute = |(name, value): &(&str, i64)| AttributeProto {
        name: Some((*name).into()),
        r#type: Some(AttributeType::Int as i32),
        i: Some(*value),
        ..AttributeProto::default()
    };
    NodeProto {
        name: Some(name.into()),
        op_type: Some(op.into()),
        input: inputs.iter().map(ToString::to_string).collect(),
        output: vec![output.into()],
        attribute: attributes.iter().map(attribute).collect(),
        ..NodeProto::default()
    }
}
