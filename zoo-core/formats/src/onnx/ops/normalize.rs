//! Normalisation.

use crate::error::Result;
use crate::onnx::dims::may_equal;
use crate::onnx::infer::{Context, Inferred, Rule};
use zoo_core::Dim;

pub(super) const RULES: &[(&str, Rule)] =
    &[("BatchNormalization", batch), ("InstanceNormalization", instance), ("LayerNormalization", layer)];

/// Inputs from `first` on must hold one element a channel.
fn check_channels(context: &Context<'_>, inputs: std::ops::Range<usize>) -> Result<()> {
    let shape = context.shape(0)?;
    let channels = shape.get(1).ok_or_else(|| context.error(format!("expected batch and channels, found {} axes", shape.len())))?;
    for input in inputs {
        let found = &context.shape_of_rank(input, 1)?[0];
        if !may_equal(found, channels) {
            return Err(context.error(format!("input {input}: expected {channels} elements, found {found}")));
        }
    }
    Ok(())
}

/// Inference form: one output. Training form (`training_mode` 1): the running mean and variance too.
fn batch(context: &mut Context<'_>) -> Result<Inferred> {
    check_channels(context, 1..5)?;
    let shape = context.shape(0)?.to_vec();
    if context.int("training_mode", 0) == 0 {
        return Ok(shape.into());
    }
    let statistics = vec![shape[1].clone()];
    Ok(vec![shape, statistics.clone(), statistics].into())
}

fn instance(context: &mut Context<'_>) -> Result<Inferred> {
    check_channels(context, 1..3)?;
    Ok(context.shape(0)?.to_vec().into())
}

/// Normalises over the axes from `axis` on; mean and inverse deviation are further outputs.
fn layer(context: &mut Context<'_>) -> Result<Inferred> {
    let shape = context.shape(0)?;
    let axis = context.axis(context.int("axis", -1), shape.len())?;
    for input in 1..context.input_count() {
        if context.has(input) {
            let found = context.shape(input)?;
            let fits = found.len() <= shape.len()
                && found.iter().rev().zip(shape.iter().rev()).all(|(have, want)| have.fixed() == Some(1) || may_equal(have, want));
            if !fits {
                return Err(
                    context.error(format!("input {input}: expected a shape that broadcasts to {:?}, found {found:?}", &shape[axis..]))
                );
            }
        }
    }
    let statistics: Vec<_> = shape.iter().enumerate().map(|(i, d)| if i < axis { d.clone() } else { Dim::Fixed(1) }).collect();
    let mut shapes = vec![shape.to_vec()];
    shapes.extend((1..context.output_count().min(3)).map(|_| statistics.clone()));
    Ok(shapes.into())
}
