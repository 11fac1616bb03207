//! The plugin's model: step graphs, the protocol over streams, claims and commands.

use crate::config::PaperConfig;
use crate::export::{GRAPH, SEQUENCE, sequence_graph, step_graph};
use crate::score::Score;
use crate::task::Stream;
use crate::weights::{self, Net};
use serde_json::{Value, json};
use std::sync::Arc;
use zoo_core::model::{ActionSpec, Figure};
use zoo_core::{
    Artifact, ArtifactKind, Batch, ClaimOutcome, Config, DType, Dataset, Dialect, Dim, Error, Estimate, ExportRequest, Measurements, Model,
    ModelCard, Prediction, Result, Session, TaskKind, Tensor, TensorSpec, Weights, Workbench,
};

/// Licence of the weights made here.
pub const WEIGHTS_LICENCE: &str = "CC0-1.0";
/// Streams that go through a session together.
const BATCH: usize = 20;

/// HebbFF, its baselines and DetHebb.
pub struct HebbFf {
    card: ModelCard,
}

impl Default for HebbFf {
    fn default() -> Self {
        Self { card: card() }
    }
}

fn card() -> ModelCard {
    ModelCard {
        name: "hebbff".into(),
        title: "HebbFF: continual familiarity detection with Hebbian plasticity".into(),
        description: "A feed-forward network whose hidden weights change with every item says of each item of a stream whether it came \
                      before; its hidden units are examined as a signed network over time while it learns."
            .into(),
        paper: "arXiv:2311.05862".into(),
        upstream: "gushiapi/flex_hebbff, gushiapi/MultiSliceNetworkTools, dtyulman/hebbff (no licence file; read, not copied)".into(),
        code_licence: "MIT OR Apache-2.0".into(),
        weights_licence: WEIGHTS_LICENCE.into(),
        task: TaskKind::Own,
        inputs: vec![
            TensorSpec::new("items", DType::F32, [Dim::from("batch"), "steps".into(), "d".into()])
                .range(-1.0, 1.0)
                .meaning("items of a stream, bits of -1 and +1"),
        ],
        outputs: vec![
            TensorSpec::new("familiar", DType::F32, [Dim::from("batch"), "steps".into()])
                .range(0.0, 1.0)
                .meaning("probability that the item came before in its stream"),
        ],
        preprocessing: "none; the state is zero at the start of a stream".into(),
        limitations: vec![
            "Items are random bits; nothing is known about natural stimuli.".into(),
            "The body of the paper was not read: windows, resolution and statistics follow the authors' public analysis code.".into(),
            "Hidden activity is graded; only DetHebb (0 or 1) could run event by event, and the event executor is not offered it.".into(),
        ],
    }
}

impl HebbFf {
    fn not_offered(what: String) -> Error {
        Error::NotOffered {
            who: "hebbff".into(),
            what,
            hint: format!("it offers `{GRAPH}` and `{SEQUENCE}` as onnx, and `weights` as safetensors"),
        }
    }
}

impl Model for HebbFf {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn artifact_kinds(&self) -> &[ArtifactKind] {
        &[ArtifactKind::Onnx, ArtifactKind::Safetensors]
    }

    fn variants(&self, kind: ArtifactKind) -> Vec<String> {
        let names: &[&str] = if kind == ArtifactKind::Onnx { &[GRAPH, SEQUENCE] } else { &["weights"] };
        names.iter().map(ToString::to_string).collect()
    }

    fn export(&self, request: &ExportRequest, weights: &Weights, config: &Config) -> Result<Artifact> {
        let net = Net::read(&PaperConfig::read(config)?, weights)?;
        let variants = self.variants(request.kind);
        let variant = request.variant.as_ref().unwrap_or(&variants[0]);
        if !variants.contains(variant) {
            return Err(Self::not_offered(format!("graph `{variant}` as {}", request.kind)));
        }
        match request.kind {
            ArtifactKind::Onnx if variant == SEQUENCE => sequence_graph(&net, request.opset, config),
            ArtifactKind::Onnx => step_graph(&net, request.opset, config),
            ArtifactKind::Safetensors => {
                let file = Weights { metadata: weights.metadata.clone(), ..net.weights()? };
                let bytes = zoo_formats::safetensors::to_bytes(&file)?;
                Ok(Artifact::single(request.kind, variant, "hebbff.safetensors", bytes))
            }
            other => Err(Self::not_offered(format!("graph `{variant}` as {other}"))),
        }
    }

    fn import(&self, file: &Weights, dialect: Dialect, config: &Config) -> Result<Weights> {
        weights::import(file, dialect, &PaperConfig::read(config)?)
    }

