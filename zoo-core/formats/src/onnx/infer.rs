//! Checks a node against its operator's signature and infers shapes and types.

use super::attribute::Attribute;
use super::dims::Element;
use super::graph::{Entry, Origin, ValueType};
use super::node::Node;
use super::ops;
use super::signature::{self, Arity, Formal, Missing, Signature, TypeRef};
use crate::error::{Error, Result};
use std::collections::{BTreeMap, HashSet};
use zoo_core::{DType, Dim, Tensor};

/// Names for lengths that are not known; each name stands for one length.
#[derive(Clone, Debug, Default)]
pub(super) struct Fresh {
    count: usize,
    reserved: HashSet<String>,
}

impl Fresh {
    pub(super) fn next(&mut self) -> Dim {
        loop {
            let name = format!("unk__{}", self.count);
            self.count += 1;
            if !self.reserved.contains(&name) {
                return Dim::Free(name);
            }
        }
    }

    /// Keeps the caller's names apart from made ones.
    pub(super) fn reserve(&mut self, shape: &[Dim]) {
        for dim in shape {
            if let Dim::Free(name) = dim {
                self.reserved.insert(name.clone());
            }
        }
    }

    /// Whether a length has a made name.
    pub(super) fn made(&self, dim: &Dim) -> bool {
        matches!(dim, Dim::Free(name) if name.starts_with("unk__") && !self.reserved.contains(name))
    }
}

/// What is inferred about an output.
#[derive(Clone, Debug)]
pub(super) struct Output {
    pub(super) ty: ValueType,
    pub(super) known: Option<Vec<Element>>,
}

/// What an operator's rule says about its outputs.
#[derive(Debug, Default)]
pub(super) struct Inferred {
    pub(super) shapes: Vec<Vec<Dim>>,
    /// Element type of the first output, where the signature leaves it open.
    pub(super) dtype: Option<DType>,
    /// Elements of the first output, where they follow from shapes and constants.
    pub(super) known: Option<Vec<Element>>,
}

impl From<Vec<Dim>> for Inferred {
    fn from(shape: Vec<Dim>) -> Self {
        Self { shapes: vec![shape], ..Self::default() }
    }
}

impl From<Vec<Vec<Dim>>> for Inferred {
    fn from(shapes: Vec<Vec<Dim>>) -> Self {
        Self { shapes, ..Self::default() }
    }
}

/// The rule of an operator.
pub(super) type Rule = fn(&mut Context<'_>) -> Result<Inferred>;

/// What a rule sees of its node.
pub(super) struct Context<'a> {
    node_name: &'a str,
    node: &'a Node,
    inputs: &'a [Option<&'a Entry>],
    fresh: &'a mut Fresh,
    pub(super) opset: u32,
}

impl<'a> Context<'a> {
    /// An [`Error::Operator`] of this node.
    pub(super) fn error(&self, why: impl Into<String>) -> Error {
        Error::Operator { node: self.node_name.into(), op: self.node.op.clone(), why: why.into() }
    }

