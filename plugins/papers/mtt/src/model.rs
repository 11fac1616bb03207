//! The model family: networks on recordings of events, run clocked or on events alone.

use crate::config::PaperConfig;
use crate::data::{EVENTS, LABEL, Recording};
use crate::export::{self, Deployed, Readout, common_metadata, deploy_file, metadata_key};
use crate::fold::fold;
use crate::import::import_authors;
use crate::sampling::MAX_STEPS;
use serde_json::{Value, json};
use zoo_core::metric::{Accuracy, Metric};
use zoo_core::model::ActionSpec;
use zoo_core::{
    Artifact, ArtifactKind, Batch, ClaimOutcome, Config, DType, Dataset, Dialect, Dim, Error, ExportRequest, Measurements, Model,
    ModelCard, Prediction, Result, Session, TaskKind, Tensor, TensorSpec, Weights, Workbench,
};

/// Licence of weights trained by this plugin.
pub const WEIGHTS_LICENCE: &str = "CC0-1.0 (made by this project's own training; the data set's terms apply to the data)";

/// Slots of time in which events arrive at an event-driven run; within a slot they come one by one. Neurons do not leak
/// and there are no biases, so that slots decide about the order of events only.
pub const EVENT_SLOTS: usize = 300;

/// Order of execution of an event-driven graph; the executor reads it from the artifact.
const EVENT_MODES: [&str; 2] = ["async_dfs", "async_bfs"];
/// Key under which the executor finds it.
const MODE_KEY: &str = "events.mode";

/// The family of this plugin.
#[derive(Debug)]
pub struct Mtt {
    card: ModelCard,
}

impl Default for Mtt {
    fn default() -> Self {
        Self::new()
    }
}

impl Mtt {
    /// The family.
    pub fn new() -> Self {
        let batch = || Dim::from("batch");
        let card =
            ModelCard {
                name: "events".into(),
                title: "MTT: spiking network for any number of time steps, and for none".into(),
                description: "Networks without biases of integrate-and-fire neurons, trained under random numbers of time steps a stage \
                          (MTT), so that one weight set runs clocked with few or many steps, or on events alone."
                    .into(),
                paper: "arXiv:2503.17394".into(),
                upstream: "github.com/brain-intelligence-lab/temporal_flexibility_in_SNN (MIT), read, not copied".into(),
                code_licence: "MIT OR Apache-2.0".into(),
                weights_licence: WEIGHTS_LICENCE.into(),
                task: TaskKind::Classification { logits: "logits".into(), label: LABEL.into() },
                inputs: vec![
                    TensorSpec::new(EVENTS, DType::I64, ["events".into(), Dim::from(4)])
                        .meaning("columns x, y, t in microseconds, p (1 brighter, 0 darker)"),
                ],
                outputs: vec![TensorSpec::new("logits", DType::F32, [batch(), "classes".into()]).meaning(
                    "mean current of the last layer over time; of an event-driven run, spikes of each class, ties by final membrane",
                )],
                preprocessing: "events are counted in frames of equal time, from the first event to the last".into(),
                limitations: vec![
                    "Trained here on small digits only; the paper's CIFAR, DVS and gesture networks are described, not trained.".into(),
                    "No chip was used: event-driven numbers are those of this project's executor.".into(),
                ],
            };
        Self { card }
    }

    fn not_offered(what: impl Into<String>, hint: &str) -> Error {
        Error::NotOffered { who: "mtt, family `events`".into(), what: what.into(), hint: hint.into() }
    }

    /// The graph that is asked for; the number of steps may stand in its name (`seq_T10`).
    fn variant(&self, request: &ExportRequest) -> Result<(String, Option<usize>)> {
        let known = self.variants(request.kind);
        let Some(asked) = &request.variant else { return Ok((known[0].clone(), None)) };
        let (plain, steps) = match asked.strip_prefix("seq_T").map(str::parse) {
            Some(Ok(steps)) => ("seq", Some(steps)),
            _ => (asked.as_str(), None),
        };
        let found = known.iter().find(|k| *k == plain).cloned();
        let graph = found.ok_or_else(|| {
            Self::not_offered(format!("{} graph `{asked}`", request.kind), &format!("its graphs are {}", known.join(", ")))
        })?;
        Ok((graph, steps))
    }

    /// The network to write.
    ///
    /// # Errors
    /// [`Error::Argument`] for an absurd number of steps; as [`fold`].
    pub fn deployed(paper: &PaperConfig, weights: &Weights, steps: usize) -> Result<Deployed> {
        if !(1..=MAX_STEPS).contains(&steps) {
            return Err(Error::argument("time steps", format!("1 to {MAX_STEPS}"), steps));
        }
        let network = paper.network()?;
        let folded = fold(&network, weights)?;
        let config = paper.network;
        Ok(Deployed { network, folded, neuron: config.neuron, ttm: config.ttm, input_ttm: config.input_ttm, steps, still: config.still })
    }

