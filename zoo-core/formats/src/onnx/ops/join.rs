//! Joining and splitting along an axis, and repeating.

use crate::error::Result;
use crate::onnx::dims::{Element, unify};
use crate::onnx::infer::{Context, Inferred, Rule};
use zoo_core::Dim;

pub(super) const RULES: &[(&str, Rule)] = &[("Concat", concat), ("Split", split), ("Tile", tile)];

fn concat(context: &mut Context<'_>) -> Result<Inferred> {
    let mut shape = context.shape(0)?.to_vec();
    let axis = context.axis(context.int("axis", 0), shape.len())?;
    let mut total = Some(0usize);
    let mut free = Vec::new();
    for input in 0..context.input_count() {
        let other = context.shape_of_rank(input, shape.len())?;
        for (i, dim) in other.iter().enumerate().filter(|(i, _)| *i != axis) {
            let joint = unify(&shape[i], dim);
            shape[i] = joint.ok_or_else(|| context.error(format!("input {input}, axis {i}: expected {}, found {dim}", shape[i])))?;
        }
        match &other[axis] {
            Dim::Fixed(n) => total = total.and_then(|total| total.checked_add(*n)),
            Dim::Free(_) => free.push(other[axis].clone()),
        }
    }
    let total = total.ok_or_else(|| context.error("expected a length that fits memory"))?;
    shape[axis] = match (total, free.as_slice()) {
        (total, []) => Dim::Fixed(total),
        (0, [only]) => only.clone(),
        _ => context.fresh(),
    };
    let pieces: Option<Vec<&[Element]>> = (0..context.input_count()).map(|i| context.known(i)).collect();
    let known = pieces.filter(|_| shape.len() == 1).map(|pieces| pieces.concat());
    Ok(Inferred { known, ..shape.into() })
}

fn split(context: &mut Context<'_>) -> Result<Inferred> {
    let shape = context.shape(0)?;
    let axis = context.axis(context.int("axis", 0), shape.len())?;
    let count = context.output_count();
    let stated = context.attr("num_outputs").map(|_| context.int("num_outputs", 0));
    if context.has(1) == stated.is_some() && context.opset >= 18 {
        return Err(context.error("expected either the input `split` or the attribute `num_outputs`"));
    }
    if stated.is_some_and(|stated| usize::try_from(stated) != Ok(count)) {
        return Err(context.error(format!("attribute `num_outputs`: expected {count} like the outputs")));
    }
    let lengths = if context.has(1) { sizes(context, &shape[axis], count)? } else { equal_parts(context, &shape[axis], count)? };
    let shapes: Vec<Vec<Dim>> = lengths
        .into_iter()
        .map(|length| {
            let mut part = shape.to_vec();
            part[axis] = length;
            part
        })
        .collect();
    Ok(shapes.into())
}

fn sizes(context: &mut Context<'_>, whole: &Dim, count: usize) -> Result<Vec<Dim>> {
    let given = context.shape_of_rank(1, 1)?;
    if given[0].fixed().is_some_and(|given| given != count) {
        return Err(context.error(format!("input `split`: expected {count} lengths, found {}", given[0])));
    }
    let Some(lengths) = context.known_dims(1) else {
        return Ok((0..count).map(|_| context.fresh()).collect());
    };
    let total = lengths.iter().map(Dim::fixed).try_fold(0usize, |total, n| total.checked_add(n?));
    if let (Some(total), Some(whole)) = (total, whole.fixed())
        && total != whole
    {
        return Err(context.error(format!("input `split`: expected lengths that add up to {whole}, found {total}")));
    }
    Ok(lengths)
}

fn equal_parts(context: &mut Context<'_>, whole: &Dim, count: usize) -> Result<Vec<Dim>> {
    if count == 0 {
        return Err(context.error("expected at least one output"));
    }
    let Some(whole) = whole.fixed() else {
        return Ok((0..count).map(|_| context.fresh()).collect());
    };
    // From opset 18 on the last part may be shorter.
    let each = whole.div_ceil(count);
    let last = whole.checked_sub(each * (count - 1));
    match last {
        Some(last) if last == each || context.opset >= 18 => {
            Ok((0..count).map(|i| Dim::Fixed(if i + 1 == count { last } else { each })).collect())
        }
        _ => Err(context.error(format!("expected a length that {count} parts fill, found {whole}"))),
    }
}

fn tile(context: &mut Context<'_>) -> Result<Inferred> {
    let shape = context.shape(0)?;
    let repeats = context.shape_of_rank(1, 1)?;
    if repeats[0].fixed().is_some_and(|n| n != shape.len()) {
        return Err(context.error(format!("input `repeats`: expected {} numbers, found {}", shape.len(), repeats[0])));
    }
    let known = context.known_dims(1);
    let tiled = shape
        .iter()
        .enumerate()
        .map(|(axis, dim)| match (dim, known.as_ref().and_then(|k| k.get(axis))) {
            (dim, Some(Dim::Fixed(1))) => Ok(dim.clone()),
            (Dim::Fixed(1), Some(times)) => Ok(times.clone()),
            (Dim::Fixed(n), Some(Dim::Fixed(times))) => {
                n.checked_mul(*times).map(Dim::Fixed).ok_or_else(|| context.error("expected a length that fits memory"))
            }
            _ => Ok(context.fresh()),
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(tiled.into())
}
