//! Resampling.

use crate::error::Result;
use crate::onnx::dims::may_equal;
use crate::onnx::infer::{Context, Inferred, Rule};
use zoo_core::Dim;

pub(super) const RULES: &[(&str, Rule)] = &[("GridSample", grid_sample), ("Resize", resize)];

/// Input `[N, C, spatial ...]`, grid `[N, out ..., spatial axes]`.
fn grid_sample(context: &mut Context<'_>) -> Result<Inferred> {
    let input = context.shape(0)?;
    if input.len() < 3 || (context.opset < 20 && input.len() != 4) {
        return Err(context.error(format!("input `X`: expected 4 axes (any number from 3 on in opset 20), found {}", input.len())));
    }
    let grid = context.shape_of_rank(1, input.len())?;
    let spatial = input.len() - 2;
    if !may_equal(&grid[0], &input[0]) || !may_equal(&grid[input.len() - 1], &Dim::Fixed(spatial)) {
        return Err(context.error(format!("input `grid`: expected batch {} and {spatial} coordinates, found {grid:?}", input[0])));
    }
    let mut shape = input[..2].to_vec();
    shape.extend_from_slice(&grid[1..=spatial]);
    Ok(shape.into())
}

/// The new lengths come from `sizes` or `scales`, for all axes or those of `axes`.
fn resize(context: &mut Context<'_>) -> Result<Inferred> {
    let shape = context.shape(0)?;
    let axes = match context.ints("axes") {
        Some(axes) => context.axes(axes, shape.len())?,
        None => (0..shape.len()).collect(),
    };
    let scaled = context.has(2) && !context.tensor(2).is_some_and(|t| t.is_empty());
    if scaled == context.has(3) {
        return Err(context.error("expected either the input `scales` or the input `sizes`"));
    }
    let policy = context.text("keep_aspect_ratio_policy", "stretch");
    if policy != "stretch" {
        return Err(context.error(format!("attribute `keep_aspect_ratio_policy`: expected stretch, found {policy}")));
    }
    let source = if scaled { 2 } else { 3 };
    let count = context.shape_of_rank(source, 1)?[0].fixed();
    if count.is_some_and(|count| count != axes.len()) {
        return Err(context.error(format!("input {source}: expected {} numbers, found {}", axes.len(), count.unwrap_or_default())));
    }
    let mut resized = shape.to_vec();
    let scales = if scaled { context.tensor(2).map(zoo_core::Tensor::to_f32) } else { None };
    let sizes = if scaled { None } else { context.known_dims(3) };
    for (i, &axis) in axes.iter().enumerate() {
        resized[axis] = match (&sizes, &scales) {
            (Some(sizes), _) => sizes[i].clone(),
            (None, Some(scales)) => scaled_length(context, &shape[axis], scales[i])?,
            (None, None) => context.fresh(),
        };
    }
    Ok(resized.into())
}

fn scaled_length(context: &mut Context<'_>, length: &Dim, scale: f32) -> Result<Dim> {
    if !(scale.is_finite() && scale > 0.0) {
        return Err(context.error(format!("input `scales`: expected numbers above 0, found {scale}")));
    }
    Ok(match length {
        _ if scale == 1.0 => length.clone(),
        // The product is rounded to single precision, as runtimes do.
        Dim::Fixed(n) => Dim::Fixed((*n as f32 * scale).floor() as usize),
        Dim::Free(_) => context.fresh(),
    })
}
