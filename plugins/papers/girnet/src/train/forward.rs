//! The three networks in the training engine, for images of two axes.

use crate::config::{NetworkConfig, Widths};
use crate::network::{INP, LEAK, Named, REG, REG_HEADS, REG_LAYERS, RegLayer, SEG};
use std::collections::BTreeMap;
use zoo_core::{Error, Result};
use zoo_train::burn::tensor::{Tensor, activation};
use zoo_train::ops::{self, Conv2dOptions, Pool2dOptions};
use zoo_train::params::{Init, ParamStore};

/// Deviation of fresh weights of mask generator and inpainter.
const SPREAD: f32 = 0.02;

/// Adds tensors, drawn as the authors' code draws them: N(0, 0.02) and zeros for mask generator and inpainter, PyTorch's
/// defaults for the registration network.
///
/// # Errors
/// [`Error::Argument`] if a name is taken.
pub fn add_tensors(params: &mut ParamStore, tensors: &[Named]) -> Result<()> {
    let mut fan = 1;
    for (name, shape) in tensors {
        let weight = name.ends_with("weight");
        if weight {
            fan = shape[1..].iter().product();
        }
        let init = match (name.starts_with(REG), weight) {
            (true, _) => Init::FanIn { fan_in: fan },
            (false, true) => Init::Normal { std: SPREAD },
            (false, false) => Init::Constant(0.0),
        };
        params.parameter(name, shape, init)?;
    }
    Ok(())
}

fn block(params: &ParamStore, name: &str, x: Tensor<4>) -> Result<Tensor<4>> {
    let y = params.conv2d(&format!("{name}.conv.0"), x, Conv2dOptions::padded(1))?;
    Ok(activation::leaky_relu(y, f64::from(LEAK)))
}

/// The bottom, and what each level had before its pooling.
fn encode(params: &ParamStore, prefix: &str, widths: &Widths, x: Tensor<4>) -> Result<(Tensor<4>, Vec<Tensor<4>>)> {
    let mut skips = Vec::new();
    let mut y = x;
    for level in 0..widths.encoder.len() {
        y = block(params, &format!("{prefix}.encoder.{level}.0"), y)?;
        skips.push(y.clone());
        y = ops::max_pool2d(y, Pool2dOptions::square(2))?;
    }
    Ok((y, skips))
}

fn double(x: Tensor<4>) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    let blocks: Tensor<6> = x.reshape([n, c, h, 1, w, 1]);
    blocks.expand([n, c, h, 2, w, 2]).reshape([n, c, 2 * h, 2 * w])
}

fn decode(params: &ParamStore, prefix: &str, widths: &Widths, bottom: Tensor<4>, skips: Vec<Tensor<4>>) -> Result<Tensor<4>> {
    let mut y = bottom;
    for (level, skip) in skips.into_iter().rev().enumerate() {
        y = block(params, &format!("{prefix}.decoder.decoder.{level}.0"), y)?;
        y = Tensor::cat(vec![double(y), skip], 1);
    }
    for i in 0..widths.tail.len() {
        y = block(params, &format!("{prefix}.decoder.remaining.{i}"), y)?;
    }
    params.conv2d(&format!("{prefix}.final.0"), y, Conv2dOptions::padded(1))
}

/// Soft mask `[n, 1, h, w]` of images `[n, 1, h, w]`.
///
/// # Errors
/// Shapes that do not fit.
pub fn seg(params: &ParamStore, network: &NetworkConfig, x: Tensor<4>) -> Result<Tensor<4>> {
    let (bottom, skips) = encode(params, &format!("{SEG}.encoder"), &network.seg, x)?;
    Ok(activation::sigmoid(decode(params, SEG, &network.seg, bottom, skips)?))
}

/// Images whose holes (`mask` 1) are filled after `reference`.
///
/// # Errors
/// Shapes that do not fit.
pub fn inp(params: &ParamStore, network: &NetworkConfig, masked: Tensor<4>, mask: Tensor<4>, reference: Tensor<4>) -> Result<Tensor<4>> {
    let (own, own_skips) = encode(params, &format!("{INP}.encoder1"), &network.inp, Tensor::cat(vec![masked, mask], 1))?;
    let (other, other_skips) = encode(params, &format!("{INP}.encoder2"), &network.inp, reference)?;
    let skips = own_skips.into_iter().zip(other_skips).map(|(a, b)| Tensor::cat(vec![a, b], 1)).collect();
    decode(params, INP, &network.inp, Tensor::cat(vec![own, other], 1), skips)
}

/// Velocities from `x` to `y` and back, `[n, 2, h, w]`, from -1 to 1.
///
/// # Errors
/// Shapes that do not fit.
pub fn reg(params: &ParamStore, x: Tensor<4>, y: Tensor<4>) -> Result<[Tensor<4>; 2]> {
    let mut value = Tensor::cat(vec![x, y], 1);
    let mut known: BTreeMap<&str, Tensor<4>> = BTreeMap::new();
    for layer in REG_LAYERS {
        match layer {
            RegLayer::Conv(name, _, stride) => {
                let options = Conv2dOptions { stride: [stride; 2], ..Conv2dOptions::padded(1) };
                value = activation::relu(params.conv2d(&format!("{REG}.{name}.0"), value, options)?);
                known.insert(name, value.clone());
            }
            RegLayer::Up(name, _, skip) => {
                let up = activation::relu(params.conv_transpose2x2(&format!("{REG}.{name}.0"), value)?);
                let skip = known.get(skip).cloned().ok_or_else(|| Error::argument("skip", "a layer before", skip))?;
                value = Tensor::cat(vec![up, skip], 1);
            }
        }
    }
    let head = |name: &str| -> Result<Tensor<4>> {
        let v = params.conv2d(&format!("{REG}.{name}.0"), value.clone(), Conv2dOptions::padded(2))?;
        Ok(v.clone() / (v.abs() + 1.0))
    };
    Ok([head(REG_HEADS[0])?, head(REG_HEADS[1])?])
}
