//! `ann.onnx`: the ReLU network with batch normalisation folded.

use super::current::Walk;
use crate::ann::Ann;
use std::collections::BTreeMap;
use zoo_core::{Artifact, Result};

/// Exports the ANN.
///
/// # Shapes
/// `x` `[batch, channels, rows, columns]` to `logits` `[batch, classes]`.
///
/// # Errors
/// What the graph builder finds.
pub fn ann(name: &str, opset: Option<u32>, ann: &Ann, metadata: BTreeMap<String, String>) -> Result<Artifact> {
    let network = ann.network();
    let mut walk = Walk::new(name, opset, network)?;
    let last = network.nodes().len() - 1;
    for (layer, node) in network.nodes().iter().enumerate() {
        let weight = ann.kernel(layer).map(|k| k.weight());
        let mut value = walk.current(layer, weight.as_deref(), ann.bias(layer))?;
        if node.relu {
            value = walk.graph.relu(value)?;
        }
        walk.done(value);
        if layer == last {
            walk.graph.output("logits", value)?;
        }
    }
    for (key, value) in metadata {
        walk.graph.metadata(key, value);
    }
    Ok(walk.graph.variant("ann").finish()?)
}
