//! The same elements under another shape or order.

use super::source::shape_input;
use crate::error::Result;
use crate::onnx::dims::{Element, Product, broadcast, merged};
use crate::onnx::infer::{Context, Inferred, Rule};
use zoo_core::Dim;

pub(super) const RULES: &[(&str, Rule)] = &[
    ("Expand", expand),
    ("Flatten", flatten),
    ("Reshape", reshape),
    ("Squeeze", squeeze),
    ("Transpose", transpose),
    ("Unsqueeze", unsqueeze),
];

fn expand(context: &mut Context<'_>) -> Result<Inferred> {
    let target = shape_input(context, 1)?;
    let shape = context.shape(0)?;
    // Where the target is not known, the result may be longer than either.
    let expanded = broadcast(context, shape, &target)?;
    Ok(expanded.into())
}

fn flatten(context: &mut Context<'_>) -> Result<Inferred> {
    let shape = context.shape(0)?;
    let axis = context.int("axis", 1);
    let rank = shape.len() as i64;
    let split = if axis < 0 { axis.checked_add(rank) } else { Some(axis) };
    let split = split.filter(|split| (0..=rank).contains(split));
    let split = split.ok_or_else(|| context.error(format!("attribute `axis`: expected -{rank} to {rank}, found {axis}")))?;
    let (front, back) = shape.split_at(split as usize);
    Ok(vec![merged(context, front)?, merged(context, back)?].into())
}

fn reshape(context: &mut Context<'_>) -> Result<Inferred> {
    let input = context.shape(0)?;
    let keep_zero = context.int("allowzero", 0) != 0;
    context.shape_of_rank(1, 1)?;
    let Some(target) = context.known_copy(1) else {
        let shape = shape_input(context, 1)?;
        return Ok(Inferred { known: known_if_flat(context, &shape), ..shape.into() });
    };
    let mut shape = Vec::with_capacity(target.len());
    let mut open = None;
    for (axis, length) in target.iter().enumerate() {
        shape.push(match length {
            Element::Number(-1) if open.is_none() => {
                open = Some(axis);
                Dim::Fixed(1)
            }
            Element::Number(0) if !keep_zero => input
                .get(axis)
                .cloned()
                .ok_or_else(|| context.error(format!("element {axis} of the shape copies an axis that is not there")))?,
            length => {
                length.dim().ok_or_else(|| context.error(format!("expected lengths of at least 0 and at most one -1, found {target:?}")))?
            }
        });
    }
    let (have, want) = (Product::of(input), Product::of(&shape));
    let (Some(have), Some(want)) = (have, want) else { return Err(context.error("expected a size that fits memory")) };
    let mismatch = |context: &Context<'_>| context.error(format!("expected a shape with as many elements as {input:?}, found {target:?}"));
    if let Some(axis) = open {
        let rest = have.divide(&want);
        shape[axis] = match rest.as_ref().and_then(Product::as_dim) {
            Some(dim) => dim,
            None if have.is_fixed() && want.is_fixed() => return Err(mismatch(context)),
            None => context.fresh(),
        };
    } else if have.is_fixed() && want.is_fixed() && have.fixed != want.fixed {
        return Err(mismatch(context));
    }
    Ok(Inferred { known: known_if_flat(context, &shape), ..shape.into() })
}

fn known_if_flat(context: &Context<'_>, shape: &[Dim]) -> Option<Vec<Element>> {
    context.known_copy(0).filter(|_| shape.len() <= 1)
}

fn transpose(context: &mut Context<'_>) -> Result<Inferred> {
    let shape = context.shape(0)?;
    let Some(order) = context.ints("perm") else {
        return Ok(shape.iter().rev().cloned().collect::<Vec<_>>().into());
    };
    let negative = order.iter().any(|&axis| axis < 0);
    if order.len() != shape.len() || negative {
        return Err(context.error(format!("attribute `perm`: expected an order of {} axes, found {order:?}", shape.len())));
    }
    let order = context.axes(order, shape.len())?;
    Ok(order.into_iter().map(|axis| shape[axis].clone()).collect::<Vec<_>>().into())
}

fn squeeze(context: &mut Context<'_>) -> Result<Inferred> {
    let shape = context.shape(0)?;
    let axes = if context.has(1) {
        let axes = context.constant_ints(1).ok_or_else(|| context.error("input `axes`: expected a constant"))?;
        context.axes(&axes, shape.len())?
    } else if shape.iter().all(|d| d.fixed().is_some()) {
        (0..shape.len()).filter(|&axis| shape[axis].fixed() == Some(1)).collect()
    } else {
        return Err(context.error("expected the input `axes`, since the shape is not fully known"));
    };
    if let Some(&axis) = axes.iter().find(|&&axis| shape[axis].fixed().is_some_and(|n| n != 1)) {
        return Err(context.error(format!("axis {axis}: expected length 1, found {}", shape[axis])));
    }
    let squeezed: Vec<_> = (0..shape.len()).filter(|axis| !axes.contains(axis)).map(|axis| shape[axis].clone()).collect();
    Ok(Inferred { known: context.known_copy(0), ..squeezed.into() })
}

fn unsqueeze(context: &mut Context<'_>) -> Result<Inferred> {
    let shape = context.shape(0)?;
    let axes = context.constant_ints(1).ok_or_else(|| context.error("input `axes`: expected a constant"))?;
    let rank = shape.len() + axes.len();
    let axes = context.axes(&axes, rank)?;
    let mut rest = shape.iter();
    let grown: Vec<_> =
        (0..rank).filter_map(|axis| if axes.contains(&axis) { Some(Dim::Fixed(1)) } else { rest.next().cloned() }).collect();
    Ok(Inferred { known: context.known_copy(0), ..grown.into() })
}
