//! The model.

use crate::config::{Input, Spec};
use crate::{post, steps, text};
use serde_json::{Value, json};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use tokenizers::Tokenizer;
use zoo_core::metric::{Accuracy, Metric};
use zoo_core::model::ActionSpec;
use zoo_core::{
    Artifact, ArtifactKind, Batch, Config, DType, Dataset, Dialect, Dim, Error, ExportRequest, Measurements, Model, ModelCard, Prediction,
    Result, Session, TaskKind, Tensor, TensorSpec, Weights, Workbench,
};

/// Key of the artifact's metadata under which the spec travels to the session.
const SPEC: &str = "zoo.onnx-file";
/// Greatest file that `predict` reads, in bytes.
const LONGEST: u64 = 1 << 30;
/// Items a batch in `evaluate`.
const BATCH: usize = 32;

/// Any ONNX file, described by the registry.
pub struct OnnxFile {
    card: ModelCard,
}

impl Default for OnnxFile {
    fn default() -> Self {
        Self {
            card: ModelCard {
                name: "onnx-file".into(),
                title: "Somebody else's ONNX file".into(),
                description: "A network that is an ONNX file, with pre- and post-processing as the registry describes them.".into(),
                paper: String::new(),
                upstream: "the source named in the registry".into(),
                code_licence: "MIT OR Apache-2.0".into(),
                weights_licence: "as `licence` in the model's config says".into(),
                task: TaskKind::Own,
                inputs: Vec::new(),
                outputs: Vec::new(),
                preprocessing: "As the model's config says, step by step.".into(),
                limitations: vec!["The zoo vouches for the file's identity, not for what it was trained on.".into()],
            },
        }
    }
}

impl Model for OnnxFile {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn artifact_kinds(&self) -> &[ArtifactKind] {
        &[ArtifactKind::Onnx]
    }

    fn export(&self, request: &ExportRequest, weights: &Weights, config: &Config) -> Result<Artifact> {
        let variant = request.variant.as_deref().unwrap_or("model");
        if request.kind != ArtifactKind::Onnx || variant != "model" || request.opset.is_some() {
            let opset = request.opset.map(|opset| format!(" of opset {opset}")).unwrap_or_default();
            let what = format!("{} graph `{variant}`{opset}", request.kind);
            return Err(Error::NotOffered { who: "onnx-file".into(), what, hint: "it hands on the file as it is: graph `model`".into() });
        }
        let spec: Spec = config.parse()?;
        let file = weights.get("onnx")?;
        file.expect("file `onnx`", DType::U8, &[None])?;
        let mut artifact = Artifact::single(ArtifactKind::Onnx, "model", "model.onnx", file.as_bytes());
        check(&spec, &artifact)?;
        artifact.metadata.insert(SPEC.into(), config.canonical());
        artifact.metadata.extend(text::metadata(&spec, weights)?);
        artifact.metadata.insert("licence".into(), spec.licence);
        Ok(artifact)
    }

    fn import(&self, file: &Weights, _: Dialect, _: &Config) -> Result<Weights> {
        // The weights are inside the ONNX file, so there is no tensor to take.
        file.expect_keys("weights of an ONNX file", [])?;
        Ok(Weights::new())
    }

    fn predict(&self, session: &mut dyn Session, batch: &Batch) -> Result<Prediction> {
        predict(&spec_of(session)?, session, batch)
    }

    fn evaluate(
        &self,
        session: &mut dyn Session,
        dataset: &dyn Dataset,
        config: &Config,
        bench: &mut dyn Workbench,
    ) -> Result<Option<Measurements>> {
        let spec: Spec = config.parse()?;
        let (Some(label), Some(output)) = (&spec.label, spec.outputs.first()) else {
            return Err(Error::Config { key: "label".into(), expected: "the field with the class index".into(), found: "nothing".into() });
        };
        let features: Arc<[TensorSpec]> = dataset.info().features.clone().into();
        let items = bench.limit().unwrap_or(usize::MAX).min(dataset.len());
        let mut accuracy = Accuracy::new(output.shown(), label);
        for start in (0..items).step_by(BATCH) {
            bench.check()?;
            bench.progress("items", start as u64, Some(items as u64), "items");
            let batch = Batch::read(dataset, &features, start..(start + BATCH).min(items))?;
            accuracy.update(&predict(&spec, session, &batch)?, &batch)?;
        }
        let estimate = accuracy.estimate().ok_or_else(|| Error::argument("items to evaluate", "at least one", "none"))?;
        Ok(Some(Measurements { items: items as u64, metrics: vec![(accuracy.name().into(), estimate)], ..Measurements::default() }))
    }

