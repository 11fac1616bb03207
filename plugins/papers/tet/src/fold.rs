//! Folding batch normalisation into the convolution before it: what is deployed.

use crate::network::{NORM, Network};
use sha2::{Digest, Sha256};
use zoo_core::{DType, Result, Tensor, Weights};

/// Added to the variance; PyTorch's default.
const EPS: f64 = 1e-5;

/// Weight and bias of one layer, ready to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Folded {
    /// `[out, in, kernel, kernel]` or `[out, in]`.
    pub weight: Tensor,
    /// `[out]`; a convolution's is added at every step.
    pub bias: Tensor,
}

/// The network with batch normalisation folded: one entry a layer, `None` for pools.
///
/// # Errors
/// [`zoo_core::Error::Keys`], [`zoo_core::Error::Shape`] or [`zoo_core::Error::DType`] if the file is not this network's.
pub fn fold(network: &Network, weights: &Weights) -> Result<Vec<Option<Folded>>> {
    let tensors = network.tensors();
    weights.expect_keys("weights of this network", tensors.iter().map(|(name, _)| name.as_str()))?;
    for (name, shape) in &tensors {
        let wanted: Vec<_> = shape.iter().copied().map(Some).collect();
        weights.get(name)?.expect(&format!("weight `{name}`"), DType::F32, &wanted)?;
    }
    let mut all: Vec<Option<Folded>> = vec![None; network.layers().len()];
    for layer in network.weighted() {
        let description = &network.layers()[layer];
        let out = network.shape(layer)[0];
        let shape = network.weight_shape(layer);
        let weight = weights.f32(&format!("{}.weight", description.name), &shape)?;
        let bias = match network.has_bias(layer) {
            true => weights.f32(&format!("{}.bias", description.name), &[out])?.to_vec(),
            false => vec![0.0; out],
        };
        let (weight, bias) = match &description.norm {
            None => (weight.to_vec(), bias),
            Some(norm) => {
                let part = |part: &str| weights.f32(&format!("{norm}.{part}"), &[out]);
                let [gamma, beta, mean, var] = [part(NORM[0])?, part(NORM[1])?, part(NORM[2])?, part(NORM[3])?];
                let scale: Vec<f64> = gamma.iter().zip(var).map(|(g, v)| f64::from(*g) / (f64::from(*v) + EPS).sqrt()).collect();
                let row = weight.len() / out.max(1);
                let scaled = weight.iter().enumerate().map(|(i, w)| (f64::from(*w) * scale[i / row.max(1)]) as f32).collect();
                let moved = (0..out).map(|o| ((f64::from(bias[o]) - f64::from(mean[o])) * scale[o] + f64::from(beta[o])) as f32);
                (scaled, moved.collect())
            }
        };
        all[layer] = Some(Folded { weight: Tensor::from_vec(shape, weight)?, bias: Tensor::from_vec([out], bias)? });
    }
    Ok(all)
}

/// SHA-256 over names and contents of a file's tensors, in order of their names.
pub fn weights_hash(weights: &Weights) -> String {
    let mut hash = Sha256::new();
    for (name, tensor) in &weights.tensors {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name.as_bytes());
        hash.update(tensor.as_bytes());
    }
    hex::encode(hash.finalize())
}
