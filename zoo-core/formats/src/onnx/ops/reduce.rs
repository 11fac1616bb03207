//! Reductions over axes.

use crate::error::Result;
use crate::onnx::infer::{Context, Inferred, Rule};
use zoo_core::Dim;

pub(super) const RULES: &[(&str, Rule)] =
    &[("ArgMax", arg_max), ("ReduceMax", reduce), ("ReduceMean", reduce), ("ReduceMin", reduce), ("ReduceSum", reduce)];

/// The axes come as an attribute or, in later opsets, as an input; no axes mean all.
fn reduce(context: &mut Context<'_>) -> Result<Inferred> {
    let shape = context.shape(0)?;
    let axes = if context.has(1) {
        context.constant_ints(1).ok_or_else(|| context.error("input `axes`: expected a constant"))?
    } else {
        context.ints("axes").unwrap_or_default().to_vec()
    };
    if axes.is_empty() && context.int("noop_with_empty_axes", 0) != 0 {
        return Ok(shape.to_vec().into());
    }
    let axes = if axes.is_empty() { (0..shape.len()).collect() } else { context.axes(&axes, shape.len())? };
    Ok(reduced(context, shape, &axes).into())
}

fn arg_max(context: &mut Context<'_>) -> Result<Inferred> {
    let shape = context.shape(0)?;
    let axis = context.axis(context.int("axis", 0), shape.len())?;
    Ok(reduced(context, shape, &[axis]).into())
}

fn reduced(context: &Context<'_>, shape: &[Dim], axes: &[usize]) -> Vec<Dim> {
    let keep = context.int("keepdims", 1) != 0;
    let length = |(axis, dim): (usize, &Dim)| match axes.contains(&axis) {
        false => Some(dim.clone()),
        true => keep.then_some(Dim::Fixed(1)),
    };
    shape.iter().enumerate().filter_map(length).collect()
}
