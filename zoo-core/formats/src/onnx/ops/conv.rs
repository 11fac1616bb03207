//! Convolutions.

use super::window::Window;
use crate::error::Result;
use crate::onnx::dims::may_equal;
use crate::onnx::infer::{Context, Inferred, Rule};
use zoo_core::Dim;

pub(super) const RULES: &[(&str, Rule)] = &[("Conv", conv), ("ConvTranspose", conv_transpose)];

/// Input and kernel shapes with equal numbers of axes, and the number of groups.
fn shapes<'a>(context: &Context<'a>) -> Result<(&'a [Dim], &'a [Dim], usize)> {
    let input = context.shape(0)?;
    if input.len() < 3 {
        return Err(context.error(format!("input `X`: expected batch, channels and at least one spatial axis, found {} axes", input.len())));
    }
    let kernel = context.shape_of_rank(1, input.len())?;
    let groups = context.int("group", 1);
    let groups = usize::try_from(groups).ok().filter(|&g| g > 0);
    let groups = groups.ok_or_else(|| context.error("attribute `group`: expected at least 1"))?;
    Ok((input, kernel, groups))
}

fn window(context: &Context<'_>, kernel: &[Dim]) -> Result<Window> {
    let spatial = kernel.len() - 2;
    let stated = Window::kernel_attribute(context, spatial)?;
    if let Some(stated) = &stated
        && !stated.iter().zip(&kernel[2..]).all(|(a, b)| may_equal(a, b))
    {
        return Err(context.error(format!("attribute `kernel_shape`: expected {:?} like the weight, found {stated:?}", &kernel[2..])));
    }
    Window::read(context, spatial, stated.unwrap_or_else(|| kernel[2..].to_vec()))
}

fn check_bias(context: &Context<'_>, channels: &Dim) -> Result<()> {
    if context.has(2) {
        let bias = context.shape_of_rank(2, 1)?;
        if !may_equal(&bias[0], channels) {
            return Err(context.error(format!("input `B`: expected {channels} elements, found {}", bias[0])));
        }
    }
    Ok(())
}

/// Input `[N, C, ...]`, weight `[M, C / group, ...]`, output `[N, M, ...]`.
fn conv(context: &mut Context<'_>) -> Result<Inferred> {
    let (input, kernel, groups) = shapes(context)?;
    if let (Dim::Fixed(channels), Dim::Fixed(each)) = (&input[1], &kernel[1])
        && each.checked_mul(groups) != Some(*channels)
    {
        return Err(context.error(format!("expected {groups} groups of {each} input channels, found {channels} channels")));
    }
    if kernel[0].fixed().is_some_and(|outputs| !outputs.is_multiple_of(groups)) {
        return Err(context.error(format!("expected output channels in {groups} equal groups, found {}", kernel[0])));
    }
    check_bias(context, &kernel[0])?;
    let window = window(context, kernel)?;
    let mut shape = vec![input[0].clone(), kernel[0].clone()];
    for (axis, length) in input[2..].iter().enumerate() {
        shape.push(window.slide(context, axis, length)?);
    }
    Ok(shape.into())
}

/// Input `[N, C, ...]`, weight `[C, M / group, ...]`, output `[N, M, ...]`.
fn conv_transpose(context: &mut Context<'_>) -> Result<Inferred> {
    let (input, kernel, groups) = shapes(context)?;
    if !may_equal(&input[1], &kernel[0]) {
        return Err(context.error(format!("expected {} input channels like the weight, found {}", kernel[0], input[1])));
    }
    let channels = match &kernel[1] {
        Dim::Fixed(each) => {
            Dim::Fixed(each.checked_mul(groups).ok_or_else(|| context.error("expected a number of channels that fits memory"))?)
        }
        Dim::Free(_) if groups == 1 => kernel[1].clone(),
        Dim::Free(_) => context.fresh(),
    };
    check_bias(context, &channels)?;
    let window = window(context, kernel)?;
    let spatial = input.len() - 2;
    let extra = context.ints("output_padding").map_or_else(|| vec![0; spatial], <[i64]>::to_vec);
    if extra.len() != spatial || extra.iter().any(|&p| p < 0) {
        return Err(context.error(format!("attribute `output_padding`: expected {spatial} numbers of at least 0, found {extra:?}")));
    }
    let stated = context.ints("output_shape");
    let mut shape = vec![input[0].clone(), channels];
    for (axis, length) in input[2..].iter().enumerate() {
        shape.push(match stated {
            Some(stated) => stated_length(context, stated, axis, spatial)?,
            None => transposed(context, &window, axis, length, extra[axis])?,
        });
    }
    Ok(shape.into())
}

fn stated_length(context: &Context<'_>, stated: &[i64], axis: usize, spatial: usize) -> Result<Dim> {
    let length = stated.get(axis).filter(|_| stated.len() == spatial).and_then(|&n| usize::try_from(n).ok());
    length
        .map(Dim::Fixed)
        .ok_or_else(|| context.error(format!("attribute `output_shape`: expected {spatial} numbers of at least 0, found {stated:?}")))
}

fn transposed(context: &mut Context<'_>, window: &Window, axis: usize, length: &Dim, extra: i64) -> Result<Dim> {
    let (Dim::Fixed(length), Dim::Fixed(kernel)) = (length, &window.kernel[axis]) else { return Ok(context.fresh()) };
    let grown = |n: usize, by: usize| n.checked_mul(by).and_then(|n| i64::try_from(n).ok());
    let stride = window.strides[axis];
    let total = if window.is_same() {
        grown(*length, stride)
    } else {
        let (before, behind) = window.pads[axis];
        grown(length.saturating_sub(1), stride).zip(grown(kernel - 1, window.dilations[axis])).and_then(|(steps, extent)| {
            steps.checked_add(extent)?.checked_add(1)?.checked_add(extra)?.checked_sub(before)?.checked_sub(behind)
        })
    };
    let total = total.and_then(|n| usize::try_from(n).ok());
    total.map(Dim::Fixed).ok_or_else(|| context.error(format!("spatial axis {axis}: expected an output length of at least 0")))
}
