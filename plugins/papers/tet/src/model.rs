//! The two model families: networks on event frames, and on still images repeated at every step.

use crate::config::PaperConfig;
use crate::data::{self, FRAMES, IMAGE, LABEL};
use crate::export::{self, Deployed, common_metadata, metadata_key};
use crate::fold::{fold, weights_hash};
use crate::import::import_authors;
use serde_json::Value;
use zoo_core::model::ActionSpec;
use zoo_core::{
    Artifact, ArtifactKind, Batch, ClaimOutcome, Config, DType, Dialect, Dim, Error, ExportRequest, Model, ModelCard, Prediction, Result,
    Session, TaskKind, Tensor, TensorSpec, Weights, Workbench,
};

/// Licence of weights trained by this plugin.
pub const WEIGHTS_LICENCE: &str = "CC0-1.0 (made by this project's own training; the data set's terms apply to the data)";

/// What a family reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A frame of events a step.
    Events,
    /// One image, repeated at every step (direct coding).
    Images,
}

impl Input {
    /// Name of the family.
    pub fn family(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Images => "images",
        }
    }

    /// Field of the data set.
    pub fn field(self) -> &'static str {
        match self {
            Self::Events => FRAMES,
            Self::Images => IMAGE,
        }
    }
}

/// A model family of this plugin.
#[derive(Debug)]
pub struct Tet {
    input: Input,
    card: ModelCard,
}

impl Tet {
    /// The family of one kind of input.
    pub fn new(input: Input) -> Self {
        let batch = || Dim::from("batch");
        let (title, spec) = match input {
            Input::Events => (
                "TET: spiking network on event frames",
                TensorSpec::new(FRAMES, DType::F32, [batch(), "T".into(), 2.into(), "rows".into(), "columns".into()])
                    .range(0.0, 1.0)
                    .meaning("events a pixel over the frame's maximum; channel 0 darker, channel 1 brighter"),
            ),
            Input::Images => (
                "TET: spiking network on still images",
                TensorSpec::new(IMAGE, DType::U8, [batch(), "channels".into(), "rows".into(), "columns".into()])
                    .range(0.0, 255.0)
                    .meaning("pixels, applied unchanged at every step"),
            ),
        };
        let card = ModelCard {
            name: input.family().into(),
            title: title.into(),
            description: "Leaky integrate-and-fire networks trained by surrogate gradients with the cross entropy at every time step \
                          (TET) or on the mean over time (SDT). Logits of every step are an output, so that a reader may stop early."
                .into(),
            paper: "arXiv:2202.11946".into(),
            upstream: "github.com/brain-intelligence-lab/temporal_efficient_training (MIT), read, not copied".into(),
            code_licence: "MIT OR Apache-2.0".into(),
            weights_licence: WEIGHTS_LICENCE.into(),
            task: TaskKind::Classification { logits: "logits".into(), label: LABEL.into() },
            inputs: vec![spec],
            outputs: vec![
                TensorSpec::new("logits", DType::F32, [batch(), "classes".into()]).meaning("mean over the time steps"),
                TensorSpec::new("logits_t", DType::F32, [batch(), "T".into(), "classes".into()]).meaning("logits of each step"),
            ],
            preprocessing: match input {
                Input::Events => "frames are cut to their centre".into(),
                Input::Images => "pixels / 255, less 0.1307, over 0.3081".into(),
            },
            limitations: vec![
                "Trained here on small digits only; the paper's CIFAR, DVS-CIFAR10 and ImageNet networks are described, not trained."
                    .into(),
                "A network of leak, biases and analog pools is a clocked one: the event-driven executor runs it step by step.".into(),
            ],
        };
        Self { input, card }
    }

