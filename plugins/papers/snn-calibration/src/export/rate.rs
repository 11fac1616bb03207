//! `rate_T{n}.onnx`: the closed form of specification section 2, all steps at once.
//!
//! It equals the stepped network only where the current of a layer is the same at every step or stays within
//! `[0, theta]`; elsewhere it is a twin whose gap is worth reporting.

use super::current::{Walk, per_channel};
use crate::kernel::channels_first;
use crate::snn::Snn;
use std::collections::BTreeMap;
use zoo_core::{Artifact, Result, Tensor};

/// Exports the closed form.
///
/// # Shapes
/// `x` `[batch, channels, rows, columns]` to `logits` `[batch, classes]`, the mean over the steps.
///
/// # Errors
/// What the graph builder finds.
pub fn rate(name: &str, opset: Option<u32>, snn: &Snn, metadata: BTreeMap<String, String>) -> Result<Artifact> {
    let network = snn.network();
    let mut walk = Walk::new(name, opset, network)?;
    let steps = snn.steps() as f32;
    let last = network.nodes().len() - 1;
    for layer in 0..=last {
        let weight = snn.kernel(layer).map(|k| k.weight());
        let neurons = snn.neurons(layer);
        let bias = neurons.map_or_else(|| snn.ann().bias(layer), |n| &n.bias);
        let current = walk.current(layer, weight.as_deref(), bias)?;
        let Some(neurons) = neurons else {
            walk.done(current);
            if layer == last {
                walk.graph.output("logits", current)?;
            }
            continue;
        };
        let flat = walk.flat(layer);
        let graph = &mut walk.graph;
        let gain: Vec<f32> = neurons.threshold.iter().map(|t| steps / t).collect();
        let gain = graph.initializer(&format!("gain.{layer}"), &per_channel(&gain, flat)?)?;
        let quantum: Vec<f32> = neurons.threshold.iter().map(|t| t / steps).collect();
        let quantum = graph.initializer(&format!("quantum.{layer}"), &per_channel(&quantum, flat)?)?;
        let mut scaled = graph.mul(current, gain)?;
        if let Some(v_init) = &neurons.v_init {
            let [c, h, w] = network.shape(layer);
            let thetas = neurons.threshold.iter().cycle();
            let relative: Vec<f32> = v_init.iter().zip(thetas).map(|(v, t)| v / t).collect();
            let shape = if flat { vec![1, c] } else { vec![1, c, h, w] };
            let v_init = Tensor::from_vec(shape, channels_first([c, h, w], &relative))?;
            let v_init = graph.initializer(&format!("v_init.{layer}"), &v_init)?;
            scaled = graph.add(scaled, v_init)?;
        }
        if snn.shift() {
            scaled = graph.add_scalar(scaled, 0.5)?;
        }
        let count = graph.floor(scaled)?;
        let count = graph.clip(count, Some(0.0), Some(f64::from(steps)))?;
        let rate = graph.mul(count, quantum)?;
        walk.done(rate);
    }
    for (key, value) in metadata {
        walk.graph.metadata(key, value);
    }
    Ok(walk.graph.variant(format!("rate_T{}", snn.steps())).finish()?)
}