    pub(super) fn op(&self) -> &'a str {
        &self.node.op
    }

    pub(super) fn input_count(&self) -> usize {
        self.inputs.len()
    }

    pub(super) fn output_count(&self) -> usize {
        self.node.outputs
    }

    pub(super) fn has(&self, input: usize) -> bool {
        self.inputs.get(input).is_some_and(Option::is_some)
    }

    fn entry(&self, input: usize) -> Result<&'a Entry> {
        self.inputs.get(input).copied().flatten().ok_or_else(|| self.error(format!("expected input {input}, found none")))
    }

    /// Shape of an input.
    pub(super) fn shape(&self, input: usize) -> Result<&'a [Dim]> {
        Ok(&self.entry(input)?.ty.shape)
    }

    /// Shape of an input that must have exactly `rank` axes.
    pub(super) fn shape_of_rank(&self, input: usize, rank: usize) -> Result<&'a [Dim]> {
        let shape = self.shape(input)?;
        if shape.len() == rank {
            return Ok(shape);
        }
        Err(self.error(format!("input {input}: expected {rank} axes, found {}", shape.len())))
    }

    /// The tensor of an input that is a constant.
    pub(super) fn tensor(&self, input: usize) -> Option<&'a Tensor> {
        match &self.inputs.get(input).copied().flatten()?.origin {
            Origin::Initializer(tensor) => Some(tensor),
            Origin::Input | Origin::Node(_) => None,
        }
    }

    /// The elements of a small integer input, as far as they follow from shapes and constants.
    pub(super) fn known(&self, input: usize) -> Option<&'a [Element]> {
        self.inputs.get(input).copied().flatten()?.known.as_deref()
    }

    /// The same for handing on.
    pub(super) fn known_copy(&self, input: usize) -> Option<Vec<Element>> {
        self.known(input).map(<[Element]>::to_vec)
    }

    /// The same as lengths, if none is negative.
    pub(super) fn known_dims(&self, input: usize) -> Option<Vec<Dim>> {
        self.known(input)?.iter().map(Element::dim).collect()
    }

    /// The elements of a constant integer input.
    pub(super) fn constant_ints(&self, input: usize) -> Option<Vec<i64>> {
        if let Some(known) = self.known(input) {
            let number = |element: &Element| match element {
                Element::Number(n) => Some(*n),
                Element::Free(_) => None,
            };
            return known.iter().map(number).collect();
        }
        let tensor = self.tensor(input)?;
        match tensor.dtype() {
            DType::I64 => tensor.as_slice::<i64>().ok().map(<[i64]>::to_vec),
            DType::I32 => tensor.as_slice::<i32>().ok().map(|s| s.iter().map(|&v| v.into()).collect()),
            _ => None,
        }
    }

    pub(super) fn attr(&self, name: &str) -> Option<&'a Attribute> {
        self.node.attributes.get(name)
    }

    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        match self.attr(name) {
            Some(Attribute::Int(value)) => *value,
            _ => default,
        }
    }

    pub(super) fn ints(&self, name: &str) -> Option<&'a [i64]> {
        match self.attr(name) {
            Some(Attribute::Ints(values)) => Some(values),
            _ => None,
        }
    }

    pub(super) fn text(&self, name: &str, default: &'a str) -> &'a str {
        match self.attr(name) {
            Some(Attribute::Text(value)) => value,
            _ => default,
        }
    }

    /// A length that is not known.
    pub(super) fn fresh(&mut self) -> Dim {
        self.fresh.next()
    }

    /// An axis counted from the front, from one that may be negative.
    pub(super) fn axis(&self, axis: i64, rank: usize) -> Result<usize> {
        let from_front = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
        from_front
            .and_then(|axis| usize::try_from(axis).ok())
            .filter(|&axis| axis < rank)
            .ok_or_else(|| self.error(format!("expected an axis within {rank} axes, found {axis}")))
    }

    /// Axes counted from the front, each at most once.
    pub(super) fn axes(&self, axes: &[i64], rank: usize) -> Result<Vec<usize>> {
        let mut seen = Vec::with_capacity(axes.len().min(rank));
        for &axis in axes {
            let axis = self.axis(axis, rank)?;
            if seen.contains(&axis) {
                return Err(self.error(format!("expected each axis once, found axis {axis} twice")));
            }
            seen.push(axis);
        }
        Ok(seen)
    }
}

/// Checks a node and infers its outputs.
pub(super) fn run(opset: u32, node_name: &str, node: &Node, inputs: &[Option<&Entry>], fresh: &mut Fresh) -> Result<Vec<Output>> {
    let unknown = |hint: String| Error::UnknownOperator { node: node_name.into(), op: node.op.clone(), opset, hint };
    let signature = signature::lookup(&node.op, opset).map_err(|missing| match missing {
        Missing::Since(first) => unknown(format!("it came with opset {first}, the lowest to ask for")),
        Missing::Unknown => unknown(nearest(&node.op)),
    })?;
    let rule = ops::rule(&node.op).ok_or_else(|| unknown(nearest(&node.op)))?;
    let mut context = Context { node_name, node, inputs, fresh, opset };
    check_attributes(&context, signature)?;
    let mut types = check_inputs(&context, signature)?;
    let inferred = rule(&mut context)?;
    if inferred.shapes.len() != node.outputs {
        return Err(context.error(format!("expected {} outputs, found {}", inferred.shapes.len(), node.outputs)));
    }
    let mut known = inferred.known;
    let mut outputs = Vec::with_capacity(node.outputs);
    for (position, shape) in inferred.shapes.into_iter().enumerate() {
        let formal = Signature::formal(&signature.outputs, position)
            .ok_or_else(|| context.error(format!("expected at most {} outputs, found {}", signature.outputs.len(), node.outputs)))?;
        let dtype = output_type(&context, signature, formal, &mut types, inferred.dtype.filter(|_| position == 0))?;
        let known = known.take().filter(|k| position == 0 && k.len() <= KNOWN_ELEMENTS && shape.len() <= 1);
        outputs.push(Output { ty: ValueType { dtype, shape }, known });
    }
    Ok(outputs)
}