    fn not_offered(&self, what: impl Into<String>, hint: &str) -> Error {
        Error::NotOffered { who: format!("tet, family `{}`", self.card.name), what: what.into(), hint: hint.into() }
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
            self.not_offered(format!("{} graph `{asked}`", request.kind), &format!("its graphs are {}", known.join(", ")))
        })?;
        Ok((graph, steps))
    }

    /// The network to write, for the steps asked for.
    fn deployed(&self, paper: &PaperConfig, weights: &Weights, steps: Option<usize>) -> Result<Deployed> {
        let steps = steps.unwrap_or(paper.steps);
        if !(1..=crate::config::MAX_STEPS).contains(&steps) {
            return Err(Error::argument("time steps", format!("1 to {}", crate::config::MAX_STEPS), steps));
        }
        if paper.network.neuron.sigmoid.is_some() {
            return Err(self.not_offered("export of the sigmoid control", "its neurons do not spike; remove `network.neuron.sigmoid`"));
        }
        let network = paper.network()?;
        let folded = fold(&network, weights)?;
        Ok(Deployed { network, folded, neuron: paper.network.neuron, steps, still: self.input == Input::Images })
    }

    /// Exports; used by the claims with other numbers of steps.
    pub(crate) fn sequence(&self, paper: &PaperConfig, weights: &Weights, steps: usize) -> Result<Artifact> {
        let net = self.deployed(paper, weights, Some(steps))?;
        export::sequence(None, &net, common_metadata("seq", steps, paper, weights))
    }
}

impl Model for Tet {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn artifact_kinds(&self) -> &[ArtifactKind] {
        &[ArtifactKind::Onnx, ArtifactKind::EventGraph, ArtifactKind::Nir, ArtifactKind::Safetensors]
    }

    fn variants(&self, kind: ArtifactKind) -> Vec<String> {
        let names: &[&str] = match kind {
            ArtifactKind::Onnx => &["seq", "step"],
            ArtifactKind::EventGraph => &["event"],
            _ => &["model"],
        };
        names.iter().map(ToString::to_string).collect()
    }

    fn export(&self, request: &ExportRequest, weights: &Weights, config: &Config) -> Result<Artifact> {
        let paper = PaperConfig::read(config)?;
        let (graph, named) = self.variant(request)?;
        let net = self.deployed(&paper, weights, named.or(request.steps.map(|s| s as usize)))?;
        let metadata = common_metadata(&graph, net.steps, &paper, weights);
        match (request.kind, graph.as_str()) {
            (ArtifactKind::Onnx, "step") => export::step(request.opset, &net, metadata),
            (ArtifactKind::Onnx, _) => export::sequence(request.opset, &net, metadata),
            (ArtifactKind::EventGraph, _) => {
                let mut artifact = export::event(&net, metadata.clone())?.to_artifact("event")?;
                artifact.metadata.extend(metadata);
                Ok(artifact)
            }
            (ArtifactKind::Nir, _) => export::nir(&net, metadata),
            (ArtifactKind::Safetensors, _) => deploy_file(&net, weights, metadata),
            (other, _) => Err(self.not_offered(format!("format {other}"), "its formats are onnx, event, nir and safetensors")),
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
        let spec = session.inputs().first().map(|s| s.shape.as_slice()).unwrap_or_default();
        let sides: Vec<usize> = spec.iter().rev().take(3).rev().filter_map(Dim::fixed).collect();
        let input: [usize; 3] =
            sides.try_into().map_err(|_| Error::shape("first input of the session", "[..., channels, rows, columns]", spec))?;
        let field = batch.field(self.input.field())?;
        Ok(vec![match self.input {
            Input::Events => data::frames(field, input)?,
            Input::Images => data::images(field, input)?,
        }])
    }

    fn predict(&self, session: &mut dyn Session, batch: &Batch) -> Result<Prediction> {
        let mut inputs = self.preprocess(batch, session)?;
        let by_step = if metadata(session, metadata_key::GRAPH)? == "step" {
            let x = inputs.remove(0);
            run_steps(session, &x, self.input)?
        } else {
            let at = session.outputs().iter().position(|o| o.name == "logits_t");
            let mut outputs = session.run(&inputs)?;
            let at = at.filter(|&at| at < outputs.len());
            outputs.swap_remove(at.ok_or_else(|| Error::artifact("session", "outputs", "expected `logits_t`, found none"))?)
        };
        Ok(Prediction { outputs: vec![("logits".into(), mean_over_time(&by_step)?), ("logits_t".into(), by_step)] })
    }

    fn claims(&self, model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
        crate::claims::claims(self, model, config, bench)
    }

    fn actions(&self) -> Vec<ActionSpec> {
        crate::actions::specs()
    }

    fn act(&self, action: &str, args: &[String], model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
        crate::actions::act(self, action, args, model, config, bench)
    }
}

impl Tet {
    /// What the family reads.
    pub fn input(&self) -> Input {
        self.input
    }
}

/// The folded weights as a file, with the hash of what they come from.
fn deploy_file(net: &Deployed, weights: &Weights, metadata: std::collections::BTreeMap<String, String>) -> Result<Artifact> {
    let mut file = Weights { metadata, ..Weights::default() };
    for layer in net.network.weighted() {
        if let Some(parts) = net.parts(layer) {
            let name = &net.network.layers()[layer].name;
            file.insert(format!("{name}.weight"), parts.weight.clone());
            file.insert(format!("{name}.bias"), parts.bias.clone());
        }
    }
    file.metadata.insert("source_hash".into(), weights_hash(weights));
    let bytes = zoo_formats::safetensors::to_bytes(&file)?;
    let mut artifact = Artifact::single(ArtifactKind::Safetensors, "model", "model.safetensors", bytes);
    artifact.metadata = file.metadata;
    Ok(artifact)
}

fn metadata<'a>(session: &'a dyn Session, key: &str) -> Result<&'a str> {
    session.metadata().get(key).map(String::as_str).ok_or_else(|| {
        let why = "expected metadata of an export of this plugin, found none; export it again";
        Error::artifact("session", format!("metadata `{key}`"), why)
    })
}

