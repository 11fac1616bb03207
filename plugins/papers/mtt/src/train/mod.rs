//! Training: SDT, NMT and MTT, which differ only in the structures an update runs, and TET as a control.

mod layers;
mod update;

pub use layers::{Frames, SpikingNet, loss, transform};
pub use update::{Summed, carrier};

use crate::config::{BnRecal, Budget, DataConfig, PaperConfig, Rule, TrainConfig};
use crate::data::Recordings;
use crate::fold::remove_biases;
use crate::model::WEIGHTS_LICENCE;
use crate::sampling::Times;
use rand::Rng;
use rand::seq::SliceRandom;
use serde_json::{Map, Value, json};
use zoo_core::{Config, Error, Result, TrainSink, Trainer, Weights, Workbench};
use zoo_train::optim::{Adam, Optimiser, Schedule, Sgd};
use zoo_train::params::{Mode, ParamStore};
use zoo_train::run::{Plan, Recipe, Step, StepResult, recalibrate, train};
use zoo_train::seeds::Seeds;

/// Epochs of the authors' bias-removal phase and of their other runs (specification section 6).
const AUTHORS_EPOCHS: [u64; 2] = [60, 300];
/// Items a pass of validation.
const VALIDATION_BATCH: usize = 50;
/// Training batches that make the statistics of batch normalisation after training.
const RECALIBRATION_BATCHES: usize = 10;

/// Trains the event networks.
#[derive(Clone, Copy, Debug)]
pub struct MttTrainer;

impl Trainer for MttTrainer {
    fn model(&self) -> &str {
        "events"
    }

    fn train(&self, config: &Config, seed: u64, bench: &mut dyn Workbench, sink: &mut dyn TrainSink) -> Result<Weights> {
        let mut paper = PaperConfig::read(config)?;
        if paper.network.still {
            return Err(Error::Config {
                key: "network.still".into(),
                expected: "recordings of events; networks on still images are described, not trained".into(),
                found: "true".into(),
            });
        }
        if paper.budget == Budget::Full {
            paper.train.epochs = AUTHORS_EPOCHS[usize::from(paper.start.is_none())];
        }
        let net = SpikingNet::new(paper.network()?, paper.network);
        let (mut items, validation) = read(&paper.data, seed, net.network().input(), bench)?;
        if paper.train.random_labels {
            items.labels.shuffle(&mut Seeds::new(seed).stream("random labels", 0));
        }
        let mut params = ParamStore::on_cpu(seed);
        net.add_to(&mut params)?;
        if let Some(start) = &paper.start {
            let (weights, config) = bench.weights(start, Some(seed))?;
            net.load(&mut params, &remove_biases(&PaperConfig::read(&config)?.network()?, &weights)?)?;
        }
        let mut lesson = Lesson { net, items, validation, times: paper.times, train: paper.train, work: Work::default() };
        let plan = Plan {
            epochs: paper.train.epochs,
            batch_size: paper.train.batch,
            drop_last: true,
            schedule: Schedule::cosine(paper.train.lr, paper.train.epochs, paper.train.lr_end),
            per_step: false,
            clip_norm: None,
        };
        train(&plan, &mut params, &mut optimiser(&paper.train), &mut lesson, sink, bench.reporter())?;
        lesson.recalibrate(&mut params, bench)?;
        let accuracy = lesson.validate(&mut params, paper.times.max)?;
        let mut weights = lesson.net.weights(&params)?;
        weights.metadata = [
            ("paper", "arXiv:2503.17394".to_string()),
            ("plugin", format!("mtt {}", env!("CARGO_PKG_VERSION"))),
            ("config_hash", paper.training_hash()),
            ("seed", seed.to_string()),
            ("licence", WEIGHTS_LICENCE.to_string()),
            ("val_accuracy", accuracy.to_string()),
        ]
        .map(|(k, v)| (k.to_string(), v))
        .into();
        Ok(weights)
    }
}

fn optimiser(train: &TrainConfig) -> Optimiser {
    let weight_decay = train.weight_decay;
    match train.optimiser {
        Rule::Adam => Optimiser::new(Adam { weight_decay, ..Adam::default() }),
        Rule::AdamW => Optimiser::new(Adam { weight_decay, decoupled: true, ..Adam::default() }),
        Rule::SgdMomentum => Optimiser::new(Sgd { momentum: 0.9, weight_decay, ..Sgd::default() }),
        Rule::Sgd => Optimiser::new(Sgd { weight_decay, ..Sgd::default() }),
    }
}

/// Training and validation recordings of a run.
fn read(config: &DataConfig, seed: u64, [_, h, w]: [usize; 3], bench: &mut dyn Workbench) -> Result<(Recordings, Recordings)> {
    let mut all = Recordings::default();
    let mut own = false;
    let need = config.train + config.val;
    for name in config.splits(seed).0 {
        let split = bench.dataset(&config.name, &name)?;
        own = split.info().splits.iter().any(|s| s.name == "val");
        let wanted = if own { config.train } else { need };
        all.extend(Recordings::read(split.as_ref(), 0..split.len().min(wanted.saturating_sub(all.len())), [h, w])?);
    }
    let want = if own { config.train } else { need };
    if all.len() < want || config.train == 0 {
        return Err(Error::Config {
            key: "data.train".into(),
            expected: format!("1 to {} items with `val`", all.len()),
            found: want.to_string(),
        });
    }
    let validation = if own {
        let split = bench.dataset(&config.name, "val")?;
        Recordings::read(split.as_ref(), 0..config.val.min(split.len()), [h, w])?
    } else {
        all.split_off(config.train)
    };
    Ok((all, validation))
}

