//! Test items, and what a trained network answers to them clocked and on events alone.

use crate::config::PaperConfig;
use crate::data::Recordings;
use crate::export::Readout;
use crate::fold::{on_grid, weights_hash};
use crate::model::{EVENT_SLOTS, Mtt, by_count};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use zoo_core::metric::{argmax_rows, wilson95};
use zoo_core::{Artifact, Result, Tensor, Weights, Workbench};

/// Numbers of steps of the clocked runs.
pub const CLOCKED: [usize; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20];

/// Items of a split, ready for a session.
pub struct Exam {
    items: Recordings,
    sides: [usize; 2],
    classes: usize,
}

/// Which items an executor got right, and its output counts where it has output neurons.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// Item by item.
    pub right: Vec<bool>,
    /// Spikes of each class, item by item.
    pub counts: Vec<Tensor>,
    /// Chosen classes.
    pub chosen: Vec<usize>,
}

impl Answers {
    /// Accuracy in per cent.
    pub fn accuracy(&self) -> f64 {
        100.0 * self.right.iter().filter(|r| **r).count() as f64 / self.right.len().max(1) as f64
    }

    /// Accuracy with Wilson's 95 % interval.
    pub fn estimate(&self) -> Value {
        let right = self.right.iter().filter(|r| **r).count() as u64;
        let interval = wilson95(right, self.right.len() as u64).map(|ci| ci.map(|v| 100.0 * v));
        json!({"value": self.accuracy(), "ci95": interval, "n": self.right.len()})
    }
}

/// Everything that is measured of one trained run.
#[derive(Clone, Debug)]
pub struct Scored {
    /// Clocked, by number of steps.
    pub clocked: BTreeMap<usize, Answers>,
    /// On events, depth first.
    pub dfs: Option<Answers>,
    /// On events, breadth first.
    pub bfs: Option<Answers>,
    /// Clocked at the trained number of steps with output neurons: the reference of the spike difference.
    pub reference: Option<Answers>,
    /// Hash of the weights, the same for every number of steps and every executor.
    pub hash: String,
    /// Validation accuracy that training noted.
    pub validation: Option<f64>,
}

impl Scored {
    /// Accuracies at T = 1..=10.
    pub fn curve(&self) -> Vec<f64> {
        (1..=10).filter_map(|t| self.clocked.get(&t).map(Answers::accuracy)).collect()
    }

    /// The record of the run.
    pub fn summary(&self) -> Value {
        let clocked: BTreeMap<String, Value> = self.clocked.iter().map(|(t, a)| (format!("T={t}"), a.estimate())).collect();
        let part = |a: &Option<Answers>| a.as_ref().map(Answers::estimate);
        json!({"clocked": clocked, "async_dfs": part(&self.dfs), "async_bfs": part(&self.bfs), "weights_hash": self.hash,
            "val_accuracy": self.validation})
    }
}