/// Drives a step graph; the result is `[batch, T, classes]`.
fn run_steps(session: &mut dyn Session, x: &Tensor, input: Input) -> Result<Tensor> {
    let text = metadata(session, metadata_key::STEPS)?;
    let configured: usize = text.parse().ok().filter(|t| (1..=crate::config::MAX_STEPS).contains(t)).ok_or_else(|| {
        Error::artifact("session", "metadata `T`", format!("expected a number of steps up to {}, found {text}", crate::config::MAX_STEPS))
    })?;
    let shape = x.shape();
    let batch = shape.first().copied().unwrap_or(0);
    let steps = if input == Input::Events { shape.get(1).copied().unwrap_or(0) } else { configured };
    let mut states = Vec::new();
    for spec in session.inputs().iter().skip(1) {
        let each = spec.shape.iter().skip(1).filter_map(Dim::fixed);
        states.push(Tensor::zeros(DType::F32, std::iter::once(batch).chain(each).collect::<Vec<_>>())?);
    }
    let mut by_step = Vec::with_capacity(steps);
    for step in 0..steps {
        let mut inputs = vec![if input == Input::Events { frame(x, step)? } else { x.clone() }];
        inputs.append(&mut states);
        let mut outputs = session.run(&inputs)?.into_iter();
        by_step.push(outputs.next().ok_or_else(|| Error::artifact("session", "outputs", "expected O_t, found none"))?);
        states = outputs.collect();
    }
    let classes = by_step.first().and_then(|t| t.shape().get(1).copied()).unwrap_or(0);
    let mut values = vec![0.0f32; batch * steps * classes];
    for (step, logits) in by_step.iter().enumerate() {
        for (item, row) in logits.as_slice::<f32>()?.chunks_exact(classes.max(1)).enumerate() {
            values[(item * steps + step) * classes..][..classes].copy_from_slice(row);
        }
    }
    Tensor::from_vec([batch, steps, classes], values)
}

/// Frame `step` of `[batch, T, ...]`.
fn frame(x: &Tensor, step: usize) -> Result<Tensor> {
    let shape = x.shape();
    let each: usize = shape[2..].iter().product();
    let items = x.as_slice::<f32>()?.chunks_exact((shape[1] * each).max(1));
    let values = items.flat_map(|item| item[step * each..(step + 1) * each].iter().copied()).collect();
    Tensor::from_vec([&shape[..1], &shape[2..]].concat(), values)
}

/// Mean of `[batch, T, classes]` over `T`.
///
/// # Errors
/// [`Error::Shape`] or [`Error::DType`] for another kind of tensor.
pub fn mean_over_time(by_step: &Tensor) -> Result<Tensor> {
    by_step.expect("output `logits_t`", DType::F32, &[None, None, None])?;
    let &[batch, steps, classes] = by_step.shape() else { return Err(Error::shape("logits_t", "three axes", by_step.shape())) };
    let values = by_step.as_slice::<f32>()?;
    let mut mean = vec![0.0f32; batch * classes];
    for (item, mean) in values.chunks_exact((steps * classes).max(1)).zip(mean.chunks_exact_mut(classes.max(1))) {
        for row in item.chunks_exact(classes.max(1)) {
            mean.iter_mut().zip(row).for_each(|(m, v)| *m += v);
        }
        mean.iter_mut().for_each(|m| *m /= steps as f32);
    }
    Tensor::from_vec([batch, classes], mean)
}
