//! Results in the `zoo.eval/1` schema: what `--json` prints and what `docs/results` keeps.
//!
//! A key that is not known is absent, never null.

mod merge;
mod table;

pub use merge::{MergeError, merge};
pub(crate) use table::number;
pub use table::{TableStyle, table};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use zoo_core::Estimate;

/// Name of the schema.
pub const SCHEMA: &str = "zoo.eval/1";

/// One or more evaluated runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The command that made the results, as typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Runs, in the order they were made.
    pub runs: Vec<Run>,
}

impl Results {
    /// Results of the given runs.
    pub fn new(runs: Vec<Run>) -> Self {
        Self { schema: SCHEMA.into(), command: None, runs }
    }

    /// Whether every gating claim of every run holds.
    pub fn gating_bars_hold(&self) -> bool {
        self.runs.iter().flat_map(|run| &run.claims).all(|claim| !claim.gating || claim.holds != Some(false))
    }
}

/// One model on one backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Registered name of the model.
    pub model: String,
    /// Registered name of the data set.
    pub dataset: String,
    /// Split evaluated.
    pub split: String,
    /// Items evaluated.
    pub n: u64,
    /// Backend.
    pub backend: String,
    /// Device, such as `cpu` or `cuda:0`.
    pub device: String,
    /// The plugin the model came from.
    pub plugin: PluginUsed,
    /// What was compiled.
    pub artifact: ArtifactUsed,
    /// SHA-256 of the weights file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_sha256: Option<String>,
    /// Seed of the run.
    pub seed: u64,
    /// Measured metrics.
    pub metrics: BTreeMap<String, Measured>,
    /// The paper's claims and our bars.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Claim>,
    /// Where the time went.
    pub timing: Timing,
    /// Spikes and synaptic operations, where the backend counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spikes: Option<Spikes>,
    /// Which part of the split this is, if it is not all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// Tables and curves of the plugin's own protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<serde_json::Value>,
    /// Pictures for a report; not part of the result file.
    #[serde(skip)]
    pub figures: Vec<zoo_core::model::Figure>,
}

/// A metric's estimate, and its exact state where shards are to be merged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Value, interval and unit.
    #[serde(flatten)]
    pub estimate: Estimate,
    /// Exact state for merging.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<serde_json::Value>,
}

/// Which plugin was used, and through which door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginUsed {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// `static` or `dynamic`.
    pub door: String,
    /// SHA-256 of the library, for a dynamic plugin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Whether it ran in a process of its own, for a dynamic plugin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolated: Option<bool>,
}

/// What was compiled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactUsed {
    /// Format.
    pub kind: String,
    /// SHA-256 over the files in order.
    pub sha256: String,
}

/// A claim of the paper, our bar and what we measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Identifier in the registry.
    pub id: String,
    /// The published value, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Published>,
    /// Our bar, frozen before it was measured.
    pub bar: String,
    /// What was measured; absent if it was not measured in this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<f64>,
    /// Whether the bar holds; absent if it was not measured in this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<bool>,
    /// Whether the exit status depends on it.
    pub gating: bool,
    /// Per-seed values, controls, and whatever explains the outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<serde_json::Value>,
}

/// A published number with its source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// The value.
    pub value: f64,
    /// Its unit.
    pub unit: String,
    /// Where it was read.
    pub source: String,
}

/// Where the time went, in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Fetching and verifying files.
    pub fetch_s: f64,
    /// Exporting and compiling.
    pub compile_s: f64,
    /// Evaluating.
    pub eval_s: f64,
    /// Latency of one prediction (one batch), where the default loop measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Latency>,
    /// Items per second while evaluating.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_per_s: Option<f64>,
}

/// Latency percentiles in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
}

/// Spike counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spikes {
    /// Synaptic operations an item.
    pub synops: f64,
    /// Spikes an item.
    pub spikes_per_item: f64,
}

/// Part `index` of `of` (1-based, as on the command line).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which part.
    pub index: usize,
    /// How many parts there are.
    pub of: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use zoo_core::Metric;
    use zoo_core::metric::Accuracy;

    pub(super) fn metrics() -> Vec<Box<dyn Metric>> {
        vec![Box::new(Accuracy::new("logits", "label"))]
    }

    /// A run of ten items, `correct` of them right.
    pub(super) fn run(model: &str, correct: u64) -> Run {
        let mut accuracy = metrics().remove(0);
        accuracy.merge(&serde_json::json!([correct, 10])).unwrap();
        let measured = Measured { estimate: accuracy.estimate().unwrap(), state: Some(accuracy.state()) };
        Run {
            model: model.into(),
            dataset: "d".into(),
            split: "test".into(),
            n: 10,
            backend: "b".into(),
            device: "cpu".into(),
            plugin: PluginUsed { name: "p".into(), version: "1".into(), door: "static".into(), sha256: None, isolated: None },
            artifact: ArtifactUsed { kind: "onnx".into(), sha256: "00".into() },
            weights_sha256: None,
            seed: 0,
            metrics: [("accuracy".to_string(), measured)].into(),
            claims: Vec::new(),
            timing: Timing::default(),
            spikes: None,
            shard: None,
            detail: None,
            figures: Vec::new(),
        }
    }

    #[test]
    fn json_round_trips_and_leaves_absent_keys_out() {
        let results = Results::new(vec![run("m", 4)]);
        let text = serde_json::to_string(&results).unwrap();
        assert!(!text.contains("null") && !text.contains("claims") && !text.contains("spikes"), "{text}");
        assert_eq!(serde_json::from_str::<Results>(&text).unwrap(), results);
    }
}
