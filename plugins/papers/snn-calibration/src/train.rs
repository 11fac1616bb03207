//! Training of the source network, and calibration as the "training" of the converted one.

use crate::ann::Ann;
use crate::calibrate::{Pipeline, convert};
use crate::config::{Budget, PaperConfig, config_hash, index_hash};
use crate::data::{self, argmax};
use crate::fold::fold_network;
use crate::model::WEIGHTS_LICENCE;
use crate::network::{Network, Op, Source};
use crate::reference::Reference;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use zoo_core::{Config, Dataset, Result, TrainSink, Trainer, Weights, Workbench};
use zoo_train::augment::Augment;
use zoo_train::burn::tensor::{Tensor as Values, activation};
use zoo_train::data::Labelled;
use zoo_train::ops::{self, Conv2dOptions, Pool2dOptions};
use zoo_train::optim::{Optimiser, Schedule, Sgd};
use zoo_train::params::{Mode, ParamStore};
use zoo_train::run::{Plan, Recipe, Step, StepResult, train};

/// Epochs of the authors' CIFAR runs (their code).
const AUTHORS_EPOCHS: usize = 300;

/// Trains the `ann` family.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnnTrainer;

/// Calibrates the registered ANN of a seed into the `snn` family.
#[derive(Clone, Copy, Debug, Default)]
pub struct SnnTrainer;

impl Trainer for AnnTrainer {
    fn model(&self) -> &str {
        "ann"
    }

    fn train(&self, config: &Config, seed: u64, bench: &mut dyn Workbench, sink: &mut dyn TrainSink) -> Result<Weights> {
        let mut paper = PaperConfig::read(config)?;
        if paper.budget == Budget::Full {
            paper.train.epochs = AUTHORS_EPOCHS;
        }
        let network = paper.network()?;
        let split = bench.dataset(&paper.dataset, "train")?;
        let items = Labelled::read(split.as_ref(), [data::IMAGE, data::LABEL], Some(paper.split.train), bench.reporter(), |_| {})?;
        let validation = Validation::read(split.as_ref(), &paper)?;
        let mut params = ParamStore::on_cpu(seed);
        add_layers(&mut params, &network)?;
        let settings = &paper.train;
        let mut optimiser = Optimiser::new(Sgd { momentum: settings.momentum, weight_decay: settings.weight_decay, ..Sgd::default() });
        let per_epoch = items.len() / settings.batch.max(1);
        let plan = Plan {
            epochs: settings.epochs as u64,
            batch_size: settings.batch,
            drop_last: true,
            schedule: Schedule::cosine(settings.lr, (settings.epochs * per_epoch) as u64, 0.0),
            per_step: true,
            clip_norm: None,
        };
        let mut lesson = Lesson { paper: &paper, network: &network, items, validation };
        train(&plan, &mut params, &mut optimiser, &mut lesson, sink, bench.reporter())?;
        let mut weights = fold_network(&network, params.weights()?)?;
        let accuracy = lesson.validation.accuracy(&network, params.weights()?)?;
        weights.metadata = provenance(paper.training_hash(), seed);
        weights.metadata.insert("val_accuracy".into(), accuracy.to_string());
        Ok(weights)
    }
}

/// What the ANN is trained on, and how one batch goes.
struct Lesson<'a> {
    paper: &'a PaperConfig,
    network: &'a Network,
    items: Labelled,
    validation: Validation,
}

impl Recipe for Lesson<'_> {
    fn items(&self) -> usize {
        self.items.len()
    }

    fn step(&mut self, params: &mut ParamStore, mut step: Step<'_>) -> Result<StepResult> {
        let [c, h, w] = self.network.input();
        let (mut pixels, labels) = self.items.gather(step.indices)?;
        let shape = [labels.len(), c, h, w];
        let augment = Augment { shift: self.paper.train.random_shift, flip: self.paper.train.flip };
        augment.apply(&mut pixels, shape, 0.0, &mut step.rng)?;
        for (plane, pixels) in pixels.chunks_exact_mut(h * w).enumerate() {
            let (mean, std) = (self.paper.network.mean[plane % c], self.paper.network.std[plane % c]);
            pixels.iter_mut().for_each(|p| *p = (*p / 255.0 - mean) / std);
        }
        let x = params.input(pixels, shape)?;
        let logits = forward(params, self.network, x)?;
        let correct = ops::count_correct(&logits, &labels)?;
        Ok(StepResult { loss: ops::cross_entropy(logits, &labels, 0.0)?, correct: Some(correct) })
    }

    fn after_epoch(&mut self, params: &mut ParamStore, _: u64) -> Result<Map<String, Value>> {
        let accuracy = self.validation.accuracy(self.network, params.weights()?)?;
        Ok(Map::from_iter([("val_accuracy".to_string(), json!(accuracy))]))
    }
}

