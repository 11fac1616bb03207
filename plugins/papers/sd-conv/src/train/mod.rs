//! Training of all arms (specification sections 3 and 5).

mod forward;
mod full_scale;
mod pruning;

pub use full_scale::full_scale_step;

use crate::config::{Budget, FULL_EPOCHS, MaskKind, PaperConfig, Routing};
use crate::model::{WEIGHTS_LICENCE, WHITE};
use crate::network::{shapes, tensors};
use forward::{add_tensors, logits};
use pruning::Pruning;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use zoo_core::{Config, Error, Result, Tensor, TrainSink, Trainer, Weights, Workbench};
use zoo_train::augment::Augment;
use zoo_train::data::Labelled;
use zoo_train::ops;
use zoo_train::optim::{Adam, Optimiser, Schedule};
use zoo_train::params::{Mode, ParamStore};
use zoo_train::run::{Plan, Recipe, Step, StepResult, train};

/// Validation images where the data set has none.
const VALIDATION: usize = 200;
/// Stream of the draw of training images.
const DRAW: u64 = u64::MAX - 1;

/// Trains any arm.
#[derive(Clone, Copy, Debug, Default)]
pub struct SdTrainer;

impl Trainer for SdTrainer {
    fn model(&self) -> &str {
        "sd-conv"
    }

    fn train(&self, config: &Config, seed: u64, bench: &mut dyn Workbench, sink: &mut dyn TrainSink) -> Result<Weights> {
        let mut paper = PaperConfig::read(config)?;
        if paper.budget == Budget::Full {
            (paper.train.images, paper.train.epochs) = (usize::MAX, FULL_EPOCHS);
        }
        let (all, validation) = images(&paper, bench)?;
        let mut params = ParamStore::on_cpu(seed);
        // All arms of a seed see the same images.
        let mut drawn = params.seeds().permutation(all.len(), DRAW);
        drawn.truncate(paper.train.images);
        let (values, labels) = all.gather(&drawn)?;
        let items = Labelled { shape: all.shape, items: values, labels };
        let pruning = Pruning::new(&paper);
        add_tensors(&mut params, &paper, &pruning)?;
        if paper.routing == Routing::Uniform {
            for layer in 1..=shapes(&paper.network).len() {
                let name = format!("layer{layer}.attention");
                for part in ["fc1.weight", "fc2.weight", "fc2.bias"] {
                    let name = format!("{name}.{part}");
                    let zeros = vec![0.0; params.values(&name)?.len()];
                    params.set_values(&name, zeros)?;
                }
                params.set_trainable(&name, false);
            }
        }
        let mut lesson = Lesson { paper: &paper, items, validation, pruning, density: Vec::new() };
        if let Some(from) = &paper.mask.from {
            let (dense, _) = bench.weights(from, Some(seed))?;
            for (name, _) in tensors(&paper.network) {
                params.set_values(&name, dense.get(&name)?.to_f32())?;
            }
        }
        lesson.pruning.fix(&paper, &params)?;
        let run = &paper.train;
        let steps = (lesson.items.len() / run.batch) as u64 * run.epochs;
        let plan = Plan {
            epochs: run.epochs,
            batch_size: run.batch,
            drop_last: true,
            schedule: Schedule::cosine(run.lr, steps, 0.0),
            per_step: true,
            clip_norm: None,
        };
        train(&plan, &mut params, &mut Optimiser::new(Adam::default()), &mut lesson, sink, bench.reporter())?;
        lesson.weights(&mut params, seed)
    }
}

/// Training images to draw from, and validation images: those of the split `val` or, where there is none, the training
/// images after the pool.
fn images(paper: &PaperConfig, bench: &mut dyn Workbench) -> Result<(Labelled, Labelled)> {
    let scale = |values: &mut [f32]| values.iter_mut().for_each(|v| *v /= paper.white);
    let split = bench.dataset(&paper.dataset, "train")?;
    let own = split.info().splits.iter().any(|s| s.name == "val");
    let rest = if own { 0 } else { VALIDATION };
    let wanted = paper.train.pool.map(|pool| pool + rest);
    let mut all = Labelled::read(split.as_ref(), ["image", "label"], wanted, bench.reporter(), scale)?;
    if own {
        let split = bench.dataset(&paper.dataset, "val")?;
        return Ok((all, Labelled::read(split.as_ref(), ["image", "label"], None, bench.reporter(), scale)?));
    }
    let each: usize = all.shape.iter().product();
    let Some(pool) = all.len().checked_sub(rest).filter(|pool| *pool >= paper.train.images) else {
        let expected = format!("a training split of {} images, {rest} of them for validation", paper.train.images + rest);
        return Err(Error::Config { key: "train.images".into(), expected, found: all.len().to_string() });
    };
    let (items, labels) = (all.items.split_off(pool * each), all.labels.split_off(pool));
    let validation = Labelled { shape: all.shape.clone(), items, labels };
    Ok((all, validation))
}

