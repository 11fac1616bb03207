//! Pooling.

use super::window::Window;
use crate::error::Result;
use crate::onnx::infer::{Context, Inferred, Rule};
use zoo_core::Dim;

pub(super) const RULES: &[(&str, Rule)] =
    &[("AveragePool", pool), ("GlobalAveragePool", global), ("GlobalMaxPool", global), ("MaxPool", pool)];

/// Input `[N, C, ...]`, output `[N, C, ...]`; the second output of a max pool has the same shape.
fn pool(context: &mut Context<'_>) -> Result<Inferred> {
    let input = context.shape(0)?;
    if input.len() < 3 {
        return Err(context.error(format!("expected batch, channels and at least one spatial axis, found {} axes", input.len())));
    }
    let spatial = input.len() - 2;
    let kernel = Window::kernel_attribute(context, spatial)?.ok_or_else(|| context.error("expected attribute `kernel_shape`"))?;
    let window = Window::read(context, spatial, kernel)?;
    let fits = |(axis, &(before, behind)): (usize, &(i64, i64))| {
        window.kernel[axis].fixed().is_some_and(|k| (before.max(behind) as usize) < (k - 1) * window.dilations[axis] + 1)
    };
    if !window.pads.iter().enumerate().all(fits) {
        return Err(context.error("attribute `pads`: expected less padding than the kernel's extent"));
    }
    let mut shape = input[..2].to_vec();
    for (axis, length) in input[2..].iter().enumerate() {
        shape.push(window.slide(context, axis, length)?);
    }
    Ok(vec![shape; context.output_count()].into())
}

/// Every spatial axis becomes one element.
fn global(context: &mut Context<'_>) -> Result<Inferred> {
    let input = context.shape(0)?;
    if input.len() < 3 {
        return Err(context.error(format!("expected batch, channels and at least one spatial axis, found {} axes", input.len())));
    }
    let shape: Vec<_> = input.iter().enumerate().map(|(axis, dim)| if axis < 2 { dim.clone() } else { Dim::Fixed(1) }).collect();
    Ok(shape.into())
}
