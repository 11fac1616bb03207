//! Facts as JSON. What JSON can't say (NaN, infinities) is spelled out, so that results are the same through both doors.

use crate::artifact::{ArtifactKind, ExportRequest};
use crate::card::ModelCard;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::metric::Estimate;
use crate::model::{ActionSpec, ClaimOutcome, Figure, Measurements};
use crate::spec::TensorSpec;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) fn to_json(value: &(impl Serialize + ?Sized)) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::argument("facts on their way across the plugin boundary", "values JSON can hold", e))
}

pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|e| format!("not JSON of the documented form: {e}"))
}

/// A number that may be NaN or infinite: those are the strings `NaN`, `inf` and `-inf`.
#[derive(Clone, Copy)]
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() { serializer.serialize_f64(self.0) } else { serializer.serialize_str(&self.0.to_string()) }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Plain(f64),
            Spelled(String),
        }
        match Form::deserialize(deserializer)? {
            Form::Plain(number) => Ok(Self(number)),
            Form::Spelled(text) => text.parse().map(Self).map_err(|_| serde::de::Error::custom(format!("`{text}` is no number"))),
        }
    }
}

/// [`Estimate`] on the wire.
#[derive(Serialize, Deserialize)]
pub struct WireEstimate {
    value: Number,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ci95: Option<[Number; 2]>,
    unit: String,
}

impl From<&Estimate> for WireEstimate {
    fn from(estimate: &Estimate) -> Self {
        Self { value: Number(estimate.value), ci95: estimate.ci95.map(|ci| ci.map(Number)), unit: estimate.unit.clone() }
    }
}

impl From<WireEstimate> for Estimate {
    fn from(wire: WireEstimate) -> Self {
        Self { value: wire.value.0, ci95: wire.ci95.map(|ci| ci.map(|n| n.0)), unit: wire.unit }
    }
}

/// [`Measurements`] on the wire.
#[derive(Serialize, Deserialize)]
pub struct WireMeasurements {
    items: u64,
    metrics: Vec<(String, WireEstimate)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    figures: Vec<Figure>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    detail: Value,
}

impl From<Measurements> for WireMeasurements {
    fn from(m: Measurements) -> Self {
        let metrics = m.metrics.iter().map(|(name, estimate)| (name.clone(), estimate.into())).collect();
        Self { items: m.items, metrics, figures: m.figures, detail: m.detail }
    }
}

impl From<WireMeasurements> for Measurements {
    fn from(wire: WireMeasurements) -> Self {
        let metrics = wire.metrics.into_iter().map(|(name, estimate)| (name, estimate.into())).collect();
        Self { items: wire.items, metrics, figures: wire.figures, detail: wire.detail }
    }
}

/// [`ClaimOutcome`] on the wire.
#[derive(Serialize, Deserialize)]
pub struct WireOutcome {
    id: String,
    measured: Number,
    holds: bool,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    detail: Value,
}

impl From<ClaimOutcome> for WireOutcome {
    fn from(outcome: ClaimOutcome) -> Self {
        Self { id: outcome.id, measured: Number(outcome.measured), holds: outcome.holds, detail: outcome.detail }
    }
}

impl From<WireOutcome> for ClaimOutcome {
    fn from(wire: WireOutcome) -> Self {
        Self { id: wire.id, measured: wire.measured.0, holds: wire.holds, detail: wire.detail }
    }
}

/// Facts about a session.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct SessionFacts {
    pub(super) inputs: Vec<TensorSpec>,
    pub(super) outputs: Vec<TensorSpec>,
    #[serde(default)]
    pub(super) metadata: BTreeMap<String, String>,
}

/// Facts about an opened split.
#[derive(Serialize, Deserialize)]
pub(super) struct DatasetFacts {
    pub(super) info: crate::dataset::DatasetInfo,
    pub(super) split: String,
}