impl Trainer for SnnTrainer {
    fn model(&self) -> &str {
        "snn"
    }

    fn train(&self, config: &Config, seed: u64, bench: &mut dyn Workbench, sink: &mut dyn TrainSink) -> Result<Weights> {
        let paper = PaperConfig::read(config)?;
        let (source, _) = bench.weights(&paper.ann_model()?, Some(seed))?;
        let calibrated = calibrate(&paper, &source, bench)?;
        sink.log(json!({"calibrated": paper.convert.pipeline.name(), "T": paper.convert.steps}))?;
        Ok(Weights { metadata: [provenance(config_hash(config), seed), calibrated.metadata].into_iter().flatten().collect(), ..calibrated })
    }
}

/// Calibrates an ANN on the configured images; the result holds `layers.*` and `calib.*`.
fn calibrate(paper: &PaperConfig, source: &Weights, bench: &mut dyn Workbench) -> Result<Weights> {
    let ann = Arc::new(Ann::new(paper.network()?, source)?);
    let mut indices = paper.split.calibration_indices();
    if paper.convert.pipeline != Pipeline::AdvancedWcPc {
        indices.truncate(paper.split.calibration);
    }
    let split = bench.dataset(&paper.dataset, "train")?;
    let images = data::images(split.as_ref(), indices.iter().copied(), &paper.network)?;
    let reference = Reference::new(&ann, images)?;
    let snn = convert(&ann, &reference, &paper.convert, bench.reporter())?;
    let mut weights = crate::calib_file::to_weights(&snn, &paper.convert, &index_hash(&indices))?;
    weights.tensors.extend(ann.weights()?.tensors);
    Ok(weights)
}

fn provenance(config_hash: String, seed: u64) -> std::collections::BTreeMap<String, String> {
    [
        ("paper", "arXiv:2205.10121".to_string()),
        ("plugin", format!("snn-calibration {}", env!("CARGO_PKG_VERSION"))),
        ("config_hash", config_hash),
        ("seed", seed.to_string()),
        ("licence", WEIGHTS_LICENCE.to_string()),
    ]
    .map(|(k, v)| (k.to_string(), v))
    .into()
}

/// Validation images and classes.
struct Validation {
    images: Vec<Vec<f32>>,
    classes: Vec<usize>,
}

impl Validation {
    fn read(split: &dyn Dataset, paper: &PaperConfig) -> Result<Self> {
        let range = paper.split.train..paper.split.train + paper.split.val;
        Ok(Self { images: data::images(split, range.clone(), &paper.network)?, classes: data::classes(split, range)? })
    }

    /// Share of images classified correctly by the folded network.
    fn accuracy(&self, network: &Network, before_fold: Weights) -> Result<f64> {
        let ann = Ann::new(network.clone(), &fold_network(network, before_fold)?)?;
        let hits = ann.logits(&self.images).iter().zip(&self.classes).filter(|(logits, class)| argmax(logits) == **class).count();
        Ok(hits as f64 / self.classes.len().max(1) as f64)
    }
}

/// The trained network before folding, evaluated by the training engine.
pub(crate) struct Engine {
    network: Network,
    params: ParamStore,
}

impl Engine {
    /// Takes the tensors under `orig.`.
    pub(crate) fn new(network: Network, weights: &Weights) -> Result<Self> {
        let mut params = ParamStore::on_cpu(0);
        add_layers(&mut params, &network)?;
        let mut before = Weights::new();
        before.tensors = weights.tensors.iter().filter(|(k, _)| k.starts_with("orig.")).map(|(k, v)| (k.clone(), v.clone())).collect();
        params.load(&before)?;
        params.set_mode(Mode::Eval);
        Ok(Self { network, params })
    }

