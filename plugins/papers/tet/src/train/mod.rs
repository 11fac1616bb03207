//! Training: SDT, TET, the switch from one to the other, and time inheritance.

mod layers;
mod loss;

pub use layers::{SpikingNet, sigmoid};
pub use loss::{by_config, sdt, tet};

use crate::config::{Budget, DataConfig, LossConfig, PaperConfig, Rule, TrainConfig};
use crate::data::{self, LABEL};
use crate::model::{Input, WEIGHTS_LICENCE};
use rand::Rng;
use rand::seq::SliceRandom;
use serde_json::{Map, Value, json};
use std::time::Instant;
use zoo_core::{Config, Dataset, Error, Reporter, Result, TrainSink, Trainer, Weights, Workbench};
use zoo_train::augment::Augment;
use zoo_train::data::Labelled;
use zoo_train::optim::{Adam, Optimiser, Schedule, Sgd};
use zoo_train::params::{Mode, ParamStore};
use zoo_train::run::{Plan, Recipe, Step, StepResult, train};
use zoo_train::seeds::Seeds;

/// Epochs of the paper's runs (specification section 6).
const AUTHORS_EPOCHS: u64 = 300;
/// Items a pass of validation.
const VALIDATION_BATCH: usize = 50;

/// Trains one family.
#[derive(Clone, Copy, Debug)]
pub struct TetTrainer {
    input: Input,
}

impl TetTrainer {
    /// The trainer of a family.
    pub fn new(input: Input) -> Self {
        Self { input }
    }
}

impl Trainer for TetTrainer {
    fn model(&self) -> &str {
        self.input.family()
    }

    fn train(&self, config: &Config, seed: u64, bench: &mut dyn Workbench, sink: &mut dyn TrainSink) -> Result<Weights> {
        let mut paper = PaperConfig::read(config)?;
        if paper.budget == Budget::Full {
            paper.train.epochs = AUTHORS_EPOCHS;
        }
        let net = SpikingNet::new(paper.network()?, paper.network.neuron);
        let (mut items, validation) = read(&paper.data, self.input, net.network().input(), bench)?;
        if paper.train.random_labels {
            items.labels.shuffle(&mut Seeds::new(seed).stream("random labels", 0));
        }
        let mut params = ParamStore::on_cpu(seed);
        net.add_to(&mut params)?;
        let mut lesson = Lesson { net, items, validation, loss: paper.loss, train: paper.train, steps: paper.steps };
        let start = Instant::now();
        let whole = lesson.run(&stages(&paper), &mut params, sink, bench.reporter())?;
        let seconds = start.elapsed().as_secs_f64();
        let validation = lesson.validate(&mut params)?;
        let mut weights = lesson.net.weights(&params)?;
        weights.metadata = [
            ("paper", "arXiv:2202.11946".to_string()),
            ("plugin", format!("tet {}", env!("CARGO_PKG_VERSION"))),
            ("config_hash", paper.training_hash()),
            ("seed", seed.to_string()),
            ("licence", WEIGHTS_LICENCE.to_string()),
            ("val_accuracy", validation.to_string()),
        ]
        .map(|(k, v)| (k.to_string(), v))
        .into();
        if paper.train.timed && whole {
            weights.metadata.insert("train_seconds".into(), seconds.to_string());
        }
        Ok(weights)
    }
}

/// A part of a run with its own number of steps and learning rate.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stage {
    steps: usize,
    epochs: u64,
    lr: f64,
}

/// One stage, or two for time inheritance.
fn stages(paper: &PaperConfig) -> Vec<Stage> {
    let first = paper.tit.map(|t| Stage { steps: t.steps, epochs: t.epochs, lr: t.lr });
    let last = Stage { steps: paper.steps, epochs: paper.train.epochs, lr: paper.train.lr };
    first.into_iter().chain([last]).collect()
}

