//! A [`Model`] of the other side.

use super::trainer::weights;
use crate::abi::args::{BatchParcel, WeightParcel};
use crate::abi::call::Peer;
use crate::abi::export::{lend_bench, lend_dataset, lend_session, view_session};
use crate::abi::raw::*;
use crate::abi::table::Handle;
use crate::abi::wire::{self, ArtifactFacts, ModelFacts, WireMeasurements, WireOutcome, WireRequest, known_kinds};
use crate::artifact::{Artifact, ArtifactKind, ExportRequest};
use crate::backend::Session;
use crate::card::ModelCard;
use crate::config::Config;
use crate::dataset::{Batch, Dataset};
use crate::error::Result;
use crate::metric::Metric;
use crate::model::{ActionSpec, ClaimOutcome, Figure, Measurements, Model, Prediction};
use crate::services::Workbench;
use crate::tensor::Tensor;
use crate::weights::{Dialect, Weights};
use serde_json::Value;

/// A model across the boundary. What its table leaves out is done as the trait's defaults do it.
pub(super) struct ForeignModel {
    handle: Handle<ZooModelTable>,
    card: ModelCard,
    kinds: Vec<ArtifactKind>,
    actions: Vec<ActionSpec>,
}

impl ForeignModel {
    /// # Safety
    /// The handle is valid and ours.
    pub(super) unsafe fn new(model: ZooModel, peer: &Peer) -> Result<Self> {
        // SAFETY: passed on.
        let handle: Handle<ZooModelTable> = unsafe { Handle::new(model.self_, model.table, peer) }?;
        let describe = handle.table.describe.ok_or_else(|| peer.broke("model: function `describe` is NULL"))?;
        // SAFETY: the object with its own function.
        let facts: ModelFacts = peer.call("model card", |out| unsafe { describe(handle.self_, out) })?.json()?;
        Ok(Self { handle, card: facts.card, kinds: known_kinds(&facts.artifact_kinds), actions: facts.actions })
    }

    fn defaults(&self) -> Defaults<'_> {
        Defaults(self)
    }
}

impl Model for ForeignModel {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn artifact_kinds(&self) -> &[ArtifactKind] {
        &self.kinds
    }

    fn variants(&self, kind: ArtifactKind) -> Vec<String> {
        let Handle { self_, table, peer } = &self.handle;
        let Some(variants) = table.variants else { return self.defaults().variants(kind) };
        // SAFETY: the object with its own function; the text lives through the call.
        let answer = peer.call("variants of a model", |out| unsafe { variants(*self_, kind.name().into(), out) });
        answer.and_then(|answer| answer.json()).unwrap_or_default()
    }

    fn export(&self, request: &ExportRequest, weights: &Weights, config: &Config) -> Result<Artifact> {
        let Handle { self_, table, peer } = &self.handle;
        let export = table.export_artifact.ok_or_else(|| peer.broke("model: function `export_artifact` is NULL"))?;
        let (request, config) = (wire::to_json(&WireRequest::from(request))?, wire::to_json(config)?);
        let mut weights = WeightParcel::new(weights)?;
        // SAFETY: the object with its own function; texts live through the call.
        let call = |out: *const ZooReturn| unsafe { export(*self_, request.as_str().into(), weights.leave(), config.as_str().into(), out) };
        let answer = peer.call("export of a model", call)?;
        let facts: ArtifactFacts = answer.json()?;
        Ok(Artifact { kind: facts.kind.parse()?, variant: facts.variant, files: answer.files, metadata: facts.metadata })
    }

    fn import(&self, file: &Weights, dialect: Dialect, config: &Config) -> Result<Weights> {
        let Handle { self_, table, peer } = &self.handle;
        let import = table.import_weights.ok_or_else(|| peer.broke("model: function `import_weights` is NULL"))?;
        let dialect = match dialect {
            Dialect::Zoo => "zoo",
            Dialect::Authors => "authors",
        };
        let (mut file, config) = (WeightParcel::new(file)?, wire::to_json(config)?);
        // SAFETY: the object with its own function; texts live through the call.
        let call = |out: *const ZooReturn| unsafe { import(*self_, file.leave(), dialect.into(), config.as_str().into(), out) };
        weights(peer.call("import of weights", call)?)
    }

    fn preprocess(&self, batch: &Batch, session: &dyn Session) -> Result<Vec<Tensor>> {
        let Handle { self_, table, peer } = &self.handle;
        let Some(preprocess) = table.preprocess else { return self.defaults().preprocess(batch, session) };
        let mut batch = BatchParcel::new(batch)?;
        let call = |session, out: *const ZooReturn| {
            let batch = batch.leave();
            // SAFETY: the object with its own function; the batch lives through the call.
            unsafe { preprocess(*self_, &raw const batch, session, out) }
        };
        view_session(session, |session| peer.call("preprocessing", with(session, call))).map(|answer| answer.unnamed())
    }