/// Facts about a model. Kinds are names, so that an older reader can pass over one it does not know.
#[derive(Serialize, Deserialize)]
pub(super) struct ModelFacts {
    pub(super) card: ModelCard,
    pub(super) artifact_kinds: Vec<String>,
    #[serde(default)]
    pub(super) actions: Vec<ActionSpec>,
}

/// Facts about a backend.
#[derive(Serialize, Deserialize)]
pub(super) struct BackendFacts {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) accepts: Vec<String>,
}

/// Facts about a plugin.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct PluginFacts {
    pub(super) name: String,
    pub(super) version: String,
    #[serde(default)]
    pub(super) threads: Threads,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) registry: String,
    #[serde(default)]
    pub(super) models: usize,
    #[serde(default)]
    pub(super) datasets: usize,
    #[serde(default)]
    pub(super) backends: usize,
    #[serde(default)]
    pub(super) trainers: usize,
}

/// How many threads may be inside a plugin at once.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Threads {
    /// As many as the Rust traits allow.
    #[default]
    Any,
    /// One.
    One,
}

/// Facts about a workbench.
#[derive(Serialize, Deserialize)]
pub(super) struct BenchFacts {
    #[serde(default)]
    pub(super) seed: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<u64>,
    #[serde(default)]
    pub(super) backend: String,
}

/// [`ExportRequest`] on the wire.
#[derive(Serialize, Deserialize)]
pub struct WireRequest {
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opset: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    steps: Option<u32>,
    #[serde(default)]
    options: Config,
}

impl From<&ExportRequest> for WireRequest {
    fn from(r: &ExportRequest) -> Self {
        let kind = r.kind.name().into();
        Self { kind, variant: r.variant.clone(), opset: r.opset, steps: r.steps, options: r.options.clone() }
    }
}

impl TryFrom<WireRequest> for ExportRequest {
    type Error = Error;

    fn try_from(wire: WireRequest) -> Result<Self> {
        let kind = wire.kind.parse()?;
        Ok(Self { kind, variant: wire.variant, opset: wire.opset, steps: wire.steps, options: wire.options })
    }
}

/// Facts about an exported artifact; its files travel beside them.
#[derive(Serialize, Deserialize)]
pub(super) struct ArtifactFacts {
    pub(super) kind: String,
    pub(super) variant: String,
    #[serde(default)]
    pub(super) metadata: BTreeMap<String, String>,
}

/// Weights' metadata and their model's configuration.
#[derive(Serialize, Deserialize)]
pub(super) struct WeightFacts {
    #[serde(default)]
    pub(super) metadata: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) config: Config,
}

/// Names of artifact kinds.
pub(super) fn kind_names(kinds: &[ArtifactKind]) -> Vec<String> {
    kinds.iter().map(|kind| kind.name().to_string()).collect()
}

/// The kinds among the names that this version knows.
pub(super) fn known_kinds(names: &[String]) -> Vec<ArtifactKind> {
    names.iter().filter_map(|name| name.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cross(estimate: &Estimate) -> Estimate {
        from_json::<WireEstimate>(&to_json(&WireEstimate::from(estimate)).unwrap()).unwrap().into()
    }

    #[test]
    fn numbers_json_cannot_say_are_spelled_out() {
        let odd = Estimate { value: f64::NAN, ci95: Some([f64::NEG_INFINITY, f64::INFINITY]), unit: "%".into() };
        let text = to_json(&WireEstimate::from(&odd)).unwrap();
        assert_eq!(text, r#"{"value":"NaN","ci95":["-inf","inf"],"unit":"%"}"#);
        let back = cross(&odd);
        assert!(back.value.is_nan());
        assert_eq!(back.ci95, odd.ci95);
    }

    proptest! {
        #[test]
        fn every_finite_number_crosses_bit_for_bit(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            let back = cross(&Estimate { value, ci95: None, unit: String::new() });
            prop_assert_eq!(back.value.to_bits(), bits);
        }
    }
}