    fn predict(&self, session: &mut dyn Session, batch: &Batch) -> Result<Prediction> {
        let answers = drive(session, batch.field("items")?)?;
        Ok(Prediction { outputs: vec![("familiar".into(), answers)] })
    }

    fn evaluate(
        &self,
        session: &mut dyn Session,
        dataset: &dyn Dataset,
        _: &Config,
        bench: &mut dyn Workbench,
    ) -> Result<Option<Measurements>> {
        let count = bench.limit().map_or(dataset.len(), |limit| limit.min(dataset.len()));
        let features: Arc<[TensorSpec]> = dataset.info().features.clone().into();
        let mut each = Vec::with_capacity(count);
        let mut score = Score::default();
        for start in (0..count).step_by(BATCH) {
            bench.check()?;
            let batch = Batch::read(dataset, &features, start..(start + BATCH).min(count))?;
            let prediction = self.predict(session, &batch)?;
            let answers = prediction.get("familiar")?.to_f32();
            let labels = batch.field("familiar")?.to_f32();
            let steps = labels.len() / batch.len().max(1);
            for (answers, labels) in answers.chunks_exact(steps.max(1)).zip(labels.chunks_exact(steps.max(1))) {
                let answers: Vec<f64> = answers.iter().map(|v| f64::from(*v)).collect();
                let labels: Vec<bool> = labels.iter().map(|v| *v > 0.5).collect();
                score = score.add(&answers, &labels);
                each.push(Score::default().add(&answers, &labels).balanced());
            }
            bench.progress("streams", (start + batch.len()) as u64, Some(count as u64), "streams");
        }
        let percent = |value: f64| Estimate { value: 100.0 * value, ci95: None, unit: "%".into() };
        let metrics = vec![
            ("balanced accuracy".into(), Estimate { ci95: interval(&each), ..percent(score.balanced()) }),
            ("accuracy".into(), percent(score.accuracy())),
            ("true-positive rate".into(), percent(score.tpr())),
            ("false-positive rate".into(), percent(score.fpr())),
        ];
        let detail = json!({"counts": score, "balanced_by_stream": each});
        Ok(Some(Measurements { items: count as u64, metrics, figures: Vec::new(), detail }))
    }

    fn claims(&self, model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
        crate::claims::claims(model, &PaperConfig::read(config)?, bench)
    }

    fn figures(&self, _: &str, _: &Config, outcomes: &[ClaimOutcome]) -> Result<Vec<Figure>> {
        crate::figures::all(outcomes)
    }

    fn actions(&self) -> Vec<ActionSpec> {
        vec![
            ActionSpec { name: "bench-louvain".into(), help: crate::bench::HELP.into() },
            ActionSpec { name: "import-pickle".into(), help: IMPORT_PICKLE.into() },
            ActionSpec { name: "latency".into(), help: crate::latency::HELP.into() },
            ActionSpec {
                name: "dry-run".into(),
                help: "one step of training and one graph of this configuration, with random weights".into(),
            },
        ]
    }

    fn act(&self, action: &str, args: &[String], model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
        match action {
            "bench-louvain" => crate::bench::louvain_row(args, bench.reporter()),
            "import-pickle" => import_pickle(args, config),
            "latency" => crate::latency::rows(args, config, bench),
            "dry-run" => dry_run(config),
            _ => {
                let hint = "its commands are bench-louvain, import-pickle, latency and dry-run".into();
                Err(Error::NotOffered { who: model.into(), what: format!("command `{action}`"), hint })
            }
        }
    }
}

const IMPORT_PICKLE: &str = "FILE OUT: reads a network that its authors published (.pkl, as torch.save writes it) without running what it \
                             says, and writes it as safetensors";

/// An authors' file as weights of this plugin.
fn import_pickle(args: &[String], config: &Config) -> Result<Value> {
    let [file, out] = args else {
        return Err(Error::argument("arguments of `import-pickle`", "a file and where to write", format!("{args:?}")));
    };
    let (file, out) = (std::path::Path::new(file), std::path::Path::new(out));
    let found = crate::torch_file::read(file)?;
    let mut weights = weights::import(&found, Dialect::Authors, &PaperConfig::read(config)?)?;
    weights.metadata = found.metadata;
    zoo_formats::safetensors::write_atomically(out, &weights)?;
    Ok(json!({"written": out.display().to_string(), "tensors": weights.tensors.len(), "metadata": weights.metadata}))
}

/// Items `[batch, steps, d]` of one step after the other, `[steps, batch, d]`.
fn by_step(values: &[f32], [batch, steps, d]: [usize; 3]) -> Vec<f32> {
    (0..steps).flat_map(|t| (0..batch).flat_map(move |b| values[(b * steps + t) * d..][..d].iter().copied())).collect()
}

