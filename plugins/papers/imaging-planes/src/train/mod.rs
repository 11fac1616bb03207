//! Training of the pretext and of the target task (specification section 5).

mod forward;

pub use forward::{Outputs, add_tensors, forward};

use crate::config::{Arm, PaperConfig, TrainConfig, config_hash};
use crate::import::{import, transferable};
use crate::model::WEIGHTS_LICENCE;
use crate::preprocess::Turn;
use crate::real;
use crate::sim::{self, Split, Template};
use crate::unet::{HIDDEN, Head, Unet};
use rand::Rng;
use serde_json::{Map, Value, json};
use zoo_core::{Config, Dialect, Error, Result, TrainSink, Trainer, Weights, Workbench};
use zoo_train::burn::tensor::Tensor;
use zoo_train::ops;
use zoo_train::optim::{Adam, Optimiser, Schedule};
use zoo_train::params::{Mode, ParamStore};
use zoo_train::run::{Plan, Recipe, Step, StepResult, train};

/// Fewer items than this are gone through several times an epoch, so that an epoch is worth a checkpoint.
const EPOCH_ITEMS: usize = 320;
/// Probability with which the slice head's hidden units are dropped.
const DROPOUT: f32 = 0.5;

/// Trains the `pretext` family.
#[derive(Clone, Copy, Debug, Default)]
pub struct PretextTrainer;

/// Trains the `seg` family, from the weights of a pretext or from fresh ones.
#[derive(Clone, Copy, Debug, Default)]
pub struct TargetTrainer;

/// Slices with everything that a step may ask for.
struct Items {
    size: usize,
    images: Vec<Vec<f32>>,
    labels: Vec<Vec<u8>>,
    heats: Vec<Vec<f32>>,
    locations: Vec<f32>,
}

impl Items {
    fn read(paper: &PaperConfig, split: Split, limit: Option<usize>, bench: &mut dyn Workbench) -> Result<Self> {
        if paper.sim.is_none() {
            return Self::read_real(paper, split, bench);
        }
        let template = Template::read(bench.dataset(&paper.dataset, "template")?.as_ref())?;
        let patients = sim::patients(&template, paper.sim()?, &paper.network, split, limit, bench.reporter())?;
        let mut items = Self { size: paper.network.size, images: vec![], labels: vec![], heats: vec![], locations: vec![] };
        for patient in patients {
            for (index, slice) in patient.slices.iter().enumerate() {
                items.heats.push(patient.heat(index, &paper.network)?);
                items.images.push(slice.image.clone());
                items.labels.push(slice.labels.clone());
                items.locations.push(slice.location as f32);
            }
        }
        Ok(items)
    }

    /// Pretext items of a data set with real headers; they have no labels.
    fn read_real(paper: &PaperConfig, split: Split, bench: &mut dyn Workbench) -> Result<Self> {
        let name = if split == Split::Train { "train" } else { "validate" };
        let dataset = bench.dataset(&paper.dataset, name)?;
        let mut items = Self { size: paper.network.size, images: vec![], labels: vec![], heats: vec![], locations: vec![] };
        for index in 0..dataset.len() {
            bench.check()?;
            bench.progress("reading headers and images", index as u64, Some(dataset.len() as u64), "images");
            if let Some(item) = real::pretext_item(&dataset.get(index)?, &paper.network)? {
                items.images.push(item.image);
                items.heats.push(item.heat);
                items.locations.push(item.location as f32);
            }
        }
        Ok(items)
    }

    fn len(&self) -> usize {
        self.images.len()
    }
}

fn plan(run: &TrainConfig, items: usize) -> Plan {
    let per_epoch = (items / run.batch).max(1);
    let lr = if run.decay_at_epoch_0 { run.lr0 * run.decay } else { run.lr0 };
    Plan {
        epochs: run.steps.div_ceil(per_epoch) as u64,
        batch_size: run.batch.min(items),
        drop_last: true,
        schedule: Schedule::step(lr, run.decay_every as u64, run.decay),
        per_step: true,
        clip_norm: None,
    }
}

fn provenance(config: &Config, seed: u64, entries: &[(&str, String)]) -> std::collections::BTreeMap<String, String> {
    let fixed = [
        ("paper", "arXiv:2403.16499".to_string()),
        ("plugin", format!("imaging-planes {}", env!("CARGO_PKG_VERSION"))),
        ("config_hash", config_hash(config)),
        ("seed", seed.to_string()),
        ("licence", WEIGHTS_LICENCE.to_string()),
    ];
    fixed.iter().chain(entries).map(|(k, v)| ((*k).to_string(), v.clone())).collect()
}

