//! Batch normalisation folded into the layer before it (public code: `models/fold_bn.py`).

use crate::ann::{bias_key, finite, weight_key};
use crate::network::Network;
use zoo_core::{Error, Result, Tensor, Weights};

/// Batch normalisation of one layer, one value a channel each.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm<'a> {
    /// Scale.
    pub gamma: &'a [f32],
    /// Shift.
    pub beta: &'a [f32],
    /// Running mean.
    pub mean: &'a [f32],
    /// Running variance.
    pub var: &'a [f32],
    /// Added to the variance.
    pub eps: f64,
}

/// The epsilon of PyTorch's batch normalisation, which the authors leave as it is.
pub const EPS: f64 = 1e-5;

/// Folds batch normalisation into a weight whose first axis is the output channel. Returns weight and bias:
/// `W gamma / sqrt(var + eps)` and `beta + gamma (b - mean) / sqrt(var + eps)`, worked out in `f64`.
///
/// # Errors
/// [`Error::Shape`] if the lengths do not fit, [`Error::Argument`] for a variance that is negative or not finite.
pub fn fold(weight: &[f32], bias: Option<&[f32]>, bn: BatchNorm<'_>) -> Result<(Vec<f32>, Vec<f32>)> {
    let channels = bn.gamma.len();
    let lens = [bn.beta.len(), bn.mean.len(), bn.var.len(), bias.map_or(channels, <[f32]>::len)];
    if channels == 0 || !weight.len().is_multiple_of(channels) || lens.iter().any(|&l| l != channels) {
        return Err(Error::shape("batch normalisation (beta, mean, var, bias)", [channels; 4], lens));
    }
    if let Some(bad) = bn.var.iter().find(|v| !(v.is_finite() && **v >= 0.0)) {
        return Err(Error::argument("running variance of batch normalisation", "a finite number, at least 0", bad));
    }
    let scale: Vec<f64> = bn.gamma.iter().zip(bn.var).map(|(&g, &v)| f64::from(g) / (f64::from(v) + bn.eps).sqrt()).collect();
    let row = weight.len() / channels;
    let folded = weight.chunks_exact(row).zip(&scale).flat_map(|(w, s)| w.iter().map(move |&w| (f64::from(w) * s) as f32)).collect();
    let shifted = (0..channels)
        .map(|c| {
            let b = bias.map_or(0.0, |b| f64::from(b[c]));
            (f64::from(bn.beta[c]) + scale[c] * (b - f64::from(bn.mean[c]))) as f32
        })
        .collect();
    Ok((folded, shifted))
}

/// Names of a layer's tensors before folding, under `orig.`.
pub mod orig {
    /// Weight.
    pub fn weight(layer: usize) -> String {
        format!("orig.{layer}.weight")
    }
    /// Bias; absent where the layer has none of its own.
    pub fn bias(layer: usize) -> String {
        format!("orig.{layer}.bias")
    }
    /// Parts of a batch normalisation under PyTorch's names: scale, shift, running mean, running variance.
    pub const BN: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];
    /// One part of the batch normalisation.
    pub fn bn(layer: usize, part: &str) -> String {
        format!("orig.{layer}.bn.{part}")
    }
}

/// Folds a whole network: from `orig.*` to `layers.*`, keeping the former.
///
/// # Errors
/// [`Error::Keys`], listing every missing and unexpected name; [`Error::Shape`], [`Error::DType`] or [`Error::Argument`]
/// for a tensor that does not fit.
pub fn fold_network(network: &Network, mut weights: Weights) -> Result<Weights> {
    let mut wanted = Vec::new();
    for layer in network.weighted() {
        wanted.push(orig::weight(layer));
        if network.nodes()[layer].batch_norm {
            wanted.extend(orig::BN.map(|part| orig::bn(layer, part)));
            if weights.tensors.contains_key(&orig::bias(layer)) {
                wanted.push(orig::bias(layer));
            }
        } else {
            wanted.push(orig::bias(layer));
        }
    }
    weights.expect_keys("weights before folding", wanted.iter().map(String::as_str))?;
    for name in &wanted {
        finite(name, weights.get(name)?.as_slice()?)?;
    }
    for layer in network.weighted() {
        let shape = network.weight_shape(layer).unwrap_or_default();
        let channels = [network.shape(layer)[0]];
        let weight = weights.f32(&orig::weight(layer), &shape)?;
        let bias = match weights.tensors.contains_key(&orig::bias(layer)) {
            true => Some(weights.f32(&orig::bias(layer), &channels)?),
            false => None,
        };
        let (folded, shifted) = if network.nodes()[layer].batch_norm {
            let part = |at: usize| weights.f32(&orig::bn(layer, orig::BN[at]), &channels);
            fold(weight, bias, BatchNorm { gamma: part(0)?, beta: part(1)?, mean: part(2)?, var: part(3)?, eps: EPS })?
        } else {
            (weight.to_vec(), bias.unwrap_or_default().to_vec())
        };
        weights.insert(weight_key(layer), Tensor::from_vec(shape, folded)?);
        weights.insert(bias_key(layer), Tensor::from_vec(channels, shifted)?);
    }
    Ok(weights)
}