    fn actions(&self) -> Vec<ActionSpec> {
        let help = "predicts one item: FIELD=FILE for each field; tensor FIELD of a .safetensors file, or the bytes of any other";
        vec![ActionSpec { name: "predict".into(), help: help.into() }]
    }

    fn act(&self, action: &str, args: &[String], model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
        if action != "predict" {
            let hint = "its command is predict".into();
            return Err(Error::NotOffered { who: model.into(), what: format!("command `{action}`"), hint });
        }
        let spec: Spec = config.parse()?;
        let batch = item(args)?;
        let (weights, _) = bench.weights(model, None)?;
        let artifact = self.export(&ExportRequest::new(ArtifactKind::Onnx), &weights, config)?;
        let mut session = bench.compile(&artifact)?;
        let prediction = predict(&spec, &mut *session, &batch)?;
        let mut shown = serde_json::Map::new();
        for (output, (name, tensor)) in spec.outputs.iter().zip(&prediction.outputs) {
            let names = output.labels.as_deref().map(|pointer| post::labels(pointer, &weights)).transpose()?;
            shown.insert(name.clone(), post::shown(output, &tensor.to_f32(), names.as_deref())?);
        }
        Ok(json!(shown))
    }
}

/// The spec names exactly the graph's inputs, and only outputs there are.
fn check(spec: &Spec, artifact: &Artifact) -> Result<()> {
    let model = zoo_formats::onnx::read_artifact(artifact)?;
    let names = |specs: Vec<TensorSpec>| specs.into_iter().map(|s| s.name).collect::<Vec<_>>();
    let (inputs, outputs) = (names(model.inputs()?), names(model.outputs()?));
    let missing: Vec<_> = inputs.iter().filter(|n| !spec.inputs.iter().any(|i| i.name == **n)).cloned().collect();
    let strange = spec.inputs.iter().map(|i| &i.name).filter(|n| !inputs.contains(n));
    let strange = strange.chain(spec.outputs.iter().map(|o| &o.name).filter(|n| !outputs.contains(n)));
    let unexpected: Vec<_> = strange.cloned().collect();
    if missing.is_empty() && unexpected.is_empty() {
        return Ok(());
    }
    Err(Error::Keys { what: "inputs and outputs in the model's config".into(), missing, unexpected })
}

fn spec_of(session: &dyn Session) -> Result<Spec> {
    let text = session.metadata().get(SPEC);
    let text = text.ok_or_else(|| Error::artifact("session", SPEC, "expected the artifact's own metadata, found none"))?;
    let value = serde_json::from_str(text).map_err(|e| Error::artifact("session", SPEC, e.to_string()))?;
    Config::new(value).parse()
}

fn predict(spec: &Spec, session: &mut dyn Session, batch: &Batch) -> Result<Prediction> {
    // Items go together unless an input's steps already make the graph's first axis.
    let apart = spec.inputs.iter().any(|i| i.whole) || spec.inputs.iter().any(|i| i.zeros.is_some());
    let group = if apart { 1 } else { batch.len().max(1) };
    let tokenizer = text::of_session(spec, session)?;
    let mut parts: Vec<Vec<Tensor>> = vec![Vec::new(); spec.outputs.len()];
    for start in (0..batch.len()).step_by(group) {
        let range = start..(start + group).min(batch.len());
        let inputs = session.inputs().iter().map(|wanted| {
            let input = spec.inputs.iter().find(|i| i.name == wanted.name);
            input
                .ok_or_else(|| Error::Keys { what: "inputs in config".into(), missing: vec![wanted.name.clone()], unexpected: vec![] })
                .and_then(|input| feed(input, wanted, batch, range.clone(), tokenizer.as_ref()))
        });
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        let given = session.run(&inputs)?;
        for (output, parts) in spec.outputs.iter().zip(&mut parts) {
            let at = session.outputs().iter().position(|o| o.name == output.name);
            let tensor = at.and_then(|at| given.get(at)).cloned();
            let tensor = tensor.ok_or_else(|| Error::Keys {
                what: "outputs of the graph".into(),
                missing: vec![output.name.clone()],
                unexpected: vec![],
            })?;
            let tensor = post::activate(output.activation, tensor)?;
            parts.push(if spec.inputs.iter().any(|i| i.whole) {
                let shape: Vec<usize> = std::iter::once(1).chain(tensor.shape().iter().copied()).collect();
                tensor.reshape(shape)?
            } else {
                tensor
            });
        }
    }
    let join = |(output, parts): (&crate::config::Output, Vec<Tensor>)| Ok((output.shown().to_owned(), Tensor::concat(&parts)?));
    Ok(Prediction { outputs: spec.outputs.iter().zip(parts).map(join).collect::<Result<_>>()? })
}

