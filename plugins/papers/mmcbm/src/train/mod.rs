//! Training: the black box by the engine, then concept bank and bottleneck classifier on its frozen features.

mod forward;

use crate::bank::Bank;
use crate::concepts::{CONCEPTS, COUNT};
use crate::config::{Budget, MODALITIES, PaperConfig};
use crate::head::Head;
use crate::metrics::macro_f1;
use crate::model::WEIGHTS_LICENCE;
use crate::network::{FIRST_GROUP, blackbox, group_weight};
use crate::phantom::{self, Patient, Split, Template};
use forward::{Bags, add_tensors, features, logits};
use rand::Rng;
use serde_json::{Map, Value, json};
use zoo_core::{Config, Result, Tensor, TrainSink, Trainer, Weights, Workbench};
use zoo_train::ops;
use zoo_train::optim::{Adam, Optimiser, Schedule};
use zoo_train::params::{Mode, ParamStore};
use zoo_train::run::{Plan, Recipe, Step, StepResult, train};

/// Epochs of the authors' run (specification section 3).
const AUTHORS_EPOCHS: u64 = 200;
/// Patients a pass without gradients.
const CHUNK: usize = 32;

/// Trains the whole model.
#[derive(Clone, Copy, Debug, Default)]
pub struct CbmTrainer;

impl Trainer for CbmTrainer {
    fn model(&self) -> &str {
        "mmcbm"
    }

    fn train(&self, config: &Config, seed: u64, bench: &mut dyn Workbench, sink: &mut dyn TrainSink) -> Result<Weights> {
        let mut paper = PaperConfig::read(config)?;
        if paper.budget == Budget::Full {
            paper.blackbox.epochs = AUTHORS_EPOCHS;
        }
        let template = Template::read(bench.dataset(&paper.dataset, "template")?.as_ref())?;
        let draw = |split| phantom::patients(&template, &paper.phantom, &paper.network, split, None, bench.reporter());
        let (patients, validation) = (draw(Split::Train)?, draw(Split::Val)?);
        let mut params = ParamStore::on_cpu(seed);
        add_tensors(&mut params, &paper.network)?;
        let run = &paper.blackbox;
        let steps = (patients.len() / run.batch) as u64 * run.epochs;
        let plan = Plan {
            epochs: run.epochs,
            batch_size: run.batch,
            drop_last: true,
            schedule: Schedule::cosine(run.lr, steps, 0.0),
            per_step: true,
            clip_norm: None,
        };
        let rule = Adam { weight_decay: run.weight_decay, decoupled: true, ..Adam::default() };
        let mut lesson = Lesson { paper: &paper, patients, validation };
        train(&plan, &mut params, &mut Optimiser::new(rule), &mut lesson, sink, bench.reporter())?;
        lesson.weights(&mut params, seed)
    }
}

struct Lesson<'a> {
    paper: &'a PaperConfig,
    patients: Vec<Patient>,
    validation: Vec<Patient>,
}

