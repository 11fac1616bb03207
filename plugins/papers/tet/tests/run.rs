//! Whole runs on a tiny data set: resumption after a kill, time inheritance, random labels.

use serde_json::{Value, json};
use zoo_core::{
    Artifact, Config, DType, Dataset, DatasetInfo, Error, Level, Reporter, Result, Session, Silent, SplitInfo, Tensor, TensorSpec,
    TrainSink, Trainer, Weights, Workbench,
};
use zoo_tet::model::Input;
use zoo_tet::train::TetTrainer;

/// Twenty-four recordings of four frames; class 1 is brighter.
struct Toy {
    info: DatasetInfo,
}

impl Toy {
    fn new() -> Self {
        let info = DatasetInfo {
            name: "toy".into(),
            description: String::new(),
            splits: vec![SplitInfo { name: "train".into(), len: 24 }],
            features: vec![
                TensorSpec::new("frames", DType::F32, [4usize, 2, 12, 12]),
                TensorSpec::new("label", DType::U8, Vec::<usize>::new()),
            ],
            classes: Vec::new(),
            licence: "CC0-1.0".into(),
            provenance: String::new(),
        };
        Self { info }
    }
}

impl Dataset for Toy {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn split(&self) -> &str {
        "train"
    }

    fn len(&self) -> usize {
        24
    }

    fn get(&self, index: usize) -> Result<Vec<Tensor>> {
        let label = (index % 2) as u8;
        let pixel = |i: usize| ((i * 31 + index * 17) % 97) as f32 / 97.0 * if label == 1 { 1.0 } else { 0.4 };
        Ok(vec![Tensor::from_vec([4, 2, 12, 12], (0..4 * 288).map(pixel).collect())?, Tensor::scalar(label)])
    }
}

/// A workbench with that data set and nothing else.
struct Bench;

impl Reporter for Bench {
    fn log(&self, _: Level, _: &str, _: &str) {}
    fn progress(&self, _: &str, _: u64, _: Option<u64>, _: &str) {}
    fn cancelled(&self) -> bool {
        false
    }
}

impl Workbench for Bench {
    fn seed(&self) -> u64 {
        0
    }

    fn limit(&self) -> Option<usize> {
        None
    }

    fn backend(&self) -> &str {
        "none"
    }

    fn dataset(&mut self, _: &str, _: &str) -> Result<Box<dyn Dataset>> {
        Ok(Box::new(Toy::new()))
    }

    fn compile(&mut self, artifact: &Artifact) -> Result<Box<dyn Session>> {
        self.compile_on("none", artifact)
    }

    fn compile_on(&mut self, _: &str, _: &Artifact) -> Result<Box<dyn Session>> {
        Err(Error::Cancelled)
    }

    fn weights(&mut self, _: &str, _: Option<u64>) -> Result<(Weights, Config)> {
        Err(Error::Cancelled)
    }

    fn reporter(&self) -> &dyn Reporter {
        &Silent
    }
}

/// Keeps every checkpoint and fails, as a killed process would, after so many.
#[derive(Default)]
struct Memory {
    checkpoints: Vec<Weights>,
    lines: Vec<Value>,
    dies_after: Option<usize>,
}

impl TrainSink for Memory {
    fn log(&mut self, line: Value) -> Result<()> {
        self.lines.push(line);
        Ok(())
    }

    fn save(&mut self, checkpoint: &Weights) -> Result<()> {
        self.checkpoints.push(checkpoint.clone());
        if self.dies_after == Some(self.checkpoints.len()) { Err(Error::Cancelled) } else { Ok(()) }
    }

    fn resume(&mut self) -> Result<Option<Weights>> {
        Ok(self.checkpoints.last().cloned())
    }
}

fn config(train: &Value, tit: &Value) -> Config {
    Config::new(json!({
        "data": {"name": "toy", "train": 16, "val": 8}, "steps": 4,
        "network": {"architecture": "vggsnn-mini", "input": [2, 12, 12], "classes": 2},
        "loss": {"kind": "tet", "lambda": 0.05}, "train": train, "tit": tit,
    }))
}

fn second(lr: f64) -> Value {
    json!({"epochs": 2, "batch": 8, "optimiser": "adam", "lr": lr})
}

fn run(config: &Config, sink: &mut Memory) -> Result<Weights> {
    TetTrainer::new(Input::Events).train(config, 5, &mut Bench, sink)
}

#[test]
fn a_killed_run_goes_on_as_if_nothing_had_happened() {
    let config = config(&second(1e-3), &json!({"steps": 2, "epochs": 3, "lr": 2e-3}));
    let mut whole = Memory::default();
    let expected = run(&config, &mut whole).unwrap();
    assert_eq!(whole.checkpoints.len(), 5);
    assert_eq!(whole.lines.iter().map(|l| l["T"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 2, 2, 4, 4]);
    for killed_after in 1..=5 {
        let mut sink = Memory { dies_after: Some(killed_after), ..Memory::default() };
        assert!(run(&config, &mut sink).is_err());
        sink.dies_after = None;
        assert_eq!(run(&config, &mut sink).unwrap().tensors, expected.tensors, "killed after {killed_after} epochs");
    }
}

#[test]
fn time_inheritance_keeps_all_weights() {
    // A second stage of rate 0 leaves what the first one learnt; only running statistics see the new frames.
    let config = config(&second(0.0), &json!({"steps": 2, "epochs": 3, "lr": 2e-3}));
    let mut sink = Memory::default();
    let weights = run(&config, &mut sink).unwrap();
    for (name, tensor) in &weights.tensors {
        let before = match name.split_once('.') {
            Some(("bns", _)) => name.replace(".gamma", ".weight").replace(".beta", ".bias"),
            _ => name.clone(),
        };
        if !name.ends_with(".mean") && !name.ends_with(".var") {
            assert_eq!(sink.checkpoints[2].get(&format!("model/{before}")).unwrap(), tensor, "{name}");
        }
    }
}

#[test]
fn it_learns_and_random_labels_are_another_task() {
    let train = |random: bool| json!({"epochs": 8, "batch": 8, "optimiser": "adam", "lr": 5e-3, "random-labels": random});
    let mut sink = Memory::default();
    let weights = run(&config(&train(false), &Value::Null), &mut sink).unwrap();
    let losses: Vec<f64> = sink.lines.iter().map(|l| l["loss"].as_f64().unwrap()).collect();
    assert!(losses[7] < losses[0], "{losses:?}");
    assert!(weights.metadata["val_accuracy"].parse::<f64>().unwrap() >= 0.0);
    let mut other = Memory::default();
    run(&config(&train(true), &Value::Null), &mut other).unwrap();
    assert_ne!(other.lines[0]["loss"], sink.lines[0]["loss"]);
}

#[test]
fn too_many_steps_or_items_are_refused() {
    let with = |key: &str, value: Value| config(&second(1e-3), &Value::Null).with(key, value);
    let error = run(&with("steps", json!(5)), &mut Memory::default()).unwrap_err().to_string();
    assert!(error.contains("`steps`: expected at most the 4 frames"), "{error}");
    let error = run(&with("data", json!({"name": "toy", "train": 20, "val": 8})), &mut Memory::default()).unwrap_err().to_string();
    assert!(error.contains("data.train"), "{error}");
}