fn feed(input: &Input, wanted: &TensorSpec, batch: &Batch, range: Range<usize>, tokenizer: Option<&Tokenizer>) -> Result<Tensor> {
    match (&input.field, &input.zeros) {
        (None, Some(shape)) => Tensor::zeros(wanted.dtype, shape.clone()),
        (Some(field), None) => {
            let all = batch.field(field)?;
            let item = |index: usize| {
                let row = all.rows(index..index + 1)?;
                let shape = row.shape()[1..].to_vec();
                cast(&wanted.name, steps::run(&input.steps, row.reshape(shape)?, tokenizer)?, wanted.dtype)
            };
            let items = range.map(item).collect::<Result<Vec<_>>>()?;
            match &items[..] {
                [one] if input.whole => Ok(one.clone()),
                _ => Tensor::stack(&items),
            }
        }
        _ => Err(Error::Config {
            key: format!("inputs.{}", input.name),
            expected: "`field` or `zeros`".into(),
            found: "none or both".into(),
        }),
    }
}

/// Steps work in `f32`; integers the graph wants are rounded by it, never silently between others.
fn cast(name: &str, tensor: Tensor, dtype: DType) -> Result<Tensor> {
    match (tensor.dtype(), dtype) {
        (from, to) if from == to => Ok(tensor),
        (_, DType::F32) => Tensor::from_vec(tensor.shape(), tensor.to_f32()),
        (DType::I32, DType::I64) => {
            let wide: Vec<i64> = tensor.as_slice::<i32>()?.iter().map(|&v| v.into()).collect();
            Tensor::from_vec(tensor.shape(), wide)
        }
        (from, to) => {
            Err(Error::DType { what: format!("input `{name}` after its steps"), expected: to.to_string(), found: from.to_string() })
        }
    }
}

/// A batch of one item from files.
fn item(args: &[String]) -> Result<Batch> {
    let mut features = Vec::new();
    let mut fields = Vec::new();
    for arg in args {
        let (field, path) = arg.split_once('=').ok_or_else(|| Error::argument("predict", "FIELD=FILE", arg))?;
        let path = Path::new(path);
        let tensor = if path.extension().is_some_and(|e| e == "safetensors") {
            zoo_formats::safetensors::read(path)?.get(field)?.clone()
        } else {
            let bytes = std::fs::metadata(path).map_err(Error::io(path))?.len();
            if bytes > LONGEST {
                return Err(Error::argument(path.display().to_string(), format!("at most {LONGEST} bytes"), bytes));
            }
            let bytes = std::fs::read(path).map_err(Error::io(path))?;
            Tensor::from_vec([bytes.len()], bytes)?
        };
        let shape: Vec<usize> = std::iter::once(1).chain(tensor.shape().iter().copied()).collect();
        let dims: Vec<Dim> = std::iter::once(Dim::from("batch")).chain(tensor.shape().iter().map(|n| Dim::from(*n))).collect();
        features.push(TensorSpec::new(field, tensor.dtype(), dims));
        fields.push(tensor.reshape(shape)?);
    }
    if fields.is_empty() {
        return Err(Error::argument("predict", "FIELD=FILE", "nothing"));
    }
    Batch::new(features.into(), fields, 0)
}
