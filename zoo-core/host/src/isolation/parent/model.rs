//! Models and metrics in another process.

use super::lent::{Lent, bench_facts, dataset_facts};
use super::{Isolated, Object};
use crate::isolation::message::{ArtifactHead, Call, Known, ModelFacts, Note, SessionFacts, WeightsHead, authors, counted};
use serde_json::Value;
use std::sync::Arc;
use zoo_core::abi::json::{WireEstimate, WireMeasurements, WireOutcome, WireRequest};
use zoo_core::model::{ActionSpec, Figure};
use zoo_core::{
    Artifact, ArtifactKind, Batch, ClaimOutcome, Config, Dataset, Dialect, Estimate, ExportRequest, Measurements, Metric, Model, ModelCard,
    Prediction, Result, Session, Tensor, Weights, Workbench,
};

pub(super) struct RemoteModel {
    isolated: Arc<Isolated>,
    index: usize,
}

impl RemoteModel {
    pub(super) fn new(isolated: Arc<Isolated>, index: usize) -> Self {
        Self { isolated, index }
    }

    fn facts(&self) -> &ModelFacts {
        &self.isolated.offer.models[self.index]
    }
}

impl Model for RemoteModel {
    fn card(&self) -> &ModelCard {
        &self.facts().card
    }

    fn artifact_kinds(&self) -> &[ArtifactKind] {
        &self.facts().kinds
    }

    fn variants(&self, kind: ArtifactKind) -> Vec<String> {
        let call = Call::Variants { model: self.index, kind };
        self.isolated.process().map(|process| process.ask_or_default("variants of a model", call)).unwrap_or_default()
    }

    fn export(&self, request: &ExportRequest, weights: &Weights, config: &Config) -> Result<Artifact> {
        let (weights, tensors) = WeightsHead::split(weights);
        let call = Call::Export { model: self.index, request: WireRequest::from(request), weights, config: config.clone() };
        let (head, files) = self.isolated.process()?.ask::<ArtifactHead>("export of a model", &tensors, call)?;
        head.join(&files)
    }

    fn import(&self, file: &Weights, dialect: Dialect, config: &Config) -> Result<Weights> {
        let (file, tensors) = WeightsHead::split(file);
        let call = Call::Import { model: self.index, file, authors: authors(dialect), config: config.clone() };
        let (head, tensors) = self.isolated.process()?.ask::<WeightsHead>("import of weights", &tensors, call)?;
        head.join(tensors)
    }

    fn preprocess(&self, batch: &Batch, session: &dyn Session) -> Result<Vec<Tensor>> {
        let call = |known: &mut Known, _: &Lent<'_>| Call::Preprocess {
            model: self.index,
            batch: known.batch(batch),
            session: known.session(session),
        };
        let lent = Lent { view: Some(session), ..Lent::default() };
        let ((), inputs) = self.isolated.process()?.call("preprocessing", batch.fields(), lent, call)?;
        Ok(inputs)
    }

    fn predict(&self, session: &mut dyn Session, batch: &Batch) -> Result<Prediction> {
        let process = self.isolated.process()?;
        let call = |known: &mut Known, lent: &Lent<'_>| Call::Predict {
            model: self.index,
            batch: known.batch(batch),
            session: lent.session.as_deref().and_then(|session| known.session(session)),
        };
        let lent = Lent { session: Some(session), ..Lent::default() };
        let (names, tensors) = process.call::<Vec<String>>("prediction", batch.fields(), lent, call)?;
        counted("outputs of a prediction", names.len(), tensors.len())?;
        Ok(Prediction { outputs: names.into_iter().zip(tensors).collect() })
    }

    fn metrics(&self) -> Vec<Box<dyn Metric>> {
        let Ok(process) = self.isolated.process() else { return Vec::new() };
        let made: Vec<(u64, String)> = process.ask_or_default("metrics of a model", Call::Metrics { model: self.index });
        let metric = |(number, name)| {
            let object = Object { process: Arc::clone(&process), number, note: Note::DropMetric };
            Box::new(RemoteMetric { object, name }) as _
        };
        made.into_iter().map(metric).collect()
    }

    fn evaluate(
        &self,
        session: &mut dyn Session,
        dataset: &dyn Dataset,
        config: &Config,
        bench: &mut dyn Workbench,
    ) -> Result<Option<Measurements>> {
        let facts = (SessionFacts::of(session), dataset_facts(dataset), bench_facts(bench));
        let lent = Lent { session: Some(session), dataset: Some(dataset), bench: Some(bench), ..Lent::default() };
        let call = Call::Evaluate { model: self.index, session: facts.0, dataset: facts.1, config: config.clone(), bench: facts.2 };
        let (measured, _) = self.isolated.process()?.call::<Option<WireMeasurements>>("evaluation", &[], lent, |_, _| call)?;
        Ok(measured.map(Measurements::from))
    }

    fn claims(&self, model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
        let facts = bench_facts(bench);
        let call = Call::Claims { model: self.index, name: model.into(), config: config.clone(), bench: facts };
        let lent = Lent { bench: Some(bench), ..Lent::default() };
        let (outcomes, _) = self.isolated.process()?.call::<Vec<WireOutcome>>("claims", &[], lent, |_, _| call)?;
        Ok(outcomes.into_iter().map(ClaimOutcome::from).collect())
    }

    fn figures(&self, model: &str, config: &Config, outcomes: &[ClaimOutcome]) -> Result<Vec<Figure>> {
        let outcomes = outcomes.iter().cloned().map(WireOutcome::from).collect();
        let call = Call::Figures { model: self.index, name: model.into(), config: config.clone(), outcomes };
        Ok(self.isolated.process()?.ask("pictures of a model", &[], call)?.0)
    }

    fn actions(&self) -> Vec<ActionSpec> {
        self.facts().actions.clone()
    }

    fn act(&self, action: &str, args: &[String], model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
        let facts = bench_facts(bench);
        let call = Call::Act {
            model: self.index,
            action: action.into(),
            args: args.to_vec(),
            name: model.into(),
            config: config.clone(),
            bench: facts,
        };
        let lent = Lent { bench: Some(bench), ..Lent::default() };
        Ok(self.isolated.process()?.call("command of a model", &[], lent, |_, _| call)?.0)
    }
}

/// A metric in another process.
struct RemoteMetric {
    object: Object,
    name: String,
}

impl Metric for RemoteMetric {
    fn name(&self) -> &str {
        &self.name
    }

    fn update(&mut self, prediction: &Prediction, batch: &Batch) -> Result<()> {
        let (outputs, mut tensors): (Vec<_>, Vec<_>) = prediction.outputs.iter().cloned().unzip();
        tensors.extend(batch.fields().iter().cloned());
        let call = |known: &mut Known, _: &Lent<'_>| Call::Update { metric: self.object.number, outputs, batch: known.batch(batch) };
        self.object.process.call("update of a metric", &tensors, Lent::default(), call).map(|((), _)| ())
    }

    fn state(&self) -> Value {
        // A state that can't be had is null, which no metric merges.
        self.object.process.ask_or_default("state of a metric", Call::State { metric: self.object.number })
    }

    fn merge(&mut self, state: &Value) -> Result<()> {
        let call = Call::Merge { metric: self.object.number, state: state.clone() };
        self.object.process.ask("merging a metric", &[], call).map(|((), _)| ())
    }

    fn estimate(&self) -> Option<Estimate> {
        let call = Call::Estimate { metric: self.object.number };
        self.object.process.ask_or_default::<Option<WireEstimate>>("estimate of a metric", call).map(Estimate::from)
    }
}
