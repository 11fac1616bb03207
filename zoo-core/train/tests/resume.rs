//! A run that is interrupted and resumed ends where an uninterrupted one does, bit for bit.

use rand::Rng;
use serde_json::{Map, Value};
use std::fs;
use zoo_core::{Error, Result, Silent, TrainSink, Weights};
use zoo_train::augment::Augment;
use zoo_train::data::Labelled;
use zoo_train::ops::{self, Conv2dOptions, Lif, Pool2dOptions};
use zoo_train::optim::{Adam, Optimiser, Rule, Schedule, Sgd};
use zoo_train::params::{Mode, ParamStore};
use zoo_train::run::{self, Checkpoint, FileSink, Plan, Recipe, RngState, Step, StepResult};
use zoo_train::seeds::Seeds;

struct Toy {
    data: Labelled,
    fail_at: Option<u64>,
}

impl Toy {
    fn new() -> Self {
        let mut rng = Seeds::new(5).stream("toy", 0);
        let labels: Vec<i64> = (0..50).map(|i| i % 3).collect();
        // Class 0, 1, 2: bright rows at the top, in the middle, at the bottom.
        let items = labels.iter().flat_map(|&l| (0..64).map(move |p| (l, p))).map(|(l, p)| {
            let bright = if p / 8 / 3 == l { 1.0 } else { 0.0 };
            bright + 0.3 * rng.random::<f32>()
        });
        Self { data: Labelled { shape: vec![1, 8, 8], items: items.collect(), labels: labels.clone() }, fail_at: None }
    }

    fn params(seed: u64) -> ParamStore {
        let mut params = ParamStore::on_cpu(seed);
        params.add_conv2d("conv", [1, 4], 3, 1, true).unwrap();
        params.add_batch_norm("bn", 4).unwrap();
        params.add_linear("fc", 64, 3, true).unwrap();
        params
    }
}

impl Recipe for Toy {
    fn items(&self) -> usize {
        self.data.len()
    }

    fn step(&mut self, params: &mut ParamStore, mut step: Step<'_>) -> Result<StepResult> {
        if self.fail_at == Some(step.epoch) {
            return Err(Error::Cancelled);
        }
        let (mut x, labels) = self.data.gather(step.indices)?;
        let shape = [labels.len(), 1, 8, 8];
        Augment { shift: 1, flip: true }.apply(&mut x, shape, 0.0, &mut step.rng)?;
        let x = params.input(x, shape)?.repeat_dim(0, 2);
        let x = params.conv2d("conv", x, Conv2dOptions::padded(1))?;
        let x = ops::lif(params.batch_norm("bn", x)?, 2, Lif::default())?;
        let x = ops::avg_pool2d(x, Pool2dOptions::square(2))?;
        let x = params.linear("fc", x.flatten::<2>(1, 3))?.reshape([2, labels.len(), 3]).mean_dim(0).squeeze_dim::<2>(0);
        Ok(StepResult { correct: Some(ops::count_correct(&x, &labels)?), loss: ops::cross_entropy(x, &labels, 0.0)? })
    }

    fn after_epoch(&mut self, params: &mut ParamStore, epoch: u64) -> Result<Map<String, Value>> {
        params.set_mode(Mode::Eval);
        Ok([("checked".to_owned(), epoch.into())].into_iter().collect())
    }
}

fn plan(epochs: u64) -> Plan {
    Plan { epochs, batch_size: 16, drop_last: false, schedule: Schedule::cosine(0.1, 4, 0.0), per_step: false, clip_norm: Some(5.0) }
}

/// Trains into `folder` and returns the weights.
fn train(rule: impl Into<Rule>, epochs: u64, folder: &std::path::Path, fail_at: Option<u64>) -> Result<Weights> {
    let mut params = Toy::params(11);
    let mut optimiser = Optimiser::new(rule);
    let mut sink = FileSink::open(folder, true)?;
    run::train(&plan(epochs), &mut params, &mut optimiser, &mut Toy { fail_at, ..Toy::new() }, &mut sink, &Silent)?;
    params.weights()
}