/// Work of an epoch, for comparing arms.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Work {
    /// Steps, averaged over the stages, times items.
    step_passes: f64,
    /// Multiplications of the forward passes.
    macs: f64,
}

/// What is trained on what.
struct Lesson {
    net: SpikingNet,
    items: Recordings,
    validation: Recordings,
    times: Times,
    train: TrainConfig,
    work: Work,
}

impl Lesson {
    /// Share of validation items that are right with all stages at `steps`.
    fn validate(&self, params: &mut ParamStore, steps: usize) -> Result<f64> {
        params.set_mode(Mode::Eval);
        let mut right = 0;
        let all: Vec<usize> = (0..self.validation.len()).collect();
        for indices in all.chunks(VALIDATION_BATCH) {
            let (values, labels) = self.validation.batch(indices, steps)?;
            let logits = self.net.forward(params, Frames { values, steps }, &vec![steps; self.net.network().stages()])?;
            right += zoo_train::ops::count_correct(&logits.mean_dim(0).squeeze_dim(0), &labels)?;
        }
        params.set_mode(Mode::Train);
        Ok(right as f64 / all.len().max(1) as f64)
    }

    /// Statistics of batch normalisation as configured (specification section 3).
    fn recalibrate(&mut self, params: &mut ParamStore, bench: &dyn Workbench) -> Result<()> {
        let steps = match self.train.bn_recal {
            BnRecal::TMax => self.times.max,
            BnRecal::At(steps) => steps,
            BnRecal::None => return Ok(()),
        };
        if self.net.network().layers().iter().all(|l| l.norm.is_none()) {
            return Ok(());
        }
        let Self { net, items, train, .. } = self;
        recalibrate(params, items.len(), train.batch, RECALIBRATION_BATCHES, bench.reporter(), |params, indices| {
            let (values, _) = items.batch(indices, steps)?;
            net.forward(params, Frames { values, steps }, &vec![steps; net.network().stages()]).map(drop)
        })
    }
}

impl Recipe for Lesson {
    fn items(&self) -> usize {
        self.items.len()
    }

    fn step(&mut self, params: &mut ParamStore, mut step: Step<'_>) -> Result<StepResult> {
        let steps = self.times.max;
        let (values, labels) = self.items.batch(step.indices, steps)?;
        let mut summed = Summed::default();
        let mut correct = 0;
        let structures = self.times.draw(self.net.network().stages(), &mut step.rng);
        for times in &structures {
            let logits = self.net.forward(params, Frames { values: values.clone(), steps }, times)?;
            correct += zoo_train::ops::count_correct(&logits.clone().mean_dim(0).squeeze_dim(0), &labels)?;
            self.work.step_passes += labels.len() as f64 * times.iter().sum::<usize>() as f64 / times.len() as f64;
            self.work.macs += labels.len() as f64 * self.net.network().macs(times) as f64;
            let loss = loss(self.train.loss, logits, &labels)?;
            if structures.len() == 1 {
                return Ok(StepResult { loss, correct: Some(correct) });
            }
            summed.add(params, &loss);
        }
        Ok(StepResult { loss: carrier(params, &summed)?, correct: Some(correct / structures.len().max(1)) })
    }

    fn after_epoch(&mut self, params: &mut ParamStore, _: u64) -> Result<Map<String, Value>> {
        let accuracy = self.validate(params, self.times.max)?;
        let Work { step_passes, macs } = std::mem::take(&mut self.work);
        Ok(Map::from_iter([
            ("val_accuracy".to_string(), json!(accuracy)),
            ("step_passes".to_string(), json!(step_passes)),
            ("forward_macs".to_string(), json!(macs)),
        ]))
    }
}

/// One structure forward and backward with fresh weights on one random item: the loss and the norm of its gradient. Its
/// stages run for the fewest steps or one more, since longer structures differ in size only. Shows that the network can be trained, nothing about accuracy.
///
/// # Errors
/// Whatever building and running find.
pub fn synthetic_step(paper: &PaperConfig) -> Result<(f64, f64)> {
    let net = SpikingNet::new(paper.network()?, paper.network);
    let mut params = ParamStore::on_cpu(0);
    net.add_to(&mut params)?;
    let mut rng = Seeds::new(0).stream("synthetic", 0);
    let steps = if paper.network.still { 1 } else { paper.times.max };
    let count = steps * net.network().input().iter().product::<usize>();
    let values: Vec<f32> = (0..count).map(|_| rng.random::<f32>()).collect();
    let mut summed = Summed::default();
    let drawn = Times { structures: 1, max: paper.times.max.min(paper.times.min + 1), ..paper.times };
    for times in drawn.draw(net.network().stages(), &mut rng) {
        let logits = net.forward(&mut params, Frames { values: values.clone(), steps }, &times)?;
        let loss = loss(paper.train.loss, logits, &[0])?;
        summed.add(&params, &loss);
    }
    Ok((f64::from(summed.loss), summed.gradients.norm()))
}
