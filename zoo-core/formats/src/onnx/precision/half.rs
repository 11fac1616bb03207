//! Half precision.

use super::super::model::Model;
use super::super::proto::{
    GraphProto, NodeProto, TensorProto, ValueInfoProto, attribute_proto::AttributeType, tensor_proto::DataType, type_proto,
};
use super::super::signature::{Signature, TypeRef};
use super::super::tensor;
use super::edit::{Names, close, node, open};
use super::types::{signature, value_types};
use crate::error::Result;
use half::f16;
use std::collections::HashMap;
use zoo_core::{Artifact, DType, Tensor};

/// Operators that stay in single precision, since their sums and powers leave the range or the resolution of `f16`.
const KEPT: [&str; 19] = [
    "BatchNormalization",
    "CumSum",
    "Exp",
    "InstanceNormalization",
    "LayerNormalization",
    "Log",
    "LogSoftmax",
    "Pow",
    "Reciprocal",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMean",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
    "Softmax",
    "Sqrt",
];
/// Greatest finite value of `f16`.
const MAX: f32 = 65_504.0;

/// The graph with weights and arithmetic in `f16`. Inputs and outputs stay as they are: casts stand at the borders, and around
/// operators that take no `f16` or lose too much by it (sums, powers, normalisations). Finite weights beyond ±65504, such as masks,
/// become ±65504.
///
/// # Errors
/// [`crate::Error::Graph`] for opsets other than 13 to 20, weights outside the file and graphs that were converted before;
/// [`crate::Error::Operator`] for nodes with a graph inside and operators without a known signature.
pub fn to_f16(artifact: &Artifact) -> Result<Artifact> {
    let (model, opset) = open(artifact)?;
    let mut lowering = Lowering::new(&model, opset)?;
    for node in model.nodes() {
        lowering.lower(node)?;
    }
    let graph = lowering.graph()?;
    close(artifact, &model, graph, "f16", "fp16")
}

struct Lowering<'a> {
    model: &'a Model,
    opset: u32,
    types: HashMap<String, DType>,
    names: Names,
    weights: HashMap<&'a str, &'a TensorProto>,
    /// Names under which an `f32` value of the original graph is there, by its name and the precision.
    ready: HashMap<(String, DType), String>,
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
}

impl<'a> Lowering<'a> {
    fn new(model: &'a Model, opset: u32) -> Result<Self> {
        let types = value_types(model, opset)?;
        let graph = model.graph();
        let single = |name: &str| types.get(name) == Some(&DType::F32);
        let (weights, rest): (Vec<_>, Vec<_>) = graph.initializer.iter().partition(|tensor| single(tensor.name()));
        let inputs = graph.input.iter().map(ValueInfoProto::name).filter(|name| single(name));
        let ready = inputs.map(|name| ((name.to_string(), DType::F32), name.to_string())).collect();
        Ok(Self {
            model,
            opset,
            names: Names::of(model),
            weights: weights.into_iter().map(|tensor| (tensor.name(), tensor)).collect(),
            ready,
            nodes: Vec::new(),
            initializers: rest.into_iter().cloned().collect(),
            types,
        })
    }

    fn single(&self, name: &str) -> bool {
        self.types.get(name) == Some(&DType::F32)
    }

    /// The name of a value in a precision; what is missing for it is added.
    fn want(&mut self, value: &str, precision: DType) -> Result<String> {
        if let Some(name) = self.ready.get(&(value.to_string(), precision)) {
            return Ok(name.clone());
        }
        let suffix = if precision == DType::F16 { "f16" } else { "f32" };
        let name = self.names.fresh(&format!("{value}_{suffix}"));
        match self.weights.get(value) {
            Some(proto) => {
                let full = self.model.tensor(proto)?;
                let kept = if precision == DType::F16 { halved(&full)? } else { full };
                self.initializers.push(tensor::to_proto(&name, &kept));
            }
            None => {
                let other = if precision == DType::F16 { DType::F32 } else { DType::F16 };
                // A value that no node made, in a graph that is not in order, is left for the checker to name.
                let from = self.ready.get(&(value.to_string(), other)).cloned().unwrap_or_else(|| value.to_string());
                self.nodes.push(node("Cast", &name, &[&from], &name, &[("to", code(precision))]));
            }
        }
        self.ready.insert((value.to_string(), precision), name.clone());
        Ok(name)
    }

