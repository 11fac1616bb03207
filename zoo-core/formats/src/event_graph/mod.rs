//! The event graph: the zoo's canonical form of a spiking network.
//!
//! Two files: `graph.json` (topology, neuron rules, steps, readout) and `graph.safetensors` (`f32` weights). Reset,
//! comparison, floor, payload and the number of spikes a step are values in the file, never conventions of a reader;
//! that is what NIR leaves open. Tensors keep PyTorch's layouts (`[C_out, C_in, K_y, K_x]`, `[N_out, N_in]`).
//!
//! # Meaning of one step
//! A node that is not a neuron passes the current of the same step on (`delay` excepted). A neuron, integrator or
//! readout sums all that reaches it through `add` into one current, in this order: the biases, operand by operand, then
//! the products, operand by operand; within a convolution or linear layer by ascending input position (y, then x, then
//! channel; a flattened image keeps its positions). Executors that promise bit-equality for arbitrary `f32` weights
//! follow that order, without fused multiply-add.
//!
//! ```
//! use zoo_formats::event_graph::{EventGraph, Neuron, ReadoutRule, Source};
//! use zoo_core::Tensor;
//!
//! let graph = EventGraph::builder(8)
//!     .input("x", [1, 4, 4], Source::Constant)
//!     .conv2d("conv", "x", Tensor::from_vec([2, 1, 3, 3], vec![0.25f32; 18])?, None).padding([1, 1])
//!     .neuron("spikes", "conv", Neuron::integrate_and_fire(1.0))
//!     .flatten("flat", "spikes")
//!     .linear("fc", "flat", Tensor::from_vec([3, 32], vec![0.5f32; 96])?, None)
//!     .readout("fc", ReadoutRule::Mean)
//!     .build()?;
//! let artifact = graph.to_artifact("step")?;
//! assert_eq!(EventGraph::from_artifact(&artifact)?, graph);
//! # Ok::<(), zoo_core::Error>(())
//! ```

mod builder;
mod check;
mod node;
mod read;
mod shape;
mod topology;
mod write;

pub use builder::Builder;
pub use node::{Compare, Dynamics, Neuron, Node, Op, Param, Payload, Readout, ReadoutRule, Reset, Source, SpikesPerStep};

use std::collections::BTreeMap;
use zoo_core::{Error, Tensor};

/// Value of `schema` in `graph.json`.
pub const SCHEMA: &str = "zoo.event-graph/1";
/// Name of the topology file.
pub const GRAPH_FILE: &str = "graph.json";
/// Name of the weight file.
pub const WEIGHTS_FILE: &str = "graph.safetensors";

/// What a reader accepts at most, so that a hostile file can't exhaust memory.
pub mod limits {
    /// Nodes of a graph.
    pub const NODES: usize = 10_000;
    /// Values a node may put out in one step.
    pub const NODE_ELEMENTS: usize = 1 << 26;
    /// Values all nodes together may put out in one step.
    pub const TOTAL_ELEMENTS: usize = 1 << 28;
    /// Time steps, and steps of a delay.
    pub const STEPS: usize = 1_000_000;
    /// Values a delay line may hold.
    pub const DELAY_ELEMENTS: usize = 1 << 28;
    /// Bytes of `graph.json`.
    pub const JSON_BYTES: usize = 64 << 20;
}

/// A spiking network.
#[derive(Clone, Debug, PartialEq)]
pub struct EventGraph {
    /// Time steps of one run.
    pub steps: usize,
    /// Nodes, in any order.
    pub nodes: Vec<Node>,
    /// From outputs over time to logits.
    pub readout: Readout,
    /// Tensors that nodes name; all `f32`.
    pub tensors: BTreeMap<String, Tensor>,
    /// What travels along: paper id, config hash, licence ...
    pub metadata: BTreeMap<String, String>,
}

impl EventGraph {
    /// Starts a graph that runs for `steps` steps.
    pub fn builder(steps: usize) -> Builder {
        Builder::new(steps)
    }

    /// The node of that name.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|n| n.name == name)
    }
}

/// An error at a node (or `""` for the graph as a whole).
fn at(node: &str, why: impl Into<String>) -> Error {
    let place = if node.is_empty() { "the graph".to_string() } else { format!("node `{node}`") };
    Error::artifact("event graph", place, why)
}

#[cfg(test)]
mod tests;
