//! The two model families: the calibrated SNN, and the ANN it comes from.

use crate::ann::Ann;
use crate::calib_file;
use crate::config::{NetworkConfig, PaperConfig};
use crate::data::{IMAGE, LABEL, standardise};
use crate::export::{self, NormalForm, common_metadata, metadata_key};
use crate::fold::fold_network;
use crate::import::import_authors;
use crate::snn::Snn;
use serde_json::Value;
use zoo_core::model::ActionSpec;
use zoo_core::{
    Artifact, ArtifactKind, Batch, ClaimOutcome, Config, DType, Dialect, Dim, Error, ExportRequest, Model, ModelCard, Prediction, Result,
    Session, TaskKind, Tensor, TensorSpec, Weights, Workbench,
};

/// Licence of weights trained by this plugin.
pub const WEIGHTS_LICENCE: &str = "CC0-1.0 (made by this project's own training; the data set's terms apply to the data)";

/// Which side of the conversion a family evaluates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The converted, calibrated network.
    Snn,
    /// The folded source network.
    Ann,
}

/// A model family of this plugin.
#[derive(Debug)]
pub struct Calibration {
    side: Side,
    card: ModelCard,
}

impl Calibration {
    /// The family of one side.
    pub fn new(side: Side) -> Self {
        let (name, title, what) = match side {
            Side::Snn => {
                ("snn", "SNN Calibration: converted spiking network", "The calibrated spiking network, stepped over its time steps.")
            }
            Side::Ann => {
                ("ann", "SNN Calibration: source network", "The ReLU network, batch normalisation folded, that the spiking one comes from.")
            }
        };
        let card = ModelCard {
            name: name.into(),
            title: title.into(),
            description: format!(
                "{what} Weights of a ReLU network move into integrate-and-fire neurons; thresholds, biases, initial potentials and \
                 weights are then calibrated layer by layer on a few hundred unlabelled images, so that few time steps suffice."
            ),
            paper: "arXiv:2205.10121".into(),
            upstream: "github.com/yhhhli/SNN_Calibration (MIT), read, not copied".into(),
            code_licence: "MIT OR Apache-2.0".into(),
            weights_licence: WEIGHTS_LICENCE.into(),
            task: TaskKind::Classification { logits: "logits".into(), label: LABEL.into() },
            inputs: vec![
                TensorSpec::new(IMAGE, DType::U8, [Dim::from("batch"), "channels".into(), "rows".into(), "columns".into()])
                    .range(0.0, 255.0)
                    .meaning("pixels"),
            ],
            outputs: vec![
                TensorSpec::new("logits", DType::F32, [Dim::from("batch"), "classes".into()])
                    .meaning("class scores; of the spiking network, the output current averaged over the time steps"),
            ],
            preprocessing: "pixels / 255, less the mean, over the standard deviation of the training images (in the configuration)".into(),
            limitations: vec![
                "Small grey images only; the papers' CIFAR and ImageNet networks are described but not trained here.".into(),
                "The detection networks of the 2022 paper are not included: their layout could not be read.".into(),
                "A calibration holds for one number of time steps; ask for another and it must be calibrated anew.".into(),
            ],
        };
        Self { side, card }
    }

    fn not_offered(&self, what: impl Into<String>, hint: &str) -> Error {
        Error::NotOffered { who: format!("snn-calibration, family `{}`", self.card.name), what: what.into(), hint: hint.into() }
    }

    fn snn(&self, request: &ExportRequest, paper: &PaperConfig, weights: &Weights) -> Result<Snn> {
        let snn = calib_file::from_weights(&paper.network()?, weights)?;
        if let Some(steps) = request.steps.filter(|&steps| steps != snn.steps()) {
            let expected = format!("{}, which the weights are calibrated for (set `convert.steps` and train anew for others)", snn.steps());
            return Err(Error::argument("time steps", expected, steps));
        }
        Ok(snn)
    }

    /// The graph that is asked for. The number of steps may stand in the closed form's name (`rate_T8`), since it is part
    /// of what that graph computes.
    fn variant(&self, request: &ExportRequest) -> Result<String> {
        let known = self.variants(request.kind);
        let Some(asked) = &request.variant else { return Ok(known[0].clone()) };
        let plain = if asked.starts_with("rate_T") { "rate" } else { asked };
        known
            .iter()
            .find(|k| *k == plain)
            .cloned()
            .ok_or_else(|| self.not_offered(format!("{} graph `{asked}`", request.kind), &format!("its graphs are {}", known.join(", "))))
    }