    /// An event graph for the executor in one of its modes: clocked means `tick_sync`, with or without output neurons.
    ///
    /// # Errors
    /// As [`Self::deployed`] and [`export::event`].
    pub fn event_graph(paper: &PaperConfig, weights: &Weights, steps: usize, mode: &str, readout: Readout) -> Result<Artifact> {
        let net = Self::deployed(paper, weights, steps)?;
        let graph = if mode == "tick_sync" { "clocked" } else { mode };
        let metadata = common_metadata(graph, steps, paper, weights);
        let mut artifact = export::event(&net, readout, metadata.clone())?.to_artifact(graph)?;
        artifact.metadata.extend(metadata);
        artifact.metadata.insert(MODE_KEY.into(), mode.into());
        Ok(artifact)
    }
}

impl Model for Mtt {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn artifact_kinds(&self) -> &[ArtifactKind] {
        &[ArtifactKind::EventGraph, ArtifactKind::Onnx, ArtifactKind::Nir, ArtifactKind::Safetensors]
    }

    fn variants(&self, kind: ArtifactKind) -> Vec<String> {
        let names: &[&str] = match kind {
            ArtifactKind::Onnx => &["seq", "step"],
            ArtifactKind::EventGraph => &["clocked", EVENT_MODES[0], EVENT_MODES[1]],
            _ => &["model"],
        };
        names.iter().map(ToString::to_string).collect()
    }

    fn export(&self, request: &ExportRequest, weights: &Weights, config: &Config) -> Result<Artifact> {
        let paper = PaperConfig::read(config)?;
        let (graph, named) = self.variant(request)?;
        let asked = named.or(request.steps.map(|s| s as usize));
        if EVENT_MODES.contains(&graph.as_str()) {
            return Self::event_graph(&paper, weights, asked.unwrap_or(EVENT_SLOTS), &graph, Readout::Counts);
        }
        let net = Self::deployed(&paper, weights, asked.unwrap_or(paper.times.max))?;
        let metadata = common_metadata(&graph, net.steps, &paper, weights);
        match (request.kind, graph.as_str()) {
            (ArtifactKind::Onnx, "step") => export::step(request.opset, &net, metadata),
            (ArtifactKind::Onnx, _) => {
                let times = vec![net.steps; net.network.stages()];
                export::sequence(request.opset, &net, &times, metadata)
            }
            (ArtifactKind::EventGraph, _) => {
                let mut artifact = export::event(&net, Readout::Mean, metadata.clone())?.to_artifact("clocked")?;
                artifact.metadata.extend(metadata);
                Ok(artifact)
            }
            (ArtifactKind::Nir, _) => export::nir(&net, metadata),
            (ArtifactKind::Safetensors, _) => deploy_file(&net, weights, metadata),
            (other, _) => Err(Self::not_offered(format!("format {other}"), "its formats are event, onnx, nir and safetensors")),
        }
    }

    fn import(&self, file: &Weights, dialect: Dialect, config: &Config) -> Result<Weights> {
        let paper = PaperConfig::read(config)?;
        let network = paper.network()?;
        let weights = match dialect {
            Dialect::Authors => import_authors(paper.network.architecture, &network, file)?,
            Dialect::Zoo => file.clone(),
        };
        fold(&network, &weights)?;
        Ok(weights)
    }

    fn preprocess(&self, batch: &Batch, session: &dyn Session) -> Result<Vec<Tensor>> {
        let events = batch.field(EVENTS)?;
        let each = (0..events.shape().first().copied().unwrap_or(0))
            .map(|item| events.rows(item..item + 1).and_then(|one| one.reshape(&events.shape()[1..])))
            .collect::<Result<Vec<_>>>()?;
        Ok(vec![frames(&each, session)?])
    }

    fn predict(&self, session: &mut dyn Session, batch: &Batch) -> Result<Prediction> {
        let x = self.preprocess(batch, session)?.remove(0);
        Ok(Prediction { outputs: vec![("logits".into(), run(session, &x)?)] })
    }

    fn evaluate(
        &self,
        session: &mut dyn Session,
        dataset: &dyn Dataset,
        _config: &Config,
        bench: &mut dyn Workbench,
    ) -> Result<Option<Measurements>> {
        // Recordings differ in length, so they are stacked only once they are frames.
        let count = dataset.len().min(bench.limit().unwrap_or(usize::MAX));
        let features: std::sync::Arc<[TensorSpec]> = dataset.info().features.clone().into();
        let mut accuracy = Accuracy::new("logits", LABEL);
        for index in 0..count {
            bench.reporter().check()?;
            bench.reporter().progress("evaluating", index as u64, Some(count as u64), "recordings");
            let batch = Batch::read(dataset, &features, index..index + 1)?;
            accuracy.update(&self.predict(session, &batch)?, &batch)?;
        }
        let metrics = accuracy.estimate().map(|e| ("accuracy".to_string(), e)).into_iter().collect();
        let detail = json!({"graph": metadata(session, metadata_key::GRAPH)?, "T": metadata(session, metadata_key::STEPS)?});
        Ok(Some(Measurements { items: count as u64, metrics, detail, ..Measurements::default() }))
    }

    fn claims(&self, model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
        crate::claims::claims(model, config, bench)
    }

    fn actions(&self) -> Vec<ActionSpec> {
        crate::actions::specs()
    }