/// Sum of the magnitudes of all trained values.
fn magnitude(params: &ParamStore) -> Result<Tensor<1>> {
    let shapes: Vec<(String, usize)> = params.trainable().map(|(name, shape)| (name.to_string(), shape.len())).collect();
    let mut sums = Vec::with_capacity(shapes.len());
    for (name, rank) in shapes {
        sums.push(match rank {
            1 => params.get::<1>(&name)?.abs().sum(),
            2 => params.get::<2>(&name)?.abs().sum(),
            _ => params.get::<4>(&name)?.abs().sum(),
        });
    }
    let all = Tensor::cat(sums, 0);
    Ok(all.sum())
}

impl Trainer for PretextTrainer {
    fn model(&self) -> &str {
        "pretext"
    }

    fn train(&self, config: &Config, seed: u64, bench: &mut dyn Workbench, sink: &mut dyn TrainSink) -> Result<Weights> {
        let paper = PaperConfig::read(config)?;
        if paper.arm == Arm::Random {
            return Err(Error::Config { key: "arm".into(), expected: "a pretext".into(), found: "random, which has none".into() });
        }
        let network = paper.network(Head::Pretext)?;
        let mut items = Items::read(&paper, Split::Train, None, bench)?;
        let validation = Items::read(&paper, Split::Val, None, bench)?;
        let mut params = ParamStore::on_cpu(seed);
        add_tensors(&mut params, &network)?;
        match paper.arm {
            Arm::Shuffled => {
                // One fixed derangement in all likelihood: the targets stay the same ones, but of other slices.
                let order = params.seeds().permutation(items.len(), u64::MAX - 1);
                items.heats = order.iter().map(|&i| items.heats[i].clone()).collect();
                items.locations = order.iter().map(|&i| items.locations[i]).collect();
            }
            Arm::Autoencoder => items.heats = items.images.iter().map(|image| [image.as_slice(), image].concat()).collect(),
            _ => {}
        }
        let mut lesson = Pretext { paper: &paper, network, items, validation };
        let plan = plan(&paper.pretext, lesson.items());
        train(&plan, &mut params, &mut Optimiser::new(Adam::default()), &mut lesson, sink, bench.reporter())?;
        let mut weights = params.weights()?.in_half_precision()?;
        weights.metadata = provenance(config, seed, &[("arm", format!("{:?}", paper.arm))]);
        Ok(weights)
    }
}

struct Pretext<'a> {
    paper: &'a PaperConfig,
    network: Unet,
    items: Items,
    validation: Items,
}

impl Pretext<'_> {
    /// Loss of the chosen items. `turns` holds an augmentation for each, or is empty.
    fn loss(
        &self,
        params: &mut ParamStore,
        items: &Items,
        chosen: &[usize],
        turns: &[Option<Turn>],
        dropout: Option<Vec<f32>>,
    ) -> Result<Tensor<1>> {
        let (n, size) = (chosen.len(), items.size);
        let gather = |all: &[Vec<f32>]| {
            let mut out = Vec::new();
            for (place, &i) in chosen.iter().enumerate() {
                match turns.get(place).copied().flatten() {
                    Some(turn) => all[i].chunks_exact(size * size).for_each(|map| out.extend(turn.values(map, size))),
                    None => out.extend_from_slice(&all[i]),
                }
            }
            out
        };
        let x = params.input(gather(&items.images), [n, 1, size, size])?;
        let mask = dropout.map(|mask| params.input(mask, [n, HIDDEN])).transpose()?;
        let outputs = forward(params, &self.network, x, mask)?;
        let [a, b] = self.paper.arm.weights();
        let mut parts = Vec::new();
        if let Some(maps) = outputs.maps.filter(|_| a > 0.0) {
            let heat = params.input(gather(&items.heats), [n, 2, size, size])?;
            parts.push(ops::mean_squared_error(maps, heat)? * a);
        }
        if let Some(head) = outputs.head.filter(|_| b > 0.0) {
            let location = params.input(chosen.iter().map(|&i| items.locations[i]).collect(), [n, 1])?;
            parts.push(ops::mean_squared_error(head, location)? * b);
        }
        if self.paper.pretext.l1 > 0.0 {
            parts.push(magnitude(params)? * self.paper.pretext.l1);
        }
        Ok(Tensor::cat(parts, 0).sum())
    }
}

