//! Portable forms: one step and all steps as ONNX, event graphs, NIR and safetensors.

mod event;
mod onnx;

pub use event::{Readout, event, nir};
pub use onnx::{sequence, step};

use crate::config::PaperConfig;
use crate::fold::{Folded, weights_hash};
use crate::network::{DECAY, Network, Neuron, V_MIN, V_THRESHOLD};
use crate::ttm::Ttm;
use std::collections::BTreeMap;
use zoo_core::{Artifact, ArtifactKind, Result, Tensor, Weights};

/// Keys of the metadata that [`crate::model`] reads back from a session.
pub mod metadata_key {
    /// Which graph: `step`, `seq`, `clocked`, `async_dfs` or `async_bfs`.
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
    /// Between stages, where a graph is written for mixed times.
    pub ttm: Ttm,
    /// Between the frames and the first stage.
    pub input_ttm: Ttm,
    /// Time steps.
    pub steps: usize,
    /// Whether one image stands for all steps.
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
    let (neuron, reset, compare) = match paper.network.neuron {
        Neuron::Lif => ("lif", "zero", ">"),
        Neuron::If => ("if, several spikes a step", "subtract", ">="),
    };
    // Nothing here may tell how the network was trained beyond a hash: evaluation must not depend on it.
    let mut metadata: BTreeMap<String, String> = [
        ("paper", "arXiv:2503.17394".to_string()),
        ("licence", crate::model::WEIGHTS_LICENCE.to_string()),
        (metadata_key::GRAPH, graph.to_string()),
        (metadata_key::STEPS, steps.to_string()),
        ("T_max", paper.times.max.to_string()),
        ("neuron", neuron.to_string()),
        ("v_threshold", V_THRESHOLD.to_string()),
        ("reset", reset.to_string()),
        ("fire_cmp", compare.to_string()),
        ("coding", if paper.network.still { "one image at every step" } else { "event counts a step" }.to_string()),
        ("bn_recal", serde_json::to_string(&paper.train.bn_recal).unwrap_or_default().replace('"', "")),
        ("config_hash", paper.training_hash()),
        ("weights_hash", weights_hash(weights)),
    ]
    .map(|(k, v)| (k.to_string(), v))
    .into();
    let (key, value) = if paper.network.neuron == Neuron::Lif { ("decay", DECAY) } else { ("v_min", V_MIN) };
    metadata.insert(key.into(), value.to_string());
    metadata
}

/// The folded weights and the neurons' parameters as a file, with the hash of what they come from.
///
/// # Errors
/// What the writer finds.
pub fn deploy_file(net: &Deployed, weights: &Weights, metadata: BTreeMap<String, String>) -> Result<Artifact> {
    let mut file = Weights { metadata, ..Weights::default() };
    for layer in net.network.weighted() {
        if let Some(parts) = net.parts(layer) {
            let name = &net.network.layers()[layer].name;
            file.insert(format!("{name}.weight"), parts.weight.clone());
            if let Some(bias) = &parts.bias {
                file.insert(format!("{name}.bias"), bias.clone());
            }
        }
    }
    for layer in net.network.spiking() {
        let stem = format!("neuron.{}", net.network.layers()[layer].name);
        file.insert(format!("{stem}.v_threshold"), Tensor::scalar(V_THRESHOLD));
        file.insert(format!("{stem}.v_init"), Tensor::scalar(0.0f32));
        match net.neuron {
            Neuron::Lif => file.insert(format!("{stem}.decay"), Tensor::scalar(DECAY)),
            Neuron::If => file.insert(format!("{stem}.v_min"), Tensor::scalar(V_MIN)),
        }
    }
    file.metadata.insert("source_hash".into(), weights_hash(weights));
    let bytes = zoo_formats::safetensors::to_bytes(&file)?;
    let mut artifact = Artifact::single(ArtifactKind::Safetensors, "model", "model.safetensors", bytes);
    artifact.metadata = file.metadata;
    Ok(artifact)
}
