//! Element types of all values of a graph.

use super::super::dtype;
use super::super::model::Model;
use super::super::proto::{NodeProto, ValueInfoProto, type_proto};
use super::super::signature::{Signature, TypeRef, lookup};
use crate::error::{Error, Result};
use std::collections::{BTreeMap, HashMap};
use zoo_core::DType;

/// A node's operator in the graph's opset.
///
/// # Errors
/// [`Error::Operator`] for operators of other domains, that are not known, or that hold a graph.
pub(super) fn signature(node: &NodeProto, opset: u32) -> Result<&'static Signature> {
    let fail = |why: String| Error::Operator { node: node.name().into(), op: node.op_type().into(), why };
    if !["", "ai.onnx"].contains(&node.domain()) {
        return Err(fail(format!("expected an operator of the default domain, found domain `{}`", node.domain())));
    }
    if node.attribute.iter().any(|a| a.g.is_some() || !a.graphs.is_empty()) {
        return Err(fail("expected a node without a graph inside, whose precision would have to be chosen as well".into()));
    }
    lookup(node.op_type(), opset).map_err(|_| fail(format!("expected an operator with a known signature in opset {opset}")))
}

/// Element types by name; values whose type can't be told are left out.
///
/// # Errors
/// As [`signature`].
pub(super) fn value_types(model: &Model, opset: u32) -> Result<HashMap<String, DType>> {
    let graph = model.graph();
    let mut types = HashMap::new();
    for tensor in &graph.initializer {
        types.extend(dtype::from_onnx(tensor.data_type.unwrap_or_default()).map(|ty| (tensor.name().to_string(), ty)));
    }
    for info in graph.input.iter().chain(&graph.value_info).chain(&graph.output) {
        types.extend(element(info).map(|ty| (info.name().to_string(), ty)));
    }
    for node in &graph.node {
        let signature = signature(node, opset)?;
        let mut bound = BTreeMap::new();
        for (position, input) in node.input.iter().enumerate() {
            if let (Some(TypeRef::Variable(variable)), Some(ty)) =
                (Signature::formal(&signature.inputs, position).map(|f| &f.ty), types.get(input))
            {
                bound.insert(*variable, *ty);
            }
        }
        for (position, output) in node.output.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let formal = Signature::formal(&signature.outputs, position).map(|f| &f.ty);
            let ty = match formal {
                Some(TypeRef::Fixed(ty)) => Some(*ty),
                Some(TypeRef::Variable(variable)) => bound.get(variable).copied().or_else(|| stated(node)),
                None => None,
            };
            if let Some(ty) = ty {
                types.entry(output.clone()).or_insert(ty);
            }
        }
    }
    Ok(types)
}

/// The type that a node's attributes state for its output.
fn stated(node: &NodeProto) -> Option<DType> {
    let attribute = |name: &str| node.attribute.iter().find(|a| a.name() == name);
    if let Some(code) = ["to", "dtype"].into_iter().find_map(attribute).and_then(|a| a.i) {
        return dtype::from_onnx(i32::try_from(code).ok()?);
    }
    if let Some(value) = attribute("value").and_then(|a| a.t.as_ref()) {
        return dtype::from_onnx(value.data_type.unwrap_or_default());
    }
    let value = |name: &str| name == "value_float" || name == "value_floats";
    let float = node.op_type() == "ConstantOfShape" || node.attribute.iter().any(|a| value(a.name()));
    float.then_some(DType::F32)
}

pub(super) fn element(info: &ValueInfoProto) -> Option<DType> {
    match info.r#type.as_ref()?.value.as_ref()? {
        type_proto::Value::TensorType(tensor) => dtype::from_onnx(tensor.elem_type.unwrap_or_default()),
        _ => None,
    }
}