/// Training and validation items. Frames are `[T, channels, rows, columns]`, images `[channels, rows, columns]`.
fn read(config: &DataConfig, input: Input, shape: [usize; 3], bench: &mut dyn Workbench) -> Result<(Labelled, Labelled)> {
    let train = bench.dataset(&config.name, "train")?;
    let splits = &train.info().splits;
    let own = config.val > 0 && splits.iter().any(|s| s.name == "val");
    let want = config.train + if own { 0 } else { config.val };
    let mut items = frames(train.as_ref(), input, shape, want, bench.reporter())?;
    if items.len() < want {
        return Err(Error::Config {
            key: "data.train".into(),
            expected: format!("at most {} items with `val`", items.len()),
            found: want.to_string(),
        });
    }
    let validation = if own {
        let split = bench.dataset(&config.name, "val")?;
        frames(split.as_ref(), input, shape, config.val, bench.reporter())?
    } else {
        let each: usize = items.shape.iter().product();
        let (rest, labels) = (items.items.split_off(config.train * each), items.labels.split_off(config.train));
        Labelled { shape: items.shape.clone(), items: rest, labels }
    };
    Ok((items, validation))
}

/// The first `count` items of a split as the network takes them.
fn frames(split: &dyn Dataset, input: Input, [c, h, w]: [usize; 3], count: usize, reporter: &dyn Reporter) -> Result<Labelled> {
    let still = input == Input::Images;
    let prepare = |values: &mut [f32]| {
        if still {
            values.iter_mut().for_each(|v| *v = data::standardise(*v));
        }
    };
    let mut items = Labelled::read(split, [input.field(), LABEL], Some(count), reporter, prepare)?;
    let axes = items.shape.len();
    if axes != if still { 3 } else { 4 } || items.shape[axes - 3] != c {
        return Err(Error::shape(format!("field `{}`", input.field()), format!("[..., {c}, {h}, {w}]"), &items.shape));
    }
    items.items = data::centre(&items.items, [items.shape[axes - 2], items.shape[axes - 1]], [h, w])?;
    (items.shape[axes - 2], items.shape[axes - 1]) = (h, w);
    Ok(items)
}

/// What is trained on what.
struct Lesson {
    net: SpikingNet,
    items: Labelled,
    validation: Labelled,
    loss: LossConfig,
    train: TrainConfig,
    /// Steps of the stage that runs now.
    steps: usize,
}

impl Lesson {
    /// Trains stage by stage; each has a fresh optimiser and its own cosine, weights and statistics go on. Says whether
    /// the run was whole, that is, not resumed.
    fn run(&mut self, stages: &[Stage], params: &mut ParamStore, sink: &mut dyn TrainSink, reporter: &dyn Reporter) -> Result<bool> {
        let mut resumed = sink.resume()?;
        let whole = resumed.is_none();
        let place = |weights: &Weights| weights.metadata.get(STAGE).and_then(|text| text.parse().ok()).unwrap_or(0);
        let first: usize = resumed.as_ref().map_or(0, place);
        for (index, stage) in stages.iter().enumerate().skip(first) {
            let decay = self.train.weight_decay;
            let mut optimiser = match self.train.optimiser {
                Rule::Adam => Optimiser::new(Adam { weight_decay: decay, ..Adam::default() }),
                Rule::Sgd => Optimiser::new(Sgd { momentum: 0.9, weight_decay: decay, ..Sgd::default() }),
            };
            let plan = Plan {
                epochs: stage.epochs,
                batch_size: self.train.batch,
                drop_last: true,
                schedule: Schedule::cosine(stage.lr, stage.epochs, 0.0),
                per_step: false,
                clip_norm: None,
            };
            self.steps = stage.steps;
            let mut sink = StageSink { inner: &mut *sink, index, resumed: resumed.take() };
            train(&plan, params, &mut optimiser, self, &mut sink, reporter)?;
        }
        Ok(whole)
    }

