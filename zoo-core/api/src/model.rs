//! Models turn weights into artifacts and outputs into answers.

use crate::artifact::{Artifact, ArtifactKind, ExportRequest};
use crate::backend::Session;
use crate::card::{ModelCard, TaskKind};
use crate::config::Config;
use crate::dataset::{Batch, Dataset};
use crate::error::{Error, Result};
use crate::metric::{Accuracy, Estimate, Metric};
use crate::services::Workbench;
use crate::tensor::Tensor;
use crate::weights::{Dialect, Weights};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Named outputs for a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prediction {
    /// Output name and tensor, first axis the batch.
    pub outputs: Vec<(String, Tensor)>,
}

impl Prediction {
    /// The output of that name.
    ///
    /// # Errors
    /// [`Error::Unknown`] listing the outputs there are.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        self.outputs.iter().find(|(n, _)| n == name).map(|(_, t)| t).ok_or_else(|| Error::Unknown {
            kind: "output",
            name: name.into(),
            hint: format!("outputs are {}", self.outputs.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>().join(", ")),
        })
    }
}

/// A picture for the report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Title under the picture.
    pub title: String,
    /// Text for those who can't see it.
    pub alt: String,
    /// `image/svg+xml` or `image/png`.
    pub mime: String,
    /// The picture.
    pub bytes: Vec<u8>,
}

/// What a plugin measured by its own protocol.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measurements {
    /// Items evaluated.
    pub items: u64,
    /// Metrics in the order they should be shown.
    pub metrics: Vec<(String, Estimate)>,
    /// Pictures for the report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<Figure>,
    /// Tables and curves, for the report and for reading by machines.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub detail: Value,
}

/// One bar of a paper's reproduction, re-measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClaimOutcome {
    /// Identifier in `registry.toml`.
    pub id: String,
    /// The measured quantity the bar is about, in the bar's unit.
    pub measured: f64,
    /// Whether the bar holds.
    pub holds: bool,
    /// Per-seed values, controls and whatever explains the outcome.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub detail: Value,
}

/// A command of the plugin's own: `cargo xtask run MODEL ACTION`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionSpec {
    /// Name on the command line.
    pub name: String,
    /// What it does and the arguments it takes.
    pub help: String,
}

/// A model family: one architecture and method with many configurations.
pub trait Model: Send + Sync {
    /// Facts about the family.
    fn card(&self) -> &ModelCard;

    /// Formats it exports, the preferred one for evaluation first.
    fn artifact_kinds(&self) -> &[ArtifactKind];

    /// Names of the graphs it exports in a format (`ann`, `step` ...); the first is the one that is evaluated.
    fn variants(&self, _kind: ArtifactKind) -> Vec<String> {
        vec!["model".into()]
    }

    /// Exports a graph with its weights. The same arguments give the same bytes.
    ///
    /// # Errors
    /// [`Error::NotOffered`] for a format or graph it lacks, [`Error::Keys`] and friends if weights or config do not fit.
    fn export(&self, request: &ExportRequest, weights: &Weights, config: &Config) -> Result<Artifact>;

    /// Takes weights from a file with the given names.
    ///
    /// # Errors
    /// [`Error::Keys`], listing every missing and unexpected name.
    fn import(&self, file: &Weights, dialect: Dialect, config: &Config) -> Result<Weights>;

    /// Turns a batch of the data set into the session's inputs. The default hands over the card's first input as it is.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Shape`] or [`Error::DType`] if the batch does not fit.
    fn preprocess(&self, batch: &Batch, _session: &dyn Session) -> Result<Vec<Tensor>> {
        self.card().inputs.iter().map(|spec| batch.field(&spec.name).cloned()).collect()
    }

    /// Predicts a batch. The default preprocesses, runs once and names the outputs; models with time steps or state
    /// drive the session themselves.
    ///
    /// # Errors
    /// Whatever preprocessing and running find.
    fn predict(&self, session: &mut dyn Session, batch: &Batch) -> Result<Prediction> {
        let inputs = self.preprocess(batch, session)?;
        let outputs = session.run(&inputs)?;
        let names = session.outputs().iter().map(|spec| spec.name.clone());
        Ok(Prediction { outputs: names.zip(outputs).collect() })
    }

    /// Fresh metrics for the default evaluation loop.
    fn metrics(&self) -> Vec<Box<dyn Metric>> {
        match &self.card().task {
            TaskKind::Classification { logits, label } => vec![Box::new(Accuracy::new(logits, label))],
            TaskKind::Own => Vec::new(),
        }
    }

    /// Evaluates by a protocol of its own; `None` asks the host for the default loop of batches and metrics.
    ///
    /// # Errors
    /// Whatever the protocol finds.
    fn evaluate(
        &self,
        _session: &mut dyn Session,
        _dataset: &dyn Dataset,
        _config: &Config,
        _bench: &mut dyn Workbench,
    ) -> Result<Option<Measurements>> {
        Ok(None)
    }

    /// Re-measures the bars of the paper's reproduction, with their controls, over all trained seeds. `model` is the
    /// registered name.
    ///
    /// # Errors
    /// [`Error::NotOffered`] if the model has no claims; else whatever measuring finds.
    fn claims(&self, model: &str, _config: &Config, _bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
        Err(Error::NotOffered { who: model.into(), what: "claims".into(), hint: "evaluate it without --claims".into() })
    }

    /// Pictures of the counted runs, drawn from what their outcomes say and nothing else, so that a report draws them again
    /// from a result file. An outcome that is not there is left out.
    ///
    /// # Errors
    /// Whatever drawing finds.
    fn figures(&self, _model: &str, _config: &Config, _outcomes: &[ClaimOutcome]) -> Result<Vec<Figure>> {
        Ok(Vec::new())
    }

    /// Commands of its own.
    fn actions(&self) -> Vec<ActionSpec> {
        Vec::new()
    }

    /// Runs a command of its own and returns what to print.
    ///
    /// # Errors
    /// [`Error::NotOffered`] for a command it lacks, [`Error::Argument`] for arguments that do not fit.
    fn act(&self, action: &str, _args: &[String], model: &str, _config: &Config, _bench: &mut dyn Workbench) -> Result<Value> {
        let known = self.actions().into_iter().map(|a| a.name).collect::<Vec<_>>().join(", ");
        let hint = if known.is_empty() { "it has no commands of its own".into() } else { format!("its commands are {known}") };
        Err(Error::NotOffered { who: model.into(), what: format!("command `{action}`"), hint })
    }
}