/// Elements of longer tensors are not followed.
const KNOWN_ELEMENTS: usize = 64;

/// The elements of a small integer tensor, for following shapes.
pub(super) fn known_elements(tensor: &Tensor) -> Option<Vec<Element>> {
    if tensor.shape().len() > 1 || tensor.len() > KNOWN_ELEMENTS {
        return None;
    }
    Some(tensor.as_slice::<i64>().ok()?.iter().map(|&v| Element::Number(v)).collect())
}

fn nearest(op: &str) -> String {
    let same = signature::operators().find(|known| known.eq_ignore_ascii_case(op));
    same.map_or_else(
        || format!("known operators are {}", signature::operators().collect::<Vec<_>>().join(", ")),
        |known| format!("did you mean {known}?"),
    )
}

fn check_attributes(context: &Context<'_>, signature: &Signature) -> Result<()> {
    for (name, value) in &context.node.attributes {
        let rule = signature.attributes.iter().find(|rule| rule.name == name).ok_or_else(|| {
            let known = signature.attributes.iter().map(|rule| rule.name).collect::<Vec<_>>().join(", ");
            context.error(format!("attribute `{name}` is not known in opset {}; known are: {known}", context.opset))
        })?;
        if rule.kind != value.kind() {
            return Err(context.error(format!("attribute `{name}`: expected {}, found {}", rule.kind, value.kind())));
        }
    }
    match signature.attributes.iter().find(|rule| rule.required && !context.node.attributes.contains_key(rule.name)) {
        Some(rule) => Err(context.error(format!("expected attribute `{}`, found none", rule.name))),
        None => Ok(()),
    }
}

fn check_inputs<'s>(context: &Context<'_>, signature: &'s Signature) -> Result<BTreeMap<&'s str, DType>> {
    let mut types = BTreeMap::new();
    for position in 0..context.inputs.len().max(signature.inputs.len()) {
        let formal = Signature::formal(&signature.inputs, position)
            .ok_or_else(|| context.error(format!("expected at most {} inputs, found {}", signature.inputs.len(), context.inputs.len())))?;
        let Some(entry) = context.inputs.get(position).copied().flatten() else {
            if formal.arity == Arity::Optional {
                continue;
            }
            return Err(context.error(format!("expected input `{}`, found none", formal.name)));
        };
        let dtype = entry.ty.dtype;
        let expected = match formal.ty {
            TypeRef::Fixed(wanted) => Some(wanted.to_string()).filter(|_| wanted != dtype),
            TypeRef::Variable(variable) => {
                let allowed = signature.types.get(variable).map(Vec::as_slice).unwrap_or_default();
                let bound = *types.entry(variable).or_insert(dtype);
                if bound == dtype && allowed.contains(&dtype) {
                    None
                } else if bound == dtype {
                    Some(allowed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
                } else {
                    Some(format!("{bound} like the inputs before it"))
                }
            }
        };
        if let Some(expected) = expected {
            return Err(context.error(format!("input `{}` (value `{}`): expected {expected}, found {dtype}", formal.name, entry.name)));
        }
    }
    Ok(types)
}

fn output_type<'s>(
    context: &Context<'_>,
    signature: &'s Signature,
    formal: &Formal,
    types: &mut BTreeMap<&'s str, DType>,
    stated: Option<DType>,
) -> Result<DType> {
    let variable = match formal.ty {
        TypeRef::Fixed(dtype) => return Ok(dtype),
        TypeRef::Variable(variable) => variable,
    };
    let allowed = signature.types.get_key_value(variable);
    let only = allowed.and_then(|(_, list)| <[DType; 1]>::try_from(list.as_slice()).ok()).map(|[dtype]| dtype);
    let dtype = stated
        .or_else(|| types.get(variable).copied())
        .or(only)
        .ok_or_else(|| context.error(format!("the element type of output `{}` is left open", formal.name)))?;
    match allowed {
        Some((_, list)) if !list.contains(&dtype) => Err(context.error(format!("output `{}` can't be {dtype}", formal.name))),
        Some((&variable, _)) => {
            types.insert(variable, dtype);
            Ok(dtype)
        }
        None => Ok(dtype),
    }
}