/// Streams of a batch `[batch, steps, d]` through a graph; the answers are `[batch, steps]`.
pub(crate) fn drive(session: &mut dyn Session, items: &Tensor) -> Result<Tensor> {
    items.expect("field `items`", DType::F32, &[None, None, None])?;
    let &[batch, steps, d] = items.shape() else { return Err(Error::shape("field `items`", "three axes", items.shape())) };
    let values: &[f32] = items.as_slice()?;
    if session.inputs().first().is_some_and(|spec| spec.name == "items") {
        return drive_sequence(session, values, [batch, steps, d]);
    }
    let mut states = Vec::new();
    for spec in session.inputs().iter().skip(1) {
        let shape: Vec<usize> = std::iter::once(batch).chain(spec.shape.iter().skip(1).filter_map(Dim::fixed)).collect();
        states.push(Tensor::zeros(DType::F32, shape)?);
    }
    let mut answers = vec![0.0f32; batch * steps];
    for t in 0..steps {
        let item: Vec<f32> = values.chunks_exact((steps * d).max(1)).flat_map(|s| s[t * d..(t + 1) * d].iter().copied()).collect();
        let mut inputs = vec![Tensor::from_vec([batch, d], item)?];
        let count = states.len();
        inputs.append(&mut states);
        let mut outputs = session.run(&inputs)?;
        if outputs.len() <= count {
            return Err(Error::artifact("session", "outputs", format!("expected y and {count} states, found {} outputs", outputs.len())));
        }
        states = outputs.split_off(outputs.len() - count);
        let y: &[f32] = outputs[0].as_slice()?;
        y.iter().enumerate().take(batch).for_each(|(b, y)| answers[b * steps + t] = *y);
    }
    Tensor::from_vec([batch, steps], answers)
}

/// The whole stream in one run.
fn drive_sequence(session: &mut dyn Session, values: &[f32], [batch, steps, d]: [usize; 3]) -> Result<Tensor> {
    let mut inputs = vec![Tensor::from_vec([steps, batch, d], by_step(values, [batch, steps, d]))?];
    for spec in session.inputs().iter().skip(1) {
        let shape: Vec<usize> = std::iter::once(batch).chain(spec.shape.iter().skip(1).filter_map(Dim::fixed)).collect();
        inputs.push(Tensor::zeros(DType::F32, shape)?);
    }
    let outputs = session.run(&inputs)?;
    let y = outputs.first().ok_or_else(|| Error::artifact("session", "outputs", "expected `y`, found none"))?;
    y.expect("output `y`", DType::F32, &[Some(steps), Some(batch), Some(1)])?;
    let y: &[f32] = y.as_slice()?;
    Tensor::from_vec([batch, steps], (0..batch).flat_map(|b| (0..steps).map(move |t| y[t * batch + b])).collect::<Vec<f32>>())
}

/// Student's 95 % interval of a mean over streams, in per cent.
fn interval(values: &[f64]) -> Option<[f64; 2]> {
    use statrs::distribution::{ContinuousCDF, StudentsT};
    let n = values.len() as f64;
    let mean = crate::stats::mean(values);
    let error = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt();
    let quantile = StudentsT::new(0.0, 1.0, n - 1.0).ok()?.inverse_cdf(0.975);
    let half = quantile * error;
    half.is_finite().then_some([100.0 * (mean - half), 100.0 * (mean + half)])
}

/// Builds a configuration's network with random weights, takes one gradient and exports it.
///
/// # Errors
/// Whatever reading, differentiating and exporting find.
pub fn dry_run(config: &Config) -> Result<Value> {
    use crate::learn::Learner;
    use crate::random::{Purpose, stream};
    let paper = PaperConfig::read(config)?;
    let mut rng = stream(0, Purpose::Init, 0);
    let sequence: Stream = paper.task.stream(&mut rng);
    let sizes = paper
        .capacity
        .as_ref()
        .map_or_else(|| vec![(paper.task.d, paper.network.n)], |c| c.d.iter().flat_map(|&d| c.n.iter().map(move |&n| (d, n))).collect());
    let form = crate::net::Form { d: paper.task.d, n: paper.network.n, force: paper.network.force, lam_param: paper.network.lam_param };
    let net = crate::net::HebbNet::new(form, &mut rng);
    let mut gradient = vec![0.0; form.len()];
    let loss = Learner::loss_and_gradient(&net, &sequence, &mut gradient);
    let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
    let artifact = step_graph(&Net::Plastic(net), None, config)?;
    Ok(json!({
        "parameters": form.len(), "loss": loss, "gradient_norm": norm, "graph_bytes": artifact.main()?.bytes.len(), "sizes": sizes,
    }))
}