    fn act(&self, action: &str, args: &[String], model: &str, _config: &Config, _bench: &mut dyn Workbench) -> Result<Value> {
        crate::actions::act(action, args, model)
    }
}

fn metadata<'a>(session: &'a dyn Session, key: &str) -> Result<&'a str> {
    session.metadata().get(key).map(String::as_str).ok_or_else(|| {
        let why = "expected metadata of an export of this plugin, found none; export it again";
        Error::artifact("session", format!("metadata `{key}`"), why)
    })
}

/// Frames `[batch, T, ...]` of recordings, in as many steps as the session was exported for.
///
/// # Errors
/// [`Error::Artifact`] for a session of something else; as [`Recording::new`].
pub fn frames(events: &[Tensor], session: &dyn Session) -> Result<Tensor> {
    let text = metadata(session, metadata_key::STEPS)?;
    let steps: usize =
        text.parse().ok().filter(|t| (1..=MAX_STEPS).contains(t)).ok_or_else(|| {
            Error::artifact("session", "metadata `T`", format!("expected a number of steps up to {MAX_STEPS}, found {text}"))
        })?;
    let spec = session.inputs().first().map(|s| s.shape.as_slice()).unwrap_or_default();
    let sides: Vec<usize> = spec.iter().rev().take(2).rev().filter_map(Dim::fixed).collect();
    let sides: [usize; 2] = sides.try_into().map_err(|_| Error::shape("first input of the session", "[..., rows, columns]", spec))?;
    let mut values = Vec::new();
    for events in events {
        values.extend(Recording::new(events, sides)?.frames(steps)?);
    }
    Tensor::from_vec([events.len(), steps, 2, sides[0], sides[1]], values)
}

/// Runs frames `[batch, T, ...]` to logits `[batch, classes]`, whatever graph the session is.
///
/// # Errors
/// [`Error::Artifact`] for a session of something else; whatever running finds.
pub fn run(session: &mut dyn Session, x: &Tensor) -> Result<Tensor> {
    let missing = || Error::artifact("session", "outputs", "expected logits, found none");
    let graph = metadata(session, metadata_key::GRAPH)?.to_string();
    if graph == "step" {
        return run_steps(session, x);
    }
    let output = session.run(std::slice::from_ref(x))?.into_iter().next().ok_or_else(missing)?;
    if EVENT_MODES.contains(&graph.as_str()) { by_count(&output) } else { Ok(output) }
}

/// From spikes and currents of each class, `[batch, 2 classes]`, to logits that order classes by spikes and equal ones
/// by the final membrane.
///
/// # Errors
/// [`Error::Shape`] or [`Error::DType`] for another kind of tensor.
pub fn by_count(output: &Tensor) -> Result<Tensor> {
    output.expect("output `logits`", DType::F32, &[None, None])?;
    let &[batch, both] = output.shape() else { return Err(Error::shape("logits", "two axes", output.shape())) };
    let classes = both / 2;
    let mut logits = Vec::with_capacity(batch * classes);
    for row in output.as_slice::<f32>()?.chunks_exact(both.max(1)) {
        for (count, total) in row[..classes].iter().zip(&row[classes..]) {
            let membrane = total - count;
            // Monotone, and less than half a spike either way.
            logits.push(count + 0.49 * membrane / (1.0 + membrane.abs()));
        }
    }
    Tensor::from_vec([batch, classes], logits)
}

/// Drives a step graph; the result is the mean over time.
fn run_steps(session: &mut dyn Session, x: &Tensor) -> Result<Tensor> {
    let shape = x.shape();
    let (batch, steps) = (shape[0], shape[1]);
    let mut states = Vec::new();
    for spec in session.inputs().iter().skip(1) {
        let each = spec.shape.iter().skip(1).filter_map(Dim::fixed);
        states.push(Tensor::zeros(DType::F32, std::iter::once(batch).chain(each).collect::<Vec<_>>())?);
    }
    let each: usize = shape[2..].iter().product();
    let values = x.as_slice::<f32>()?;
    let mut mean: Option<(Vec<usize>, Vec<f32>)> = None;
    for step in 0..steps {
        let items = values.chunks_exact((steps * each).max(1));
        let frame = items.flat_map(|item| item[step * each..(step + 1) * each].iter().copied()).collect();
        let mut inputs = vec![Tensor::from_vec([&shape[..1], &shape[2..]].concat(), frame)?];
        inputs.append(&mut states);
        let mut outputs = session.run(&inputs)?.into_iter();
        let now = outputs.next().ok_or_else(|| Error::artifact("session", "outputs", "expected `logits_t`, found none"))?;
        states = outputs.collect();
        let (_, sum) = mean.get_or_insert_with(|| (now.shape().to_vec(), vec![0.0; now.len()]));
        sum.iter_mut().zip(now.as_slice::<f32>()?).for_each(|(s, v)| *s += v);
    }
    let (shape, sum) = mean.ok_or_else(|| Error::shape("frames", "at least one step", shape))?;
    Tensor::from_vec(shape, sum.into_iter().map(|v| v / steps as f32).collect())
}