fn same_after_interruption(rule: impl Into<Rule> + Copy) {
    let (whole, parts, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let expected = train(rule, 2, whole.path(), None).unwrap();
    train(rule, 1, parts.path(), None).unwrap();
    assert_eq!(train(rule, 2, parts.path(), None).unwrap(), expected);
    // Stopped in the middle of the second epoch: the checkpoint of the first holds.
    assert!(matches!(train(rule, 2, killed.path(), Some(1)), Err(Error::Cancelled)));
    assert_eq!(train(rule, 2, killed.path(), None).unwrap(), expected);
    let files = |folder: &tempfile::TempDir| fs::read(folder.path().join("checkpoint.safetensors")).unwrap();
    assert_eq!(files(&whole), files(&parts));
    assert_eq!(files(&whole), files(&killed));
}

#[test]
fn sgd_resumes_bit_for_bit() {
    same_after_interruption(Sgd { momentum: 0.9, weight_decay: 1e-4, nesterov: false });
}

#[test]
fn adam_resumes_bit_for_bit() {
    same_after_interruption(Adam::default());
}

#[test]
fn the_toy_is_learnt_and_logged() {
    let folder = tempfile::tempdir().unwrap();
    train(Sgd { momentum: 0.9, ..Sgd::default() }, 4, folder.path(), None).unwrap();
    let log = fs::read_to_string(folder.path().join("log.jsonl")).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    let loss = |i: usize| lines[i]["loss"].as_f64().unwrap();
    assert!(loss(3) < loss(0), "{log}");
    for line in &lines {
        assert!(line["images_per_s"].as_f64().unwrap() > 0.0 && line["eta_s"].as_f64().unwrap() >= 0.0);
        assert_eq!(line["epoch"], line["checked"]);
    }
}

#[test]
fn a_fresh_run_forgets_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    train(Sgd::default(), 1, folder.path(), None).unwrap();
    let mut sink = FileSink::open(folder.path(), false).unwrap();
    assert!(sink.resume().unwrap().is_none());
    assert!(!sink.checkpoint().exists());
    assert_eq!(fs::read_to_string(sink.log_path()).unwrap(), "");
}

#[test]
fn a_half_written_log_line_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("log.jsonl"), "{\"epoch\":0}\n{\"epo").unwrap();
    let mut sink = FileSink::open(folder.path(), true).unwrap();
    sink.log(serde_json::json!({"epoch": 1})).unwrap();
    assert_eq!(fs::read_to_string(sink.log_path()).unwrap(), "{\"epoch\":0}\n{\"epo\n{\"epoch\":1}\n");
}

#[test]
fn broken_checkpoints_are_refused_and_change_nothing() {
    let params = Toy::params(11);
    let good = Checkpoint::new(3, &params, &Optimiser::new(Sgd::default())).unwrap();
    let mut other = Toy::params(11);
    let before = other.weights().unwrap();
    let mut optimiser = Optimiser::new(Sgd::default());
    assert!(Checkpoint { seed: 12, ..good.clone() }.restore(&mut other, &mut optimiser).is_err());
    let mut missing = good.clone();
    missing.model.tensors.remove("conv.weight");
    assert!(matches!(missing.restore(&mut other, &mut optimiser), Err(Error::Keys { .. })));
    let mut bad = good.clone().into_weights();
    bad.metadata.insert("epoch".into(), "three".into());
    assert!(Checkpoint::from_weights(&bad).is_err());
    assert!(Checkpoint::from_weights(&Weights::new()).is_err());
    assert_eq!(other.weights().unwrap(), before);
    assert_eq!(good.restore(&mut other, &mut optimiser).unwrap(), 3);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("checkpoint.safetensors"), b"\xff\xff\xff\xff\xff\xff\xff\xffjunk").unwrap();
    assert!(FileSink::open(folder.path(), true).unwrap().resume().is_err());
}

#[test]
fn random_streams_survive_a_checkpoint() {
    let mut rng = Seeds::new(3).stream("dropout", 2);
    let _: [u32; 7] = rng.random();
    let params = Toy::params(0);
    let mut checkpoint = Checkpoint::new(0, &params, &Optimiser::new(Sgd::default())).unwrap();
    checkpoint.streams.insert("dropout".into(), RngState::of(&rng));
    let read = Checkpoint::from_weights(&checkpoint.clone().into_weights()).unwrap();
    assert_eq!(read, checkpoint);
    assert_eq!(read.streams["dropout"].rng().random::<u64>(), rng.random::<u64>());
    let mut weights = checkpoint.into_weights();
    weights.metadata.insert("stream/dropout".into(), "é".repeat(32) + ":0:0");
    assert!(Checkpoint::from_weights(&weights).is_err());
}

#[test]
fn recalibration_is_the_mean_over_batches() {
    let mut params = Toy::params(0);
    let batches: [&[f32]; 3] = [&[1.0, 3.0], &[5.0, 5.0], &[0.0, 8.0]];
    let mut next = batches.iter();
    run::recalibrate(&mut params, 6, 2, 3, &Silent, |params, indices| {
        assert_eq!(indices.len(), 2);
        let x: Vec<f32> = next.next().unwrap().iter().flat_map(|v| [*v; 4]).collect();
        let x = params.input(x, [2, 4])?;
        params.batch_norm("bn", x).map(drop)
    })
    .unwrap();
    assert_eq!(params.mode(), Mode::Eval);
    // Means 2, 5, 4; unbiased variances 2, 0, 32.
    for (name, expected) in [("bn.running_mean", 11.0 / 3.0), ("bn.running_var", 34.0 / 3.0)] {
        params.values(name).unwrap().iter().for_each(|v| assert!((v - expected).abs() < 1e-5, "{name} {v}"));
    }
}