    fn onnx(&self, request: &ExportRequest, paper: &PaperConfig, weights: &Weights, config: &Config) -> Result<Artifact> {
        let variant = self.variant(request)?;
        let snn_steps = request.variant.as_deref().and_then(|v| v.strip_prefix("rate_T"));
        let metadata = common_metadata(&variant, paper, config, weights);
        if variant == "ann" {
            return export::ann("ann", request.opset, &Ann::new(paper.network()?, weights)?, metadata);
        }
        let snn = self.snn(request, paper, weights)?;
        if let Some(steps) = snn_steps.filter(|s| *s != snn.steps().to_string()) {
            return Err(Error::argument(
                "ONNX graph",
                format!("rate_T{}, the steps of this calibration", snn.steps()),
                format!("rate_T{steps}"),
            ));
        }
        match variant.as_str() {
            "step" => export::step("step", request.opset, &snn, metadata),
            _ => export::rate(&format!("rate_T{}", snn.steps()), request.opset, &snn, metadata),
        }
    }
}

impl Model for Calibration {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn artifact_kinds(&self) -> &[ArtifactKind] {
        match self.side {
            Side::Snn => &[ArtifactKind::EventGraph, ArtifactKind::Onnx, ArtifactKind::Safetensors],
            Side::Ann => &[ArtifactKind::Onnx, ArtifactKind::Safetensors],
        }
    }

    fn variants(&self, kind: ArtifactKind) -> Vec<String> {
        let names: &[&str] = match (kind, self.side) {
            (ArtifactKind::Onnx, Side::Snn) => &["step", "ann", "rate"],
            (ArtifactKind::Onnx, Side::Ann) => &["ann"],
            (ArtifactKind::EventGraph, Side::Snn) => &["event"],
            _ => &["model"],
        };
        names.iter().map(ToString::to_string).collect()
    }

    fn export(&self, request: &ExportRequest, weights: &Weights, config: &Config) -> Result<Artifact> {
        let paper = PaperConfig::read(config)?;
        if !self.artifact_kinds().contains(&request.kind) {
            let kinds = self.artifact_kinds().iter().map(|k| k.name()).collect::<Vec<_>>().join(", ");
            return Err(self.not_offered(format!("format {}", request.kind), &format!("its formats are {kinds}")));
        }
        self.variant(request)?;
        match request.kind {
            ArtifactKind::Onnx => self.onnx(request, &paper, weights, config),
            ArtifactKind::EventGraph => {
                let form: String = request.options.get_or("normal-form", "amplitude".to_string())?;
                let form: NormalForm = form.parse()?;
                let mut metadata = common_metadata("event", &paper, config, weights);
                metadata.insert("normal_form".into(), if form == NormalForm::Unit { "unit" } else { "amplitude" }.into());
                let mut artifact = export::event(&self.snn(request, &paper, weights)?, form, metadata.clone())?.to_artifact("event")?;
                artifact.metadata.extend(metadata);
                Ok(artifact)
            }
            _ => {
                let mut out = self.import(weights, Dialect::Zoo, config)?;
                out.metadata.extend(common_metadata(&self.card.name, &paper, config, weights));
                let bytes = zoo_formats::safetensors::to_bytes(&out)?;
                let mut artifact = Artifact::single(ArtifactKind::Safetensors, "model", "model.safetensors", bytes);
                artifact.metadata = out.metadata;
                Ok(artifact)
            }
        }
    }

