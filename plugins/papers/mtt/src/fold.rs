//! Folding batch normalisation into the layer before it, and bias removal (specification section 4).

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
    /// `[out]`; absent where nothing is added.
    pub bias: Option<Tensor>,
}

fn check(network: &Network, weights: &Weights) -> Result<()> {
    let tensors = network.tensors();
    weights.expect_keys("weights of this network", tensors.iter().map(|(name, _)| name.as_str()))?;
    for (name, shape) in &tensors {
        let wanted: Vec<_> = shape.iter().copied().map(Some).collect();
        weights.get(name)?.expect(&format!("weight `{name}`"), DType::F32, &wanted)?;
    }
    Ok(())
}

/// The network with batch normalisation folded: one entry a layer, `None` for pools.
///
/// # Errors
/// [`zoo_core::Error::Keys`], [`zoo_core::Error::Shape`] or [`zoo_core::Error::DType`] if the file is not this network's.
pub fn fold(network: &Network, weights: &Weights) -> Result<Vec<Option<Folded>>> {
    check(network, weights)?;
    let mut all: Vec<Option<Folded>> = vec![None; network.layers().len()];
    for layer in network.weighted() {
        let description = &network.layers()[layer];
        let out = network.shape(layer)[0];
        let shape = network.weight_shape(layer);
        let weight = weights.f32(&format!("{}.weight", description.name), &shape)?;
        let bias = match network.has_bias(layer) {
            true => Some(weights.f32(&format!("{}.bias", description.name), &[out])?.to_vec()),
            false => None,
        };
        let (weight, bias) = match &description.norm {
            None => (weight.to_vec(), bias),
            Some(norm) => {
                let part = |part: &str| weights.f32(&format!("{norm}.{part}"), &[out]);
                let [gamma, beta, mean, var] = [part(NORM[0])?, part(NORM[1])?, part(NORM[2])?, part(NORM[3])?];
                let scale: Vec<f64> = gamma.iter().zip(var).map(|(g, v)| f64::from(*g) / (f64::from(*v) + EPS).sqrt()).collect();
                let row = (weight.len() / out.max(1)).max(1);
                let scaled = weight.iter().enumerate().map(|(i, w)| (f64::from(*w) * scale[i / row]) as f32).collect();
                let own = bias.unwrap_or_else(|| vec![0.0; out]);
                let moved = (0..out).map(|o| ((f64::from(own[o]) - f64::from(mean[o])) * scale[o] + f64::from(beta[o])) as f32);
                (scaled, Some(moved.collect()))
            }
        };
        let bias = bias.map(|bias| Tensor::from_vec([out], bias)).transpose()?;
        all[layer] = Some(Folded { weight: Tensor::from_vec(shape, weight)?, bias });
    }
    Ok(all)
}

/// Bias removal: zeroes every bias and every running mean, and folds the rest of batch normalisation into the weights.
/// The result belongs to the network [`Network::without_norms`].
///
/// # Errors
/// As [`fold`].
pub fn remove_biases(network: &Network, weights: &Weights) -> Result<Weights> {
    check(network, weights)?;
    let mut without = weights.clone();
    let named = |name: &str| name.ends_with(".bias") || name.ends_with(".beta") || name.ends_with(".mean");
    for (name, tensor) in &mut without.tensors {
        if named(name) {
            *tensor = Tensor::zeros(DType::F32, tensor.shape())?;
        }
    }
    let folded = fold(network, &without)?;
    let mut result = Weights::new();
    for layer in network.weighted() {
        if let Some(parts) = &folded[layer] {
            result.insert(format!("{}.weight", network.layers()[layer].name), parts.weight.clone());
            if network.has_bias(layer)
                && let Some(bias) = &parts.bias
            {
                result.insert(format!("{}.bias", network.layers()[layer].name), bias.clone());
            }
        }
    }
    Ok(result)
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

/// Every weight on the grid of 2^-8, on which sums are exact (specification section 8.2).
///
/// # Errors
/// [`zoo_core::Error::DType`] for weights that are not f32.
pub fn on_grid(weights: &Weights) -> Result<Weights> {
    let mut grid = weights.clone();
    for tensor in grid.tensors.values_mut() {
        let rounded = tensor.as_slice::<f32>()?.iter().map(|v| (v * 256.0).round() / 256.0).collect();
        *tensor = Tensor::from_vec(tensor.shape(), rounded)?;
    }
    Ok(grid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Architecture;

    #[test]
    fn removal_leaves_no_bias_and_equals_the_network_without_mean_and_beta() {
        let network = Network::new(Architecture::Nmnist3c1fc, [2, 12, 12], 10, 1).unwrap();
        let mut weights = Weights::new();
        for (name, shape) in network.tensors() {
            let count: usize = shape.iter().product();
            let values = (0..count).map(|i| 0.25 + ((i * 37 + name.len()) % 17) as f32 / 16.0).collect();
            weights.insert(name, Tensor::from_vec(shape, values).unwrap());
        }
        let removed = remove_biases(&network, &weights).unwrap();
        assert!(fold(&network.clone().without_norms(), &removed).unwrap().iter().flatten().all(|parts| parts.bias.is_none()));
        // By hand: w * gamma / sqrt(var + eps), channel by channel.
        let at = |name: &str| weights.get(name).unwrap().as_slice::<f32>().unwrap().to_vec();
        let (w, g, v) = (at("stages.1.conv1.weight"), at("stages.1.bn1.gamma"), at("stages.1.bn1.var"));
        let found = removed.get("stages.1.conv1.weight").unwrap().as_slice::<f32>().unwrap();
        for (i, found) in found.iter().enumerate() {
            let channel = i / (8 * 9);
            assert!((found - w[i] * g[channel] / (v[channel] + 1e-5).sqrt()).abs() < 1e-5);
        }
        // And the fold of the whole has the bias by hand.
        let whole = fold(&network, &weights).unwrap();
        let (b, m) = (at("stages.1.bn1.beta"), at("stages.1.bn1.mean"));
        let layer = network.layers().iter().position(|l| l.name == "stages.1.conv1").unwrap();
        let bias = whole[layer].as_ref().unwrap().bias.as_ref().unwrap().as_slice::<f32>().unwrap().to_vec();
        assert!((0..16).all(|c| (bias[c] - (b[c] - m[c] * g[c] / (v[c] + 1e-5).sqrt())).abs() < 1e-5));
        weights.tensors.remove("head.weight");
        assert!(fold(&network, &weights).unwrap_err().to_string().contains("head.weight"));
    }
}
