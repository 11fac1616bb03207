//! `step.onnx`: one time step of the SNN; the caller keeps the states and sums the logits.

use super::current::{Walk, batched, per_channel};
use super::metadata_key;
use crate::kernel::channels_first;
use crate::snn::Snn;
use std::collections::BTreeMap;
use zoo_core::{Artifact, ArtifactFile, DType, Result, Tensor};

/// Exports one step.
///
/// # Shapes
/// `x` `[batch, channels, rows, columns]` and `v.{layer}` `[batch, ...]` for every spiking layer, to `logits_t`
/// `[batch, classes]` and `v_out.{layer}`. Initial potentials are metadata (`v_init`), and a safetensors file beside
/// the graph for readers of files.
///
/// # Errors
/// What the graph builder finds.
pub fn step(name: &str, opset: Option<u32>, snn: &Snn, metadata: BTreeMap<String, String>) -> Result<Artifact> {
    let network = snn.network();
    let mut walk = Walk::new(name, opset, network)?;
    let mut states = Vec::new();
    for layer in network.spiking() {
        let shape = state_shape(snn, layer);
        states.push((layer, walk.graph.input(&format!("v.{layer}"), DType::F32, batched(&shape))?));
    }
    let mut next = Vec::new();
    let last = network.nodes().len() - 1;
    let half = 0.5 / snn.steps() as f32;
    for layer in 0..=last {
        let weight = snn.kernel(layer).map(|k| k.weight());
        let neurons = snn.neurons(layer);
        let bias = neurons.map_or_else(|| snn.ann().bias(layer), |n| &n.bias);
        let current = walk.current(layer, weight.as_deref(), bias)?;
        let state = states.iter().find(|(n, _)| *n == layer);
        let (Some(neurons), Some(&(_, state))) = (neurons, state) else {
            walk.done(current);
            if layer == last {
                walk.graph.output("logits_t", current)?;
            }
            continue;
        };
        let flat = walk.flat(layer);
        let graph = &mut walk.graph;
        let theta = graph.initializer(&format!("theta.{layer}"), &per_channel(&neurons.threshold, flat)?)?;
        let mut current = current;
        if snn.shift() {
            let shift: Vec<f32> = neurons.threshold.iter().map(|t| t * half).collect();
            let shift = graph.initializer(&format!("shift.{layer}"), &per_channel(&shift, flat)?)?;
            current = graph.add(current, shift)?;
        }
        let raised = graph.add(state, current)?;
        let fired = graph.greater_or_equal(raised, theta)?;
        let fired = graph.cast(fired, DType::F32)?;
        let spikes = graph.mul(fired, theta)?;
        let left = graph.sub(raised, spikes)?;
        next.push((layer, left));
        walk.done(spikes);
    }
    for (layer, left) in next {
        walk.graph.output(&format!("v_out.{layer}"), left)?;
    }
    for (key, value) in metadata {
        walk.graph.metadata(key, value);
    }
    let potentials = initial_states(snn)?;
    let any = potentials.iter().any(|(_, t)| t.to_f32().iter().any(|v| *v != 0.0));
    if any {
        let bytes: Vec<u8> = potentials.iter().flat_map(|(_, t)| t.as_bytes().to_vec()).collect();
        walk.graph.metadata(metadata_key::V_INIT, hex::encode(bytes));
    }
    let mut artifact = walk.graph.variant("step").finish()?;
    if any {
        let mut file = zoo_core::Weights::new();
        for (layer, tensor) in potentials {
            file.insert(format!("v.{layer}"), tensor);
        }
        let bytes = zoo_formats::safetensors::to_bytes(&file)?;
        artifact.files.push(ArtifactFile { name: "v_init.safetensors".into(), bytes: bytes.into() });
    }
    Ok(artifact)
}

/// Shape of a spiking layer's state without the batch axis: `[C, H, W]`, or `[C]` after a linear layer.
fn state_shape(snn: &Snn, layer: usize) -> Vec<usize> {
    let network = snn.network();
    let [c, h, w] = network.shape(layer);
    if matches!(network.nodes()[layer].op, crate::network::Op::Linear { .. }) { vec![c] } else { vec![c, h, w] }
}

/// Initial potential of every spiking layer, without a batch axis.
///
/// # Errors
/// [`zoo_core::Error::Shape`] if a size overflows.
pub fn initial_states(snn: &Snn) -> Result<Vec<(usize, Tensor)>> {
    let network = snn.network();
    let one = |layer: usize| {
        let shape = state_shape(snn, layer);
        let tensor = match snn.neurons(layer).and_then(|n| n.v_init.as_ref()) {
            Some(v_init) => Tensor::from_vec(shape, channels_first(network.shape(layer), v_init))?,
            None => Tensor::zeros(DType::F32, shape)?,
        };
        Ok((layer, tensor))
    };
    network.spiking().map(one).collect()
}
