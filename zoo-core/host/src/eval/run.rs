//! One run: resolve, fetch, export, compile, evaluate.

use super::{Bench, claims, evaluate_batches, shard_range};
use crate::results::{ArtifactUsed, Latency, Measured, PluginUsed, Run, Shard, Spikes, Timing};
use crate::zoo::{Door, FoundModel, Zoo};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::Instant;
use zoo_core::{Artifact, Backend, Device, Error, ExportRequest, Level, Options, Reporter, Result, Session, SessionStats};

/// How to evaluate.
#[derive(Clone, Debug)]
pub struct EvalOptions {
    /// Where to run.
    pub device: Device,
    /// Greatest number of items.
    pub limit: Option<usize>,
    /// Items a batch.
    pub batch: usize,
    /// Seed of everything that draws at random.
    pub seed: u64,
    /// How to compile.
    pub compile: Options,
    /// Whether to re-measure the paper's bars.
    pub claims: bool,
    /// Evaluate only a part of the split.
    pub shard: Option<Shard>,
}

impl Default for EvalOptions {
    fn default() -> Self {
        Self { device: Device::Cpu, limit: None, batch: 64, seed: 0, compile: Options::default(), claims: false, shard: None }
    }
}

/// Evaluates one model on one backend.
///
/// # Errors
/// [`Error::NotOffered`] if the model has no artifact the backend accepts, [`Error::Unavailable`] if the backend is not
/// ready here; else whatever fetching, exporting, compiling and running find.
pub fn evaluate(zoo: &Zoo, model: &FoundModel<'_>, backend: &str, options: &EvalOptions, reporter: &dyn Reporter) -> Result<Run> {
    let name = model.entry.name.as_str();
    let backend = zoo.backend(backend)?;

    let fetching = Instant::now();
    let (weights, weights_sha256) = zoo.weights(model, None, reporter)?;
    let data = model.entry.dataset.as_deref().ok_or_else(|| Error::NotOffered {
        who: name.into(),
        what: "an evaluation".into(),
        hint: "registry.toml names no data set for it; `cargo xtask info` lists its own commands".into(),
    })?;
    let dataset = zoo.dataset(data, &model.entry.split, &model.dataset_config(), reporter)?;
    let fetch_s = fetching.elapsed().as_secs_f64();

    let compiling = Instant::now();
    let artifact = export_for(model, backend, &weights)?;
    let mut compile = options.compile.clone();
    compile.batch_hint.get_or_insert(options.batch);
    compile.independent_items = true;
    let mut session = backend.compile(&artifact, &options.device, &compile)?;
    let compile_s = compiling.elapsed().as_secs_f64();

    let mut bench = Bench {
        zoo,
        backend: backend.name(),
        device: options.device,
        options: &compile,
        seed: options.seed,
        limit: options.limit,
        reporter,
    };
    let evaluating = Instant::now();
    let measured = match model.model.evaluate(&mut *session, &*dataset, &model.config, &mut bench)? {
        Some(own) => Evaluated::own(own, evaluating.elapsed().as_secs_f64()),
        None => default_loop(model, &mut *session, &*dataset, options, reporter)?,
    };

    let mut claims = claims::of_metrics(&model.entry.claims, &measured.metrics, options, dataset.len() as u64 == measured.items);
    let mut figures = measured.figures;
    if options.claims {
        let outcomes = model.model.claims(name, &model.config, &mut bench)?;
        // A picture that can't be drawn must not cost what was measured.
        match model.model.figures(name, &model.config, &outcomes) {
            Ok(drawn) => {
                figures.retain(|figure| drawn.iter().all(|d| d.title != figure.title));
                figures.extend(drawn);
            }
            Err(error) => reporter.log(Level::Warn, name, &format!("no figures of the bars: {error}")),
        }
        claims::fill(&mut claims, outcomes, reporter);
    }
    Ok(Run {
        model: name.into(),
        dataset: data.into(),
        split: model.entry.split.clone(),
        n: measured.items,
        backend: backend.name().into(),
        device: options.device.to_string(),
        plugin: plugin_used(model),
        artifact: ArtifactUsed { kind: artifact.kind.to_string(), sha256: artifact_sha256(&artifact) },
        weights_sha256,
        seed: options.seed,
        spikes: spikes(&session.stats(), measured.items),
        metrics: measured.metrics,
        claims,
        timing: Timing { fetch_s, compile_s, ..measured.timing },
        shard: options.shard,
        detail: measured.detail,
        figures,
    })
}