impl Lesson<'_> {
    /// Macro F1 of the black box on the validation patients.
    fn validate(&self, params: &mut ParamStore) -> Result<f64> {
        params.set_mode(Mode::Eval);
        let mut answers = Vec::new();
        for chunk in self.validation.chunks(CHUNK) {
            let bags = Bags::new(&chunk.iter().map(|p| (p, None)).collect::<Vec<_>>(), &self.paper.network);
            let rows = logits(params, &self.paper.network, &bags, None)?.into_data().try_into_vec::<f32>().unwrap_or_default();
            let classes = self.paper.network.classes;
            answers
                .extend(rows.chunks_exact(classes).map(|r| crate::metrics::greatest(&r.iter().map(|v| f64::from(*v)).collect::<Vec<_>>())));
        }
        params.set_mode(Mode::Train);
        let labels: Vec<usize> = self.validation.iter().map(|p| p.class).collect();
        Ok(macro_f1(&labels, &answers, self.paper.network.classes))
    }

    /// Bank and head on the trained encoders, all in one file.
    fn weights(&self, params: &mut ParamStore, seed: u64) -> Result<Weights> {
        let f1 = self.validate(params)?;
        params.set_mode(Mode::Eval);
        let mut all = Vec::new();
        for chunk in self.patients.chunks(CHUNK) {
            all.extend(features(params, &self.paper.network, chunk)?);
        }
        let bank = Bank::train(&self.patients, &all, &self.paper.bank, seed)?;
        let scores: Vec<_> = all.iter().map(|f| bank.scores(f)).collect();
        let labels: Vec<usize> = self.patients.iter().map(|p| p.class).collect();
        let classes = self.paper.network.classes;
        let head = Head::train(&scores, &labels, classes, &self.paper.head, seed)?;
        let trained = params.weights()?;
        let mut weights = Weights::new();
        for (name, shape) in blackbox(&self.paper.network) {
            weights.insert(name.clone(), Tensor::from_vec(shape, trained.get(&name)?.to_f32())?);
        }
        bank.tensors(&mut weights)?;
        for (group, range) in [(0, 0..FIRST_GROUP), (1, FIRST_GROUP..COUNT)] {
            let values =
                (0..classes).flat_map(|k| range.clone().map(move |c| (k, c))).map(|(k, c)| head.free[k * COUNT + c] as f32).collect();
            weights.insert(group_weight(group), Tensor::from_vec([classes, range.len()], values)?);
        }
        let names: Vec<&str> = CONCEPTS.iter().map(|(name, _)| *name).collect();
        weights.metadata = [
            ("paper", "arXiv:2403.05606".to_string()),
            ("plugin", format!("mmcbm {}", env!("CARGO_PKG_VERSION"))),
            ("config_hash", self.paper.training_hash()),
            ("seed", seed.to_string()),
            ("licence", WEIGHTS_LICENCE.to_string()),
            ("val_f1", f1.to_string()),
            ("concepts", json!(names).to_string()),
            ("held_out", json!(bank.held_out).to_string()),
        ]
        .map(|(k, v)| (k.to_string(), v))
        .into();
        Ok(weights)
    }
}

impl Recipe for Lesson<'_> {
    fn items(&self) -> usize {
        self.patients.len()
    }

    fn step(&mut self, params: &mut ParamStore, mut step: Step<'_>) -> Result<StepResult> {
        let run = &self.paper.blackbox;
        let mut shown = Vec::with_capacity(step.indices.len());
        for &index in step.indices {
            let patient = &self.patients[index];
            let there: Vec<usize> = (0..MODALITIES.len()).filter(|&m| !patient.images[m].is_empty()).collect();
            let alone = step.rng.random::<f32>() < run.single;
            let one = there[step.rng.random_range(0..there.len())];
            shown.push((patient, alone.then_some(one)));
        }
        let hidden = self.paper.network.hidden();
        let keep = 1.0 - run.dropout;
        let mask = (0..shown.len() * hidden).map(|_| if step.rng.random::<f32>() < keep { 1.0 / keep } else { 0.0 }).collect();
        let bags = Bags::new(&shown, &self.paper.network);
        let logits = logits(params, &self.paper.network, &bags, Some(mask))?;
        let labels: Vec<i64> = shown.iter().map(|(p, _)| p.class as i64).collect();
        let correct = ops::count_correct(&logits, &labels)?;
        Ok(StepResult { loss: ops::cross_entropy(logits, &labels, 0.0)?, correct: Some(correct) })
    }

    fn after_epoch(&mut self, params: &mut ParamStore, epoch: u64) -> Result<Map<String, Value>> {
        if epoch % 5 != 4 {
            return Ok(Map::new());
        }
        Ok(Map::from_iter([("val_f1".to_string(), json!(self.validate(params)?))]))
    }
}
