//! Portable forms: the folded ANN, one step of the SNN, its closed-form twin (all ONNX), and the event graph.

mod ann;
mod current;
mod event;
mod rate;
mod step;

pub use ann::ann;
pub use event::{NormalForm, event};
pub use rate::rate;
pub use step::{initial_states, step};

use crate::calib_file::weights_hash;
use crate::config::{PaperConfig, config_hash};
use std::collections::BTreeMap;
use zoo_core::{Config, Weights};

/// Keys of the metadata that [`crate::model`] reads back from a session.
pub mod metadata_key {
    /// Which graph: `ann`, `step`, `rate` or `event`.
    pub const GRAPH: &str = "graph";
    /// Number of time steps.
    pub const STEPS: &str = "T";
    /// Mean of pixels in `[0, 1]`, JSON list.
    pub const MEAN: &str = "input.mean";
    /// Standard deviation of pixels in `[0, 1]`, JSON list.
    pub const STD: &str = "input.std";
    /// Initial potentials of all states in the order of the inputs, hexadecimal little-endian `f32`; absent if zero.
    pub const V_INIT: &str = "v_init";
}

/// Metadata that every export carries.
pub(crate) fn common_metadata(graph: &str, paper: &PaperConfig, config: &Config, weights: &Weights) -> BTreeMap<String, String> {
    let list = |values: &[f32]| format!("[{}]", values.iter().map(ToString::to_string).collect::<Vec<_>>().join(","));
    let mut metadata: BTreeMap<String, String> = [
        ("paper", "arXiv:2205.10121".to_string()),
        ("licence", crate::model::WEIGHTS_LICENCE.to_string()),
        (metadata_key::GRAPH, graph.to_string()),
        ("architecture", paper.network.architecture.clone()),
        ("config_hash", config_hash(config)),
        ("weights_hash", weights_hash(weights)),
        (metadata_key::MEAN, list(&paper.network.mean)),
        (metadata_key::STD, list(&paper.network.std)),
    ]
    .map(|(k, v)| (k.to_string(), v))
    .into();
    if graph != "ann" {
        // Provenance of the calibration travels along.
        for key in ["T", "shift", "threshold_mode", "channel_wise", "pipeline", "calib_index_hash", "ann_hash"] {
            if let Some(value) = weights.metadata.get(key) {
                metadata.insert(key.into(), value.clone());
            }
        }
    }
    metadata
}