    fn import(&self, file: &Weights, dialect: Dialect, config: &Config) -> Result<Weights> {
        let paper = PaperConfig::read(config)?;
        let network = paper.network()?;
        match (dialect, self.side) {
            (Dialect::Authors, Side::Ann) => import_authors(&paper.network.architecture, &network, file),
            (Dialect::Authors, Side::Snn) => Err(self.not_offered(
                "import of the authors' calibrated models",
                "they are pickled objects; import the ANN into the `ann` family and calibrate it",
            )),
            (Dialect::Zoo, Side::Snn) => {
                let snn = calib_file::from_weights(&network, file)?;
                let known = |name: &str| name.starts_with("layers.") || name.starts_with("calib.");
                expect_known(file, known, snn.ann())?;
                Ok(file.clone())
            }
            (Dialect::Zoo, Side::Ann) => {
                let ann = Ann::new(network.clone(), file)?;
                expect_known(file, |name| name.starts_with("layers.") || name.starts_with("orig."), &ann)?;
                check_fold(&network, file, &ann)?;
                Ok(file.clone())
            }
        }
    }

    fn preprocess(&self, batch: &Batch, session: &dyn Session) -> Result<Vec<Tensor>> {
        Ok(vec![standardise(batch.field(IMAGE)?, &input_of(session)?)?])
    }

    fn predict(&self, session: &mut dyn Session, batch: &Batch) -> Result<Prediction> {
        let mut inputs = self.preprocess(batch, session)?;
        let graph = metadata(session, metadata_key::GRAPH)?.to_string();
        let logits = if graph == "step" {
            let x = inputs.remove(0);
            run_steps(session, &x)?
        } else {
            let position = session.outputs().iter().position(|o| o.name == "logits").unwrap_or(0);
            let mut outputs = session.run(&inputs)?;
            if position >= outputs.len() {
                return Err(Error::artifact("session", "outputs", "expected an output, found none"));
            }
            outputs.swap_remove(position)
        };
        Ok(Prediction { outputs: vec![("logits".into(), logits)] })
    }

    fn claims(&self, model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
        match self.side {
            Side::Snn => crate::claims::claims(model, config, bench),
            Side::Ann => Err(self.not_offered("claims", "the bars are about the spiking model")),
        }
    }

    fn actions(&self) -> Vec<ActionSpec> {
        match self.side {
            Side::Snn => crate::actions::specs(),
            Side::Ann => crate::actions::source_specs(),
        }
    }

    fn act(&self, action: &str, args: &[String], model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
        if action == crate::actions::PARITY {
            return crate::actions::compare(self, self.side == Side::Ann, args, model, config, bench);
        }
        if self.side == Side::Snn && crate::actions::specs().iter().any(|a| a.name == action) {
            return crate::actions::act(action, args, model, config, bench);
        }
        let known = self.actions().into_iter().map(|a| a.name).collect::<Vec<_>>().join(", ");
        Err(self.not_offered(format!("command `{action}`"), &format!("its commands are: {known}")))
    }
}

/// Refuses names beyond the network's own.
fn expect_known(file: &Weights, known: impl Fn(&str) -> bool, ann: &Ann) -> Result<()> {
    let own = ann.weights()?;
    let stray = |name: &&String| !known(name) || (name.starts_with("layers.") && !own.tensors.contains_key(*name));
    let unexpected: Vec<String> = file.tensors.keys().filter(stray).cloned().collect();
    if unexpected.is_empty() { Ok(()) } else { Err(Error::Keys { what: "weights".into(), missing: Vec::new(), unexpected }) }
}

/// Checks that the folded tensors follow from the original ones where a file has both.
fn check_fold(network: &crate::network::Network, file: &Weights, ann: &Ann) -> Result<()> {
    let mut before = Weights::new();
    before.tensors = file.tensors.iter().filter(|(k, _)| k.starts_with("orig.")).map(|(k, v)| (k.clone(), v.clone())).collect();
    if before.tensors.is_empty() {
        return Ok(());
    }
    let folded = Ann::new(network.clone(), &fold_network(network, before)?)?.weights()?;
    for (name, tensor) in ann.weights()?.tensors {
        let (ours, theirs) = (folded.get(&name)?.to_f32(), tensor.to_f32());
        if ours.iter().zip(&theirs).any(|(a, b)| (a - b).abs() > 1e-5 * (1.0 + a.abs())) {
            return Err(Error::argument(format!("weight `{name}`"), "the fold of the tensors under `orig.`", "other values"));
        }
    }
    Ok(())
}

fn metadata<'a>(session: &'a dyn Session, key: &str) -> Result<&'a str> {
    session.metadata().get(key).map(String::as_str).ok_or_else(|| {
        Error::artifact(
            "session",
            format!("metadata `{key}`"),
            "expected metadata of an export of this plugin, found none; export it again",
        )
    })
}

