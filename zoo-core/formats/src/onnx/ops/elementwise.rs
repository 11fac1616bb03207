//! Operators that work element by element, with broadcasting where they take several inputs.

use crate::error::Result;
use crate::onnx::Attribute;
use crate::onnx::dims::{Element, broadcast_inputs, unify};
use crate::onnx::dtype;
use crate::onnx::infer::{Context, Inferred, Rule};
use zoo_core::Dim;

pub(super) const RULES: &[(&str, Rule)] = &[
    ("Abs", same),
    ("Add", arithmetic),
    ("And", broadcasting),
    ("Cast", cast),
    ("Ceil", same),
    ("Clip", clip),
    ("Cos", same),
    ("CumSum", cum_sum),
    ("Div", arithmetic),
    ("Elu", same),
    ("Equal", broadcasting),
    ("Erf", same),
    ("Exp", same),
    ("Floor", same),
    ("Gelu", gelu),
    ("Greater", broadcasting),
    ("GreaterOrEqual", broadcasting),
    ("Identity", identity),
    ("LeakyRelu", same),
    ("Less", broadcasting),
    ("LessOrEqual", broadcasting),
    ("Log", same),
    ("LogSoftmax", softmax),
    ("Max", broadcasting),
    ("Min", broadcasting),
    ("Mul", arithmetic),
    ("Neg", same),
    ("Not", same),
    ("Or", broadcasting),
    ("Pow", broadcasting),
    ("Reciprocal", same),
    ("Relu", same),
    ("Round", same),
    ("Sigmoid", same),
    ("Sign", same),
    ("Sin", same),
    ("Softmax", softmax),
    ("Softplus", same),
    ("Sqrt", same),
    ("Sub", arithmetic),
    ("Tanh", same),
    ("Where", broadcasting),
];

/// One input whose shape the output has.
fn same(context: &mut Context<'_>) -> Result<Inferred> {
    Ok(context.shape(0)?.to_vec().into())
}

fn identity(context: &mut Context<'_>) -> Result<Inferred> {
    Ok(Inferred { known: context.known_copy(0), ..same(context)? })
}

fn broadcasting(context: &mut Context<'_>) -> Result<Inferred> {
    Ok(broadcast_inputs(context)?.into())
}

/// Broadcasting, and following the elements of integer tensors that describe shapes.
fn arithmetic(context: &mut Context<'_>) -> Result<Inferred> {
    let shape = broadcast_inputs(context)?;
    let known = match (context.known(0), context.known(1)) {
        (Some(a), Some(b)) if a.len() == b.len() || a.len() == 1 || b.len() == 1 => {
            let op = context.op();
            let longest = if a.len() == 1 { b.len() } else { a.len() };
            (0..longest).map(|i| arithmetic_of(op, &a[i.min(a.len() - 1)], &b[i.min(b.len() - 1)])).collect()
        }
        _ => None,
    };
    Ok(Inferred { known, ..shape.into() })
}

fn arithmetic_of(op: &str, a: &Element, b: &Element) -> Option<Element> {
    use Element::Number;
    match (op, a, b) {
        ("Add", Number(a), Number(b)) => a.checked_add(*b).map(Number),
        ("Sub", Number(a), Number(b)) => a.checked_sub(*b).map(Number),
        ("Mul", Number(a), Number(b)) => a.checked_mul(*b).map(Number),
        ("Div", Number(a), Number(b)) => a.checked_div(*b).map(Number),
        ("Mul", other, Number(1)) | ("Mul", Number(1), other) | ("Div", other, Number(1)) => Some(other.clone()),
        ("Add" | "Sub", other, Number(0)) | ("Add", Number(0), other) => Some(other.clone()),
        _ => None,
    }
}

/// Bounds are scalars.
fn clip(context: &mut Context<'_>) -> Result<Inferred> {
    for bound in 1..context.input_count() {
        if context.has(bound) && !context.shape(bound)?.is_empty() {
            return Err(context.error(format!("input {bound}: expected a scalar, found {} axes", context.shape(bound)?.len())));
        }
    }
    same(context)
}

fn softmax(context: &mut Context<'_>) -> Result<Inferred> {
    context.axis(context.int("axis", -1), context.shape(0)?.len())?;
    same(context)
}

fn gelu(context: &mut Context<'_>) -> Result<Inferred> {
    match context.text("approximate", "none") {
        "none" | "tanh" => same(context),
        other => Err(context.error(format!("attribute `approximate`: expected none or tanh, found {other}"))),
    }
}

fn cast(context: &mut Context<'_>) -> Result<Inferred> {
    let to = context.int("to", 0);
    let dtype = i32::try_from(to).ok().and_then(dtype::from_onnx);
    let dtype = dtype.ok_or_else(|| context.error(format!("attribute `to`: expected the number of an element type, found {to}")))?;
    let known = context.known_copy(0).filter(|_| matches!(dtype, zoo_core::DType::I64 | zoo_core::DType::I32));
    Ok(Inferred { dtype: Some(dtype), known, ..same(context)? })
}

fn cum_sum(context: &mut Context<'_>) -> Result<Inferred> {
    let axis = context.shape(1)?;
    let scalar = axis.is_empty() || (axis.len() == 1 && unify(&axis[0], &Dim::Fixed(1)).is_some());
    if !scalar {
        return Err(context.error("input 1: expected one axis as a scalar"));
    }
    if let Some(&[axis]) = context.constant_ints(1).as_deref() {
        context.axis(axis, context.shape(0)?.len())?;
    }
    for flag in ["exclusive", "reverse"] {
        if let Some(Attribute::Int(value)) = context.attr(flag)
            && !(0..=1).contains(value)
        {
            return Err(context.error(format!("attribute `{flag}`: expected 0 or 1, found {value}")));
        }
    }
    same(context)
}