    fn predict(&self, session: &mut dyn Session, batch: &Batch) -> Result<Prediction> {
        let Handle { self_, table, peer } = &self.handle;
        let Some(predict) = table.predict else { return self.defaults().predict(session, batch) };
        let mut batch = BatchParcel::new(batch)?;
        let call = |session, out: *const ZooReturn| {
            let batch = batch.leave();
            // SAFETY: as above.
            unsafe { predict(*self_, session, &raw const batch, out) }
        };
        let answer = lend_session(session, |session| peer.call("prediction", with(session, call)))?;
        Ok(Prediction { outputs: answer.tensors })
    }

    fn metrics(&self) -> Vec<Box<dyn Metric>> {
        let Handle { self_, table, peer } = &self.handle;
        let Some(metrics) = table.metrics else { return self.defaults().metrics() };
        // SAFETY: the object with its own function.
        let answer = peer.call("metrics of a model", |out| unsafe { metrics(*self_, out) });
        answer.and_then(|answer| answer.metrics.named()).unwrap_or_default()
    }

    fn evaluate(
        &self,
        session: &mut dyn Session,
        dataset: &dyn Dataset,
        config: &Config,
        bench: &mut dyn Workbench,
    ) -> Result<Option<Measurements>> {
        let Handle { self_, table, peer } = &self.handle;
        let Some(evaluate) = table.evaluate else { return Ok(None) };
        let config = wire::to_json(config)?;
        let call = |session, dataset, bench, out: *const ZooReturn| {
            // SAFETY: the object with its own function; everything lent lives through the call.
            unsafe { evaluate(*self_, session, dataset, config.as_str().into(), bench, out) }
        };
        let answer = lend_session(session, |session| {
            lend_dataset(dataset, |dataset| lend_bench(bench, |bench| peer.call("evaluation", |out| call(session, dataset, bench, out))))
        })?;
        Ok(answer.json_if_any::<WireMeasurements>()?.map(Measurements::from))
    }

    fn claims(&self, model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
        let Handle { self_, table, peer } = &self.handle;
        let Some(claims) = table.claims else { return self.defaults().claims(model, config, bench) };
        let config = wire::to_json(config)?;
        // SAFETY: as above.
        let call = |bench, out: *const ZooReturn| unsafe { claims(*self_, model.into(), config.as_str().into(), bench, out) };
        let answer = lend_bench(bench, |bench| peer.call("claims", with(bench, call)))?;
        Ok(answer.json::<Vec<WireOutcome>>()?.into_iter().map(ClaimOutcome::from).collect())
    }

    fn figures(&self, model: &str, config: &Config, outcomes: &[ClaimOutcome]) -> Result<Vec<Figure>> {
        let Handle { self_, table, peer } = &self.handle;
        let Some(figures) = table.figures else { return Ok(Vec::new()) };
        let outcomes: Vec<_> = outcomes.iter().cloned().map(WireOutcome::from).collect();
        let (config, outcomes) = (wire::to_json(config)?, wire::to_json(&outcomes)?);
        // SAFETY: the object with its own function; the texts live through the call.
        let call = |out| unsafe { figures(*self_, model.into(), config.as_str().into(), outcomes.as_str().into(), out) };
        peer.call("figures", call)?.json()
    }

    fn actions(&self) -> Vec<ActionSpec> {
        self.actions.clone()
    }

    fn act(&self, action: &str, args: &[String], model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
        let Handle { self_, table, peer } = &self.handle;
        let Some(act) = table.act else { return self.defaults().act(action, args, model, config, bench) };
        let (args, config) = (wire::to_json(args)?, wire::to_json(config)?);
        let call = |bench, out: *const ZooReturn| {
            // SAFETY: as above.
            unsafe { act(*self_, action.into(), args.as_str().into(), model.into(), config.as_str().into(), bench, out) }
        };
        lend_bench(bench, |bench| peer.call("command of a model", with(bench, call)))?.json()
    }
}

/// Fixes the first argument of a call.
fn with<L>(lent: L, call: impl FnOnce(L, *const ZooReturn) -> i32) -> impl FnOnce(*const ZooReturn) -> i32 {
    move |out| call(lent, out)
}

/// The model with the trait's own defaults for everything that may be left out, save `preprocess` when it is there.
struct Defaults<'a>(&'a ForeignModel);

impl Model for Defaults<'_> {
    fn card(&self) -> &ModelCard {
        &self.0.card
    }

    fn artifact_kinds(&self) -> &[ArtifactKind] {
        &self.0.kinds
    }

    fn actions(&self) -> Vec<ActionSpec> {
        self.0.actions.clone()
    }

    fn export(&self, request: &ExportRequest, weights: &Weights, config: &Config) -> Result<Artifact> {
        self.0.export(request, weights, config)
    }

    fn import(&self, file: &Weights, dialect: Dialect, config: &Config) -> Result<Weights> {
        self.0.import(file, dialect, config)
    }
}
