//! Portable forms: one step and all steps as ONNX, the event graph, and NIR.

mod event;
mod onnx;

pub use event::{event, nir};
pub use onnx::{sequence, step};

use crate::config::PaperConfig;
use crate::fold::{Folded, weights_hash};
use crate::network::{Network, Neuron};
use std::collections::BTreeMap;
use zoo_core::Weights;

/// Keys of the metadata that [`crate::model`] reads back from a session.
pub mod metadata_key {
    /// Which graph: `step`, `seq` or `event`.
    pub const GRAPH: &str = "graph";
    /// Number of time steps.
    pub const STEPS: &str = "T";
}

/// A folded network, ready to be written.
#[derive(Clone, Debug)]
pub struct Deployed {
    /// The layers.
    pub network: Network,
    /// Weights of each layer.
    pub folded: Vec<Option<Folded>>,
    /// The neurons of all layers.
    pub neuron: Neuron,
    /// Time steps.
    pub steps: usize,
    /// Whether one image stands for all steps (direct coding), or each step has a frame of its own.
    pub still: bool,
}

impl Deployed {
    /// Weight and bias of a layer that has them.
    pub(crate) fn parts(&self, layer: usize) -> Option<&Folded> {
        self.folded[layer].as_ref()
    }
}

/// Metadata that every export carries.
pub(crate) fn common_metadata(graph: &str, steps: usize, paper: &PaperConfig, weights: &Weights) -> BTreeMap<String, String> {
    let neuron = paper.network.neuron;
    let coding = if graph == "step" { "one frame a call" } else { "frames" };
    // Nothing here may tell how the network was trained beyond a hash: evaluation must not depend on it.
    [
        ("paper", "arXiv:2202.11946".to_string()),
        ("licence", crate::model::WEIGHTS_LICENCE.to_string()),
        (metadata_key::GRAPH, graph.to_string()),
        (metadata_key::STEPS, steps.to_string()),
        ("neuron", "lif".to_string()),
        ("decay", neuron.decay.to_string()),
        ("v_threshold", neuron.v_threshold.to_string()),
        ("reset", "zero".to_string()),
        ("fire_cmp", ">".to_string()),
        ("coding", coding.to_string()),
        ("config_hash", paper.training_hash()),
        ("weights_hash", weights_hash(weights)),
    ]
    .map(|(k, v)| (k.to_string(), v))
    .into()
}