impl Recipe for Pretext<'_> {
    fn items(&self) -> usize {
        self.items.len()
    }

    fn step(&mut self, params: &mut ParamStore, mut step: Step<'_>) -> Result<StepResult> {
        let keep = 1.0 - DROPOUT;
        let mask = (0..step.indices.len() * HIDDEN).map(|_| if step.rng.random::<f32>() < keep { 1.0 / keep } else { 0.0 }).collect();
        let turns: Vec<_> = step.indices.iter().map(|_| self.paper.pretext.augment(&mut step.rng)).collect();
        let loss = self.loss(params, &self.items, step.indices, &turns, Some(mask))?;
        Ok(StepResult { loss, correct: None })
    }

    fn after_epoch(&mut self, params: &mut ParamStore, epoch: u64) -> Result<Map<String, Value>> {
        // Validation is for the log; the last weights are kept, so that every arm has the same number of steps.
        if epoch % 10 != 9 {
            return Ok(Map::new());
        }
        params.set_mode(Mode::Eval);
        let mut sum = 0.0;
        let all: Vec<usize> = (0..self.validation.len()).collect();
        for chunk in all.chunks(16) {
            let loss = self.loss(params, &self.validation, chunk, &[], None)?;
            sum += f64::from(loss.into_data().try_into_vec::<f32>().unwrap_or_default().first().copied().unwrap_or(f32::NAN))
                * chunk.len() as f64;
        }
        Ok(Map::from_iter([("val_loss".to_string(), json!(sum / all.len().max(1) as f64))]))
    }
}

impl Trainer for TargetTrainer {
    fn model(&self) -> &str {
        "seg"
    }

    fn train(&self, config: &Config, seed: u64, bench: &mut dyn Workbench, sink: &mut dyn TrainSink) -> Result<Weights> {
        let paper = PaperConfig::read(config)?;
        let network = paper.network(Head::Segmentation)?;
        // Labels come from simulated patients alone; the target task on ACDC is described, not read.
        paper.sim()?;
        let items = Items::read(&paper, Split::Train, Some(paper.labelled), bench)?;
        let mut params = ParamStore::on_cpu(seed);
        add_tensors(&mut params, &network)?;
        let mut taken = 0;
        if let Some(name) = &paper.from {
            let (file, _) = bench.weights(name, Some(seed))?;
            let pretext = import(&paper.network(Head::Pretext)?, &file, Dialect::Zoo)?;
            let names = transferable(&network, &pretext, paper.arm.trains_decoder());
            for name in &names {
                params.set_values(name, pretext.get(name)?.to_f32())?;
            }
            taken = names.len();
        }
        sink.log(json!({"from": paper.from, "tensors_transferred": taken, "labelled_patients": paper.labelled}))?;
        let mut lesson = Target { paper: &paper, network, items };
        let plan = plan(&paper.target, lesson.items());
        train(&plan, &mut params, &mut Optimiser::new(Adam::default()), &mut lesson, sink, bench.reporter())?;
        let mut weights = params.weights()?.in_half_precision()?;
        weights.metadata = provenance(config, seed, &[("arm", format!("{:?}", paper.arm)), ("labelled", paper.labelled.to_string())]);
        Ok(weights)
    }
}

struct Target<'a> {
    paper: &'a PaperConfig,
    network: Unet,
    items: Items,
}

impl Recipe for Target<'_> {
    fn items(&self) -> usize {
        self.items.len() * EPOCH_ITEMS.div_ceil(self.items.len().max(1))
    }

    fn step(&mut self, params: &mut ParamStore, mut step: Step<'_>) -> Result<StepResult> {
        let size = self.items.size;
        let (mut pixels, mut classes) = (Vec::new(), Vec::new());
        for index in step.indices {
            let index = index % self.items.len();
            let (image, labels) = (&self.items.images[index], &self.items.labels[index]);
            let (image, labels) = match self.paper.target.augment(&mut step.rng) {
                Some(turn) => (turn.values(image, size), turn.labels(labels, size)),
                None => (image.clone(), labels.clone()),
            };
            pixels.extend(image);
            classes.extend(labels.into_iter().map(i64::from));
        }
        let n = step.indices.len();
        let x = params.input(pixels, [n, 1, size, size])?;
        let outputs = forward(params, &self.network, x, None)?;
        let maps = outputs.maps.ok_or_else(|| Error::shape("class scores", "[n, classes, rows, columns]", "none"))?;
        let count = self.network.outputs;
        let rows = maps.permute([0, 2, 3, 1]).reshape([n * size * size, count]);
        let mut loss = ops::cross_entropy(rows, &classes, 0.0)?;
        if self.paper.target.l1 > 0.0 {
            loss = loss + magnitude(params)? * self.paper.target.l1;
        }
        Ok(StepResult { loss, correct: None })
    }
}