    /// Logits `[batch, classes]` of standardised pixels `[batch, channels, rows, columns]`, each in a row.
    pub(crate) fn logits(&mut self, pixels: &[f32]) -> Result<Vec<f32>> {
        let [c, h, w] = self.network.input();
        let x = self.params.input(pixels.to_vec(), [pixels.len() / (c * h * w), c, h, w])?;
        let logits = forward(&mut self.params, &self.network, x)?;
        logits.into_data().try_into_vec::<f32>().map_err(|e| zoo_core::Error::DType {
            what: "logits of the training engine".into(),
            expected: "f32".into(),
            found: format!("{e:?}"),
        })
    }
}

/// Adds the tensors of every weighted layer under the names of [`crate::fold::orig`].
fn add_layers(params: &mut ParamStore, network: &Network) -> Result<()> {
    for layer in network.weighted() {
        let node = &network.nodes()[layer];
        let [c, h, w] = network.input_shape(layer);
        let name = format!("orig.{layer}");
        match node.op {
            Op::Conv { out, kernel, groups, .. } => params.add_conv2d(&name, [c, out], kernel, groups, !node.batch_norm)?,
            _ => params.add_linear(&name, c * h * w, network.shape(layer)[0], !node.batch_norm)?,
        }
        if node.batch_norm {
            params.add_batch_norm(&format!("{name}.bn"), network.shape(layer)[0])?;
        }
    }
    Ok(())
}

/// The network in the training engine; `x` `[batch, channels, rows, columns]` to logits `[batch, classes]`.
fn forward(params: &mut ParamStore, network: &Network, x: Values<4>) -> Result<Values<2>> {
    let mut outputs: Vec<Values<4>> = Vec::new();
    for (layer, node) in network.nodes().iter().enumerate() {
        let read = |source: Source| match source {
            Source::Image => x.clone(),
            Source::Node(n) => outputs[n].clone(),
        };
        let name = format!("orig.{layer}");
        let input = read(node.input);
        let mut y = match node.op {
            Op::Conv { stride, padding, groups, .. } => {
                params.conv2d(&name, input, Conv2dOptions::padded(padding).stride(stride).groups(groups))?
            }
            Op::Linear { .. } => {
                let flat: Values<2> = params.linear(&name, input.flatten(1, 3))?;
                let [n, out] = flat.dims();
                flat.reshape([n, out, 1, 1])
            }
            Op::AvgPool { kernel, stride, padding } => {
                let pool = Pool2dOptions { kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 2], count_include_pad: true };
                ops::avg_pool2d(input, pool)?
            }
            Op::GlobalAvgPool => {
                let [_, _, h, w] = input.dims();
                let pool = Pool2dOptions { kernel: [h, w], stride: [h, w], padding: [0, 0], count_include_pad: true };
                ops::avg_pool2d(input, pool)?
            }
        };
        if node.batch_norm {
            y = params.batch_norm(&format!("{name}.bn"), y)?;
        }
        if let Some(residual) = node.residual {
            y = y + read(residual);
        }
        outputs.push(if node.relu { activation::relu(y) } else { y });
    }
    let logits = outputs.pop().unwrap_or(x);
    let [n, classes, _, _] = logits.dims();
    Ok(logits.reshape([n, classes]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::channels_last;

    #[test]
    fn the_engine_and_the_folded_network_agree() {
        let root = env!("CARGO_MANIFEST_DIR");
        for name in ["vgg-mini-mnist", "resnet-mini-mnist"] {
            let text = std::fs::read_to_string(format!("{root}/config/{name}.toml")).unwrap();
            let network = PaperConfig::read(&Config::new(toml::from_str(&text).unwrap())).unwrap().network().unwrap();
            let weights = zoo_formats::safetensors::read(format!("{root}/weights/{name}-ann-seed1000.safetensors")).unwrap();
            let pixels: Vec<f32> = (0..3 * 784).map(|i| ((i * i) % 255) as f32 / 80.0 - 0.4).collect();
            let images: Vec<_> = pixels.chunks_exact(784).map(|image| channels_last([1, 28, 28], image)).collect();
            let folded = Ann::new(network.clone(), &weights).unwrap().logits(&images).concat();
            let engine = Engine::new(network, &weights).unwrap().logits(&pixels).unwrap();
            let far = engine.iter().zip(&folded).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(engine.len() == 30 && far < 1e-4, "{name}: {far}");
        }
    }
}
