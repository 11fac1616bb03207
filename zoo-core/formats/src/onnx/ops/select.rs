//! Picking, cutting and padding elements.

use crate::error::Result;
use crate::onnx::infer::{Context, Inferred, Rule};
use zoo_core::Dim;

pub(super) const RULES: &[(&str, Rule)] = &[("Gather", gather), ("Pad", pad), ("Slice", slice), ("TopK", top_k)];

fn gather(context: &mut Context<'_>) -> Result<Inferred> {
    let (data, indices) = (context.shape(0)?, context.shape(1)?);
    let axis = context.axis(context.int("axis", 0), data.len())?;
    let picks = context.constant_ints(1);
    if let (Some(length), Some(picks)) = (data[axis].fixed(), &picks)
        && let Some(bad) = picks.iter().find(|&&pick| context.axis(pick, length).is_err())
    {
        return Err(context.error(format!("input `indices`: expected an index within {length} elements, found {bad}")));
    }
    let shape = [&data[..axis], indices, &data[axis + 1..]].concat();
    let known = match (context.known(0), picks) {
        (Some(known), Some(picks)) if data.len() == 1 => {
            picks.iter().map(|&pick| context.axis(pick, known.len()).ok().map(|i| known[i].clone())).collect()
        }
        _ => None,
    };
    Ok(Inferred { known, ..shape.into() })
}

/// Axes that an optional input names; without it all of the first `count`.
fn chosen_axes(context: &Context<'_>, input: usize, count: usize, rank: usize) -> Result<Vec<usize>> {
    if !context.has(input) {
        return context.axes(&(0..count.min(rank + 1) as i64).collect::<Vec<_>>(), rank);
    }
    let axes = context.constant_ints(input).ok_or_else(|| context.error("input `axes`: expected a constant"))?;
    if axes.len() != count {
        return Err(context.error(format!("input `axes`: expected {count} axes, found {}", axes.len())));
    }
    context.axes(&axes, rank)
}

fn slice(context: &mut Context<'_>) -> Result<Inferred> {
    let shape = context.shape(0)?;
    let (starts, ends) = (context.constant_ints(1), context.constant_ints(2));
    let (Some(starts), Some(ends)) = (starts, ends) else {
        return slice_unknown(context, shape);
    };
    if starts.len() != ends.len() {
        return Err(context.error(format!("expected as many starts as ends, found {} and {}", starts.len(), ends.len())));
    }
    let axes = chosen_axes(context, 3, starts.len(), shape.len())?;
    let steps = if context.has(4) {
        context.constant_ints(4).ok_or_else(|| context.error("input `steps`: expected a constant"))?
    } else {
        vec![1; starts.len()]
    };
    if steps.len() != starts.len() || steps.contains(&0) {
        return Err(context.error(format!("input `steps`: expected {} numbers other than 0, found {steps:?}", starts.len())));
    }
    let mut cut = shape.to_vec();
    for (i, &axis) in axes.iter().enumerate() {
        cut[axis] = match shape[axis].fixed() {
            Some(length) => Dim::Fixed(picks(starts[i], ends[i], steps[i], length).len()),
            // From the front to past any end: everything, whatever the length.
            None if starts[i] == 0 && steps[i] == 1 && ends[i] >= i64::from(i32::MAX) => shape[axis].clone(),
            None => context.fresh(),
        };
    }
    let known = match (context.known(0), axes.as_slice()) {
        (Some(known), [0]) if shape.len() == 1 => {
            Some(picks(starts[0], ends[0], steps[0], known.len()).map(|i| known[i].clone()).collect())
        }
        _ => None,
    };
    Ok(Inferred { known, ..cut.into() })
}

/// The indices that a slice picks from an axis.
fn picks(start: i64, end: i64, step: i64, length: usize) -> impl ExactSizeIterator<Item = usize> {
    let length = length as i64;
    let (low, high) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let bound = |at: i64| (if at < 0 { at.saturating_add(length) } else { at }).clamp(low, high);
    let start = bound(start).max(0);
    let distance = if step > 0 { bound(end) - start } else { start - bound(end) };
    let count = if length == 0 { 0 } else { (distance.max(0).unsigned_abs()).div_ceil(step.unsigned_abs()) };
    (0..count as usize).map(move |i| (start + i as i64 * step) as usize)
}

/// Bounds that are computed: the axes named, or all, lose their lengths.
fn slice_unknown(context: &mut Context<'_>, shape: &[Dim]) -> Result<Inferred> {
    let axes = if context.has(3) {
        let axes = context.constant_ints(3).ok_or_else(|| context.error("input `axes`: expected a constant"))?;
        context.axes(&axes, shape.len())?
    } else {
        (0..shape.len()).collect()
    };
    let cut: Vec<_> =
        shape.iter().enumerate().map(|(axis, dim)| if axes.contains(&axis) { context.fresh() } else { dim.clone() }).collect();
    Ok(cut.into())
}

fn pad(context: &mut Context<'_>) -> Result<Inferred> {
    let shape = context.shape(0)?;
    let mode = context.text("mode", "constant");
    if !["constant", "reflect", "edge", "wrap"].contains(&mode) || (mode == "wrap" && context.opset < 19) {
        return Err(context.error(format!("attribute `mode`: expected constant, reflect, edge or (from opset 19) wrap, found {mode}")));
    }
    let Some(pads) = context.constant_ints(1) else {
        return Ok(shape.iter().map(|_| context.fresh()).collect::<Vec<_>>().into());
    };
    let axes = chosen_axes(context, 3, pads.len() / 2, shape.len())?;
    if pads.len() != 2 * axes.len() || (!context.has(3) && axes.len() != shape.len()) {
        return Err(context.error(format!("input `pads`: expected two numbers an axis, found {}", pads.len())));
    }
    let mut padded = shape.to_vec();
    for (i, &axis) in axes.iter().enumerate() {
        let total = pads[i].checked_add(pads[i + axes.len()]);
        padded[axis] = match (&shape[axis], total) {
            (dim, Some(0)) => dim.clone(),
            (Dim::Fixed(n), Some(total)) => {
                let length = i64::try_from(*n).ok().and_then(|n| n.checked_add(total)).and_then(|n| usize::try_from(n).ok());
                Dim::Fixed(length.ok_or_else(|| context.error(format!("axis {axis}: expected a length of at least 0")))?)
            }
            (_, None) => return Err(context.error("input `pads`: expected numbers that fit memory")),
            (Dim::Free(_), Some(_)) => context.fresh(),
        };
    }
    Ok(padded.into())
}

fn top_k(context: &mut Context<'_>) -> Result<Inferred> {
    let mut shape = context.shape(0)?.to_vec();
    let axis = context.axis(context.int("axis", -1), shape.len())?;
    let count = context.shape_of_rank(1, 1)?;
    if count[0].fixed().is_some_and(|n| n != 1) {
        return Err(context.error("input `K`: expected one number"));
    }
    let k = context.known_dims(1).and_then(|k| k.first().cloned()).unwrap_or_else(|| context.fresh());
    if let (Some(k), Some(length)) = (k.fixed(), shape[axis].fixed())
        && k > length
    {
        return Err(context.error(format!("input `K`: expected at most {length}, found {k}")));
    }
    shape[axis] = k;
    Ok(vec![shape.clone(), shape].into())
}