impl Exam {
    /// Reads a split.
    ///
    /// # Errors
    /// Whatever reading finds.
    pub fn read(paper: &PaperConfig, split: &str, bench: &mut dyn Workbench) -> Result<Self> {
        let limit = bench.limit().unwrap_or(usize::MAX);
        let dataset = bench.dataset(&paper.data.name, split)?;
        let [_, rows, columns] = paper.network.input;
        let items = Recordings::read(dataset.as_ref(), 0..dataset.len().min(limit), [rows, columns])?;
        Ok(Self { items, sides: [rows, columns], classes: paper.network.classes })
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Runs an artifact over all items.
    ///
    /// # Errors
    /// Whatever compiling and running find.
    pub fn run(&self, backend: &str, artifact: &Artifact, steps: usize, task: &str, bench: &mut dyn Workbench) -> Result<Answers> {
        let classes = self.classes;
        let mut session = bench.compile_on(backend, artifact)?;
        let counts = session.outputs().first().and_then(|o| o.shape.last().and_then(zoo_core::Dim::fixed)).unwrap_or(0);
        let counting = counts == 2 * classes;
        let [rows, columns] = self.sides;
        let mut answers = Answers::default();
        for (index, (item, label)) in self.items.items.iter().zip(&self.items.labels).enumerate() {
            if index % 16 == 0 {
                bench.reporter().check()?;
                bench.reporter().progress(task, index as u64, Some(self.len() as u64), "recordings");
            }
            let x = Tensor::from_vec([1, steps, 2, rows, columns], item.frames(steps)?)?;
            let output = session.run(&[x])?.swap_remove(0);
            let logits = if counting {
                let row = output.as_slice::<f32>()?;
                answers.counts.push(Tensor::from_vec([counts / 2], row[..counts / 2].to_vec())?);
                by_count(&output)?
            } else {
                output
            };
            let chosen = argmax_rows(&logits)?.first().copied().unwrap_or(0);
            answers.right.push(usize::try_from(*label) == Ok(chosen));
            answers.chosen.push(chosen);
        }
        Ok(answers)
    }

    /// Everything about one run. Event-driven runs are left out where `events` is false.
    ///
    /// # Errors
    /// Whatever exporting, compiling and running find.
    pub fn score(&self, paper: &PaperConfig, weights: &Weights, task: &str, events: bool, bench: &mut dyn Workbench) -> Result<Scored> {
        let hash = weights_hash(weights);
        let mut clocked = BTreeMap::new();
        for steps in CLOCKED {
            let artifact = Mtt::event_graph(paper, weights, steps, "tick_sync", Readout::Mean)?;
            check_hash(&artifact, &hash)?;
            clocked.insert(steps, self.run("events", &artifact, steps, &format!("{task}, T = {steps}"), bench)?);
        }
        let by = |mode: &str, steps: usize, bench: &mut dyn Workbench| {
            let artifact = Mtt::event_graph(paper, weights, steps, mode, Readout::Counts)?;
            check_hash(&artifact, &hash)?;
            self.run("events", &artifact, steps, &format!("{task}, {mode}"), bench).map(Some)
        };
        let (dfs, bfs, reference) = if events {
            (by("async_dfs", EVENT_SLOTS, bench)?, by("async_bfs", EVENT_SLOTS, bench)?, by("tick_sync", paper.times.max, bench)?)
        } else {
            (None, None, None)
        };
        let validation = weights.metadata.get("val_accuracy").and_then(|text| text.parse().ok());
        Ok(Scored { clocked, dfs, bfs, reference, hash, validation })
    }

    /// Share of items, in per cent, on which the executor and an ONNX runtime choose the same class for the network on the
    /// grid of 2^-8, at the trained number of steps.
    ///
    /// # Errors
    /// Whatever exporting, compiling and running find.
    pub fn grid_agreement(&self, paper: &PaperConfig, weights: &Weights, task: &str, bench: &mut dyn Workbench) -> Result<f64> {
        let grid = on_grid(weights)?;
        let steps = paper.times.max;
        let net = Mtt::deployed(paper, &grid, steps)?;
        let onnx = crate::export::sequence(None, &net, &vec![steps; net.network.stages()], BTreeMap::new())?;
        let event = Mtt::event_graph(paper, &grid, steps, "tick_sync", Readout::Mean)?;
        let backend = if bench.backend() == "events" { "tract" } else { bench.backend() }.to_string();
        let ours = self.run("events", &event, steps, &format!("{task}, grid, events"), bench)?;
        let theirs = self.run(&backend, &onnx, steps, &format!("{task}, grid, {backend}"), bench)?;
        let same = ours.chosen.iter().zip(&theirs.chosen).filter(|(a, b)| a == b).count();
        Ok(100.0 * same as f64 / self.len().max(1) as f64)
    }
}

/// No executor and no number of steps may run other weights than the run's own.
fn check_hash(artifact: &Artifact, hash: &str) -> Result<()> {
    match artifact.metadata.get("weights_hash") {
        Some(found) if found == hash => Ok(()),
        found => Err(zoo_core::Error::artifact("event graph", "metadata `weights_hash`", format!("expected {hash}, found {found:?}"))),
    }
}