/// What the metadata say of the input, as far as preprocessing needs it.
fn input_of(session: &dyn Session) -> Result<NetworkConfig> {
    let list = |key: &str| -> Result<Vec<f32>> {
        let text = metadata(session, key)?;
        serde_json::from_str(text)
            .map_err(|_| Error::artifact("session", format!("metadata `{key}`"), format!("expected a list of numbers, found {text}")))
    };
    let (mean, std) = (list(metadata_key::MEAN)?, list(metadata_key::STD)?);
    let shape = session.inputs().first().map(|spec| spec.shape.iter().filter_map(Dim::fixed).collect::<Vec<_>>()).unwrap_or_default();
    let input: [usize; 3] = match shape[..] {
        [.., c, h, w] => [c, h, w],
        _ => return Err(Error::shape("first input of the session", "[batch, channels, rows, columns]", shape)),
    };
    if mean.len() != input[0] || std.len() != input[0] {
        return Err(Error::shape("metadata `input.mean` and `input.std`", [input[0]], [mean.len(), std.len()]));
    }
    let architecture = metadata(session, "architecture")?.to_string();
    Ok(NetworkConfig { architecture, input, classes: 0, pool: crate::config::Pool::Analog, mean, std })
}

/// Drives a step graph over its steps and returns the mean logits.
fn run_steps(session: &mut dyn Session, x: &Tensor) -> Result<Tensor> {
    let text = metadata(session, metadata_key::STEPS)?;
    let steps: u32 = text.parse().ok().filter(|t| (1..=crate::config::MAX_STEPS).contains(t)).ok_or_else(|| {
        Error::artifact("session", "metadata `T`", format!("expected a number of steps up to {}, found {text}", crate::config::MAX_STEPS))
    })?;
    let mut states = first_states(session, x.shape().first().copied().unwrap_or(0))?;
    let mut sum: Vec<f32> = Vec::new();
    let mut shape = Vec::new();
    for _ in 0..steps {
        let mut inputs = vec![x.clone()];
        inputs.append(&mut states);
        let mut outputs = session.run(&inputs)?.into_iter();
        let logits = outputs.next().ok_or_else(|| Error::artifact("session", "outputs", "expected logits_t, found none"))?;
        states = outputs.collect();
        let values = logits.as_slice::<f32>()?;
        shape = logits.shape().to_vec();
        sum.resize(values.len(), 0.0);
        sum.iter_mut().zip(values).for_each(|(s, v)| *s += v);
    }
    let scale = 1.0 / steps as f32;
    Tensor::from_vec(shape, sum.into_iter().map(|s| s * scale).collect())
}

/// The states before the first step, repeated over the batch.
fn first_states(session: &dyn Session, batch: usize) -> Result<Vec<Tensor>> {
    let specs: Vec<Vec<usize>> = session.inputs()[1..].iter().map(|s| s.shape[1..].iter().filter_map(Dim::fixed).collect()).collect();
    let sizes: Vec<usize> = specs.iter().map(|s| s.iter().product()).collect();
    let values = match session.metadata().get(metadata_key::V_INIT) {
        None => None,
        Some(text) => {
            let bytes = hex::decode(text).ok().filter(|b| b.len() == 4 * sizes.iter().sum::<usize>());
            let bytes = bytes.ok_or_else(|| {
                let expected = format!("expected {} hexadecimal f32 values", sizes.iter().sum::<usize>());
                Error::artifact("session", "metadata `v_init`", format!("{expected}, found {} characters", text.len()))
            })?;
            Some(Tensor::from_bytes(DType::F32, [bytes.len() / 4], &bytes)?)
        }
    };
    let mut at = 0;
    let mut states = Vec::with_capacity(specs.len());
    for (shape, size) in specs.into_iter().zip(sizes) {
        let full: Vec<usize> = std::iter::once(batch).chain(shape).collect();
        states.push(match &values {
            None => Tensor::zeros(DType::F32, full)?,
            Some(values) => Tensor::from_vec(full, values.as_slice::<f32>()?[at..at + size].repeat(batch))?,
        });
        at += size;
    }
    Ok(states)
}