    fn lower(&mut self, original: &NodeProto) -> Result<()> {
        let signature = signature(original, self.opset)?;
        let kept = KEPT.contains(&original.op_type()) || self.takes_no_half(original, signature);
        let precision = |formal: Option<&TypeRef>| match formal {
            Some(TypeRef::Fixed(DType::F32)) => DType::F32,
            _ if kept => DType::F32,
            _ => DType::F16,
        };
        let mut lowered = original.clone();
        for (position, input) in original.input.iter().enumerate() {
            if self.single(input) {
                lowered.input[position] = self.want(input, precision(Signature::formal(&signature.inputs, position).map(|f| &f.ty)))?;
            }
        }
        let mut halves = false;
        for (position, output) in original.output.iter().enumerate() {
            if !self.single(output) {
                continue;
            }
            let made = precision(Signature::formal(&signature.outputs, position).map(|f| &f.ty));
            if made == DType::F16 {
                halves = true;
                lowered.output[position] = self.names.fresh(&format!("{output}_f16"));
            }
            self.ready.insert((output.clone(), made), lowered.output[position].clone());
        }
        if halves {
            self.constants(&mut lowered)?;
        }
        self.nodes.push(lowered);
        Ok(())
    }

    /// Whether a type that is `f32` in this node may not be `f16` there.
    fn takes_no_half(&self, node: &NodeProto, signature: &Signature) -> bool {
        let sides = [(&node.input, &signature.inputs), (&node.output, &signature.outputs)];
        sides.into_iter().any(|(names, formals)| {
            names.iter().enumerate().filter(|(_, name)| self.single(name)).any(|(position, _)| match Signature::formal(formals, position) {
                Some(formal) => match formal.ty {
                    TypeRef::Variable(variable) => !signature.types.get(variable).is_some_and(|types| types.contains(&DType::F16)),
                    TypeRef::Fixed(_) => false,
                },
                None => true,
            })
        })
    }

    /// Types and values that stand in a node's attributes.
    fn constants(&self, node: &mut NodeProto) -> Result<()> {
        let (single, half) = (i64::from(DataType::Float as i32), code(DType::F16));
        let of_shape = node.op_type() == "ConstantOfShape";
        for attribute in &mut node.attribute {
            let floats = match attribute.r#type() {
                _ if attribute.name() == "value_float" => attribute.f.map(Tensor::scalar),
                _ if attribute.name() == "value_floats" => Some(Tensor::from_vec([attribute.floats.len()], attribute.floats.clone())?),
                AttributeType::Tensor => match &attribute.t {
                    Some(proto) if proto.data_type == Some(DataType::Float as i32) => Some(self.model.tensor(proto)?),
                    _ => None,
                },
                AttributeType::Int if ["to", "dtype"].contains(&attribute.name()) && attribute.i == Some(single) => {
                    attribute.i = Some(half);
                    None
                }
                _ => None,
            };
            if let Some(floats) = floats {
                *attribute = super::super::attribute::Attribute::Tensor(halved(&floats)?).to_proto("value");
            }
        }
        if of_shape && node.attribute.is_empty() {
            let zero = Tensor::from_vec([1], vec![f16::ZERO])?;
            node.attribute.push(super::super::attribute::Attribute::Tensor(zero).to_proto("value"));
        }
        Ok(())
    }

    /// The graph, its outputs cast back.
    fn graph(mut self) -> Result<GraphProto> {
        let original = self.model.graph();
        for output in original.output.iter().map(ValueInfoProto::name) {
            let made = self.ready.get(&(output.to_string(), DType::F32)).is_some_and(|name| name == output);
            if !self.single(output) || made {
                continue;
            }
            // Made in half precision, or cast back under another name already, or a weight.
            let from = match self.ready.get(&(output.to_string(), DType::F16)) {
                Some(name) => name.clone(),
                None => self.want(output, DType::F16)?,
            };
            let name = self.names.fresh(&format!("{output}_cast"));
            self.nodes.push(node("Cast", &name, &[&from], output, &[("to", code(DType::F32))]));
        }
        let value_info = original.value_info.iter().filter_map(|info| self.ready_info(info)).collect();
        Ok(GraphProto { node: self.nodes, initializer: self.initializers, value_info, ..original.clone() })
    }

    fn ready_info(&self, info: &ValueInfoProto) -> Option<ValueInfoProto> {
        if !self.single(info.name()) {
            return Some(info.clone());
        }
        let mut info = info.clone();
        if let Some(name) = self.ready.get(&(info.name().to_string(), DType::F16)) {
            let Some(type_proto::Value::TensorType(ty)) = info.r#type.as_mut().and_then(|ty| ty.value.as_mut()) else { return None };
            ty.elem_type = Some(DataType::Float16 as i32);
            info.name = Some(name.clone());
        }
        Some(info)
    }
}

/// Single precision as half, what is finite staying so.
fn halved(tensor: &Tensor) -> Result<Tensor> {
    let half = |value: &f32| f16::from_f32(if value.is_finite() { value.clamp(-MAX, MAX) } else { *value });
    Ok(Tensor::from_vec(tensor.shape().to_vec(), tensor.as_slice::<f32>()?.iter().map(half).collect())?)
}

fn code(precision: DType) -> i64 {
    super::super::dtype::code(precision).into()
}