    /// Items as `[steps * batch, channels, rows, columns]`, all items of a step together.
    fn batch(&self, of: &Labelled, indices: &[usize], rng: Option<&mut rand_chacha::ChaCha12Rng>) -> Result<(Vec<f32>, Vec<i64>)> {
        let (mut values, labels) = of.gather(indices)?;
        let [c, h, w] = self.net.network().input();
        let each = c * h * w;
        let still = of.shape.len() == 3;
        let frames = if still { 1 } else { of.shape[0] };
        if let Some(rng) = rng {
            // All frames of an item move together: they are channels of one image here.
            let augment = Augment { shift: self.train.shift, flip: self.train.flip };
            augment.apply(&mut values, [labels.len(), frames * c, h, w], 0.0, rng)?;
        }
        if still {
            return Ok((values.repeat(self.steps), labels));
        }
        if frames < self.steps {
            return Err(Error::Config {
                key: "steps".into(),
                expected: format!("at most the {frames} frames of an item"),
                found: self.steps.to_string(),
            });
        }
        let mut ordered = Vec::with_capacity(self.steps * labels.len() * each);
        for step in 0..self.steps {
            values.chunks_exact(frames * each).for_each(|item| ordered.extend_from_slice(&item[step * each..(step + 1) * each]));
        }
        Ok((ordered, labels))
    }

    /// Share of validation items whose mean logits are right.
    fn validate(&self, params: &mut ParamStore) -> Result<f64> {
        params.set_mode(Mode::Eval);
        let mut right = 0;
        let all: Vec<usize> = (0..self.validation.len()).collect();
        for indices in all.chunks(VALIDATION_BATCH) {
            let (values, labels) = self.batch(&self.validation, indices, None)?;
            let logits = self.net.forward(params, values, self.steps)?;
            right += zoo_train::ops::count_correct(&logits.mean_dim(0).squeeze_dim(0), &labels)?;
        }
        params.set_mode(Mode::Train);
        Ok(right as f64 / all.len().max(1) as f64)
    }
}

impl Recipe for Lesson {
    fn items(&self) -> usize {
        self.items.len()
    }

    fn step(&mut self, params: &mut ParamStore, mut step: Step<'_>) -> Result<StepResult> {
        let (values, labels) = self.batch(&self.items, step.indices, Some(&mut step.rng))?;
        let logits = self.net.forward(params, values, self.steps)?;
        let correct = zoo_train::ops::count_correct(&logits.clone().mean_dim(0).squeeze_dim(0), &labels)?;
        Ok(StepResult { loss: by_config(&self.loss, step.epoch, logits, &labels)?, correct: Some(correct) })
    }

    fn after_epoch(&mut self, params: &mut ParamStore, _: u64) -> Result<Map<String, Value>> {
        let accuracy = self.validate(params)?;
        Ok(Map::from_iter([("val_accuracy".to_string(), json!(accuracy)), ("T".to_string(), json!(self.steps))]))
    }
}

/// Metadata key of a checkpoint: which stage it belongs to.
const STAGE: &str = "stage";

/// The sink of one stage: its checkpoints say which stage they are of.
struct StageSink<'a> {
    inner: &'a mut dyn TrainSink,
    index: usize,
    resumed: Option<Weights>,
}

impl TrainSink for StageSink<'_> {
    fn log(&mut self, mut line: Value) -> Result<()> {
        if self.index > 0 {
            line[STAGE] = json!(self.index);
        }
        self.inner.log(line)
    }

    fn save(&mut self, checkpoint: &Weights) -> Result<()> {
        let mut checkpoint = checkpoint.clone();
        checkpoint.metadata.insert(STAGE.into(), self.index.to_string());
        self.inner.save(&checkpoint)
    }

    fn resume(&mut self) -> Result<Option<Weights>> {
        Ok(self.resumed.take())
    }
}

/// One forward and backward pass of a configuration with fresh weights on one random item: its loss and the norm of its
/// gradient. Shows that the network can be trained, nothing about accuracy.
///
/// # Errors
/// Whatever building and running find.
pub fn synthetic_step(paper: &PaperConfig) -> Result<(f64, f64)> {
    let net = SpikingNet::new(paper.network()?, paper.network.neuron);
    let mut params = ParamStore::on_cpu(0);
    net.add_to(&mut params)?;
    let mut rng = Seeds::new(0).stream("synthetic", 0);
    let frames: usize = paper.steps * net.network().input().iter().product::<usize>();
    let values = (0..frames).map(|_| rng.random::<f32>()).collect();
    let logits = net.forward(&mut params, values, paper.steps)?;
    let loss = by_config(&paper.loss, paper.loss.switch_epoch, logits, &[0])?;
    let value = loss.clone().into_data().iter::<f32>().next().unwrap_or(f32::NAN);
    Ok((f64::from(value), params.backward(&loss).norm()))
}