/// What is trained on what.
struct Lesson<'a> {
    paper: &'a PaperConfig,
    items: Labelled,
    validation: Labelled,
    pruning: Pruning,
    /// Share of weights that each layer kept in the last step.
    density: Vec<f64>,
}

impl Lesson<'_> {
    fn temperature(&self, epoch: u64) -> f32 {
        let run = &self.paper.train;
        let left = 1.0 - (epoch as f64 / run.anneal.max(1) as f64).min(1.0);
        let left = if run.anneal == 0 { 0.0 } else { left };
        (1.0 + (run.temperature - 1.0) * left) as f32
    }

    /// Share of validation images that are right, and the mean entropy of each layer's shares.
    fn validate(&mut self, params: &mut ParamStore) -> Result<(f64, Vec<f64>)> {
        params.set_mode(Mode::Eval);
        let all: Vec<usize> = (0..self.validation.len()).collect();
        let (values, labels) = self.validation.gather(&all)?;
        let out = logits(params, self.paper, &self.pruning, values, 1.0)?;
        params.set_mode(Mode::Train);
        Ok((ops::count_correct(&out.logits, &labels)? as f64 / all.len().max(1) as f64, out.entropy))
    }

    /// The pruned weights, with what was learned about pruning.
    fn weights(&mut self, params: &mut ParamStore, seed: u64) -> Result<Weights> {
        let (accuracy, _) = self.validate(params)?;
        let trained = params.weights()?;
        let mut weights = Weights::new();
        for (name, shape) in tensors(&self.paper.network) {
            weights.insert(name.clone(), Tensor::from_vec(shape, trained.get(&name)?.to_f32())?);
        }
        let mut kept = Vec::new();
        let mut thresholds = Vec::new();
        for (n, shape) in shapes(&self.paper.network).iter().enumerate() {
            let name = format!("layer{}.B.convC.weight", n + 1);
            let (pruned, density) = self.pruning.pruned(params, n)?;
            kept.push(density);
            let dims = vec![shape.kernels, shape.outputs, shape.inputs, 3, 3];
            weights.insert(name, Tensor::from_vec(dims, pruned)?);
            thresholds.push(self.pruning.thresholds(params, n)?);
        }
        let mut metadata: BTreeMap<String, String> = [
            ("paper", "arXiv:2204.02227".to_string()),
            ("plugin", format!("sd-conv {}", env!("CARGO_PKG_VERSION"))),
            ("config_hash", self.paper.training_hash()),
            ("seed", seed.to_string()),
            ("licence", WEIGHTS_LICENCE.to_string()),
            ("val_accuracy", accuracy.to_string()),
            (WHITE, self.paper.white.to_string()),
            ("density", json!(kept).to_string()),
        ]
        .map(|(k, v)| (k.to_string(), v))
        .into();
        if self.paper.mask.kind == MaskKind::Learned {
            metadata.insert("thresholds".into(), json!(thresholds).to_string());
        }
        weights.metadata = metadata;
        Ok(weights)
    }
}

impl Recipe for Lesson<'_> {
    fn items(&self) -> usize {
        self.items.len()
    }

    fn step(&mut self, params: &mut ParamStore, mut step: Step<'_>) -> Result<StepResult> {
        let (mut values, labels) = self.items.gather(step.indices)?;
        let [c, h, w] = self.paper.network.input;
        let augment = Augment { shift: self.paper.train.shift, flip: false };
        augment.apply(&mut values, [labels.len(), c, h, w], 0.0, &mut step.rng)?;
        let out = logits(params, self.paper, &self.pruning, values, self.temperature(step.epoch))?;
        let correct = ops::count_correct(&out.logits, &labels)?;
        let mut loss = ops::cross_entropy(out.logits, &labels, 0.0)?;
        self.density = out.density;
        if let Some(softness) = out.softness {
            loss = loss + softness * self.pruning.observe(&self.density);
        }
        self.pruning.rescue(params, &self.density)?;
        Ok(StepResult { loss, correct: Some(correct) })
    }

    fn after_epoch(&mut self, params: &mut ParamStore, epoch: u64) -> Result<Map<String, Value>> {
        let mut line = Map::new();
        line.insert("temperature".into(), json!(self.temperature(epoch)));
        if self.paper.mask.kind != MaskKind::None {
            line.insert("density".into(), json!(self.density));
        }
        if self.paper.mask.kind == MaskKind::Learned {
            let means = (0..shapes(&self.paper.network).len()).map(|n| Ok(crate::claims::mean(&self.pruning.thresholds(params, n)?)));
            line.insert("thresholds".into(), json!(means.collect::<Result<Vec<_>>>()?));
        }
        let (accuracy, entropy) = self.validate(params)?;
        line.insert("val_accuracy".into(), json!(accuracy));
        line.insert("entropy".into(), json!(entropy));
        Ok(line)
    }
}
