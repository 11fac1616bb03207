//! Calibration results as tensors: `calib.{n}.threshold`, `.bias`, `.v_init`, `.weight` (specification section 11).
//!
//! They never touch the ANN's own tensors, so one ANN file serves any number of steps.

use crate::ann::{Ann, finite};
use crate::calibrate::Recipe;
use crate::kernel::{channels_first, channels_last};
use crate::network::Network;
use crate::snn::{Neurons, Snn};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use zoo_core::{Error, Result, Tensor, Weights};

/// Name of a calibration tensor: `threshold`, `bias`, `v_init` or `weight`.
pub fn key(layer: usize, part: &str) -> String {
    format!("calib.{layer}.{part}")
}

/// The calibration of a converted network.
///
/// # Shapes
/// `threshold` and `bias` `[channels]`, `v_init` `[channels, rows, columns]`, `weight` as the layer's.
///
/// # Errors
/// [`Error::Shape`] if a tensor's size overflows.
pub fn to_weights(snn: &Snn, recipe: &Recipe, calibration_hash: &str) -> Result<Weights> {
    let network = snn.network();
    let mut weights = Weights::new();
    for layer in network.spiking() {
        let Some(neurons) = snn.neurons(layer) else { continue };
        let shape = network.shape(layer);
        weights.insert(key(layer, "threshold"), Tensor::from_vec([shape[0]], neurons.threshold.clone())?);
        weights.insert(key(layer, "bias"), Tensor::from_vec([shape[0]], neurons.bias.clone())?);
        if let Some(v_init) = &neurons.v_init {
            weights.insert(key(layer, "v_init"), Tensor::from_vec(shape, channels_first(shape, v_init))?);
        }
        if let (Some(weight), Some(shape)) = (&neurons.weight, network.weight_shape(layer)) {
            weights.insert(key(layer, "weight"), Tensor::from_vec(shape, weight.clone())?);
        }
    }
    let metadata = [
        ("T", recipe.steps.to_string()),
        ("shift", recipe.shift.to_string()),
        ("threshold_mode", recipe.threshold.mode.to_string()),
        ("channel_wise", recipe.threshold.channel_wise.to_string()),
        ("pipeline", recipe.pipeline.name().into()),
        ("calib_index_hash", calibration_hash.into()),
        ("ann_hash", ann_hash(&snn.ann().weights()?)),
    ];
    weights.metadata = metadata.map(|(k, v)| (k.to_string(), v)).into();
    Ok(weights)
}

/// Builds the converted network from a file that holds `layers.*` and `calib.*`.
///
/// # Errors
/// [`Error::Keys`] for missing tensors or metadata, or `calib.*` tensors of layers that do not spike; [`Error::Shape`],
/// [`Error::DType`] or [`Error::Argument`] for values that do not fit.
pub fn from_weights(network: &Network, weights: &Weights) -> Result<Snn> {
    let missing: Vec<String> =
        ["T", "shift"].iter().filter(|k| !weights.metadata.contains_key(**k)).map(|k| format!("metadata {k}")).collect();
    let known: Vec<String> = network.spiking().flat_map(|n| ["threshold", "bias", "v_init", "weight"].map(|part| key(n, part))).collect();
    let unexpected: Vec<String> = weights.tensors.keys().filter(|k| k.starts_with("calib.") && !known.contains(k)).cloned().collect();
    if !missing.is_empty() || !unexpected.is_empty() {
        return Err(Error::Keys { what: "calibration".into(), missing, unexpected });
    }
    let steps: u32 = metadata(&weights.metadata, "T", "a number of steps")?;
    if steps > crate::config::MAX_STEPS {
        return Err(Error::argument("metadata `T`", format!("at most {}", crate::config::MAX_STEPS), steps));
    }
    let shift: bool = metadata(&weights.metadata, "shift", "true or false")?;
    let ann = Arc::new(Ann::new(network.clone(), weights)?);
    let mut thresholds = vec![None; network.nodes().len()];
    for layer in network.spiking() {
        thresholds[layer] = Some(checked(weights, layer, "threshold", &[network.shape(layer)[0]])?.to_vec());
    }
    let mut snn = Snn::new(ann, &thresholds, steps, shift)?;
    for layer in network.spiking() {
        let shape = network.shape(layer);
        let optional = |part: &str, shape: &[usize]| match weights.tensors.contains_key(&key(layer, part)) {
            true => checked(weights, layer, part, shape).map(|v| Some(v.to_vec())),
            false => Ok(None),
        };
        let neurons = Neurons {
            threshold: thresholds[layer].take().unwrap_or_default(),
            bias: checked(weights, layer, "bias", &[shape[0]])?.to_vec(),
            v_init: optional("v_init", &shape)?.map(|v| channels_last(shape, &v)),
            weight: match network.weight_shape(layer) {
                Some(shape) => optional("weight", &shape)?,
                None => None,
            },
        };
        snn.set_neurons(layer, neurons)?;
    }
    Ok(snn)
}

fn checked<'a>(weights: &'a Weights, layer: usize, part: &str, shape: &[usize]) -> Result<&'a [f32]> {
    let name = key(layer, part);
    let values = weights.f32(&name, shape)?;
    finite(&name, values)?;
    Ok(values)
}

fn metadata<T: std::str::FromStr>(metadata: &BTreeMap<String, String>, name: &str, expected: &str) -> Result<T> {
    let text = metadata.get(name).map_or("", String::as_str);
    text.parse().map_err(|_| Error::argument(format!("metadata `{name}`"), expected, text))
}

/// SHA-256 over the names, shapes and bytes of the folded ANN tensors.
pub fn ann_hash(weights: &Weights) -> String {
    hash(weights, |name| name.starts_with("layers."))
}

/// SHA-256 over the names, shapes and bytes of all tensors.
pub fn weights_hash(weights: &Weights) -> String {
    hash(weights, |_| true)
}

fn hash(weights: &Weights, take: impl Fn(&str) -> bool) -> String {
    let mut hash = Sha256::new();
    for (name, tensor) in weights.tensors.iter().filter(|(name, _)| take(name)) {
        hash.update(format!("{name} {} {:?}\n", tensor.dtype(), tensor.shape()));
        hash.update(tensor.as_bytes());
    }
    hex::encode(hash.finalize())
}