struct Evaluated {
    items: u64,
    metrics: BTreeMap<String, Measured>,
    timing: Timing,
    detail: Option<serde_json::Value>,
    figures: Vec<zoo_core::model::Figure>,
}

impl Evaluated {
    fn own(own: zoo_core::Measurements, seconds: f64) -> Self {
        let metrics = own.metrics.into_iter().map(|(name, estimate)| (name, Measured { estimate, state: None })).collect();
        let timing = Timing { eval_s: seconds, items_per_s: rate(own.items, seconds), ..Timing::default() };
        Self { items: own.items, metrics, timing, detail: (!own.detail.is_null()).then_some(own.detail), figures: own.figures }
    }
}

fn default_loop(
    model: &FoundModel<'_>,
    session: &mut dyn Session,
    dataset: &dyn zoo_core::Dataset,
    options: &EvalOptions,
    reporter: &dyn Reporter,
) -> Result<Evaluated> {
    let mut metrics = model.model.metrics();
    let len = options.limit.map_or(dataset.len(), |limit| limit.min(dataset.len()));
    let range = options.shard.map_or(0..len, |shard| shard_range(len, shard.index, shard.of));
    let outcome = evaluate_batches(model.model, session, dataset, range, options.batch, &mut metrics, reporter)?;
    let latency = || Some(Latency { p50: outcome.latency_ms(0.5)?, p95: outcome.latency_ms(0.95)? });
    let keep = options.shard.is_some();
    let measured = |m: &dyn zoo_core::Metric| {
        let state = keep.then(|| m.state());
        Some((m.name().to_string(), Measured { estimate: m.estimate()?, state }))
    };
    Ok(Evaluated {
        items: outcome.items,
        metrics: metrics.iter().filter_map(|m| measured(&**m)).collect(),
        timing: Timing {
            eval_s: outcome.seconds,
            latency_ms: latency(),
            items_per_s: rate(outcome.items, outcome.seconds),
            ..Timing::default()
        },
        detail: None,
        figures: Vec::new(),
    })
}

/// Exports the first of the model's formats that the backend accepts.
fn export_for(model: &FoundModel<'_>, backend: &dyn Backend, weights: &zoo_core::Weights) -> Result<Artifact> {
    let kinds = model.model.artifact_kinds();
    let kind = kinds.iter().find(|kind| backend.accepts().contains(kind)).ok_or_else(|| Error::NotOffered {
        who: model.entry.name.clone(),
        what: format!("an artifact for backend {}", backend.name()),
        hint: format!(
            "the model exports {}, the backend accepts {}",
            kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            backend.accepts().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        ),
    })?;
    model.model.export(&ExportRequest::new(*kind), weights, &model.config)
}

/// SHA-256 over names and contents of an artifact's files, in order.
pub(crate) fn artifact_sha256(artifact: &Artifact) -> String {
    let mut hash = Sha256::new();
    for file in &artifact.files {
        hash.update((file.name.len() as u64).to_le_bytes());
        hash.update(file.name.as_bytes());
        hash.update((file.bytes.len() as u64).to_le_bytes());
        hash.update(&file.bytes);
    }
    hex::encode(hash.finalize())
}

fn plugin_used(model: &FoundModel<'_>) -> PluginUsed {
    let (door, sha256, isolated) = match &model.loaded.door {
        Door::Static => ("static", None, None),
        Door::Dynamic { sha256, isolated, .. } => ("dynamic", Some(sha256.clone()), Some(*isolated)),
    };
    let info = &model.loaded.plugin.info;
    PluginUsed { name: info.name.clone(), version: info.version.clone(), door: door.into(), sha256, isolated }
}

#[allow(clippy::cast_precision_loss, reason = "counts")]
fn spikes(stats: &SessionStats, items: u64) -> Option<Spikes> {
    let per_item = |count: u64| count as f64 / items.max(1) as f64;
    Some(Spikes { synops: per_item(stats.synops?), spikes_per_item: per_item(stats.spikes?) })
}

#[allow(clippy::cast_precision_loss, reason = "a count of items")]
fn rate(items: u64, seconds: f64) -> Option<f64> {
    (seconds > 0.0).then(|| items as f64 / seconds)
}
