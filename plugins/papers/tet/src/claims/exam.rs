//! Test items, and the logits of every step that a trained network gives for them.

use crate::config::PaperConfig;
use crate::data::{self, LABEL};
use crate::loss::{self, Sizes};
use crate::model::{Input, Tet};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zoo_core::metric::labels;
use zoo_core::{Error, Result, Tensor, Weights, Workbench};

/// Items a run of the session.
const BATCH: usize = 50;

/// Items of a split, ready for a session.
pub struct Exam {
    items: Vec<Tensor>,
    labels: Vec<usize>,
    steps: usize,
}

impl Exam {
    /// Reads the first `items` items of a split, or fewer if the workbench limits them. `steps` is how long each will be run.
    ///
    /// # Errors
    /// Whatever reading finds; [`Error::Shape`] for items that do not fit `input`.
    pub fn read(
        kind: Input,
        [name, split]: [&str; 2],
        items: usize,
        input: [usize; 3],
        steps: usize,
        bench: &mut dyn Workbench,
    ) -> Result<Self> {
        let limit = bench.limit().unwrap_or(usize::MAX).min(items);
        let dataset = bench.dataset(name, split)?;
        let (field, label) = (data::field(dataset.as_ref(), kind.field())?, data::field(dataset.as_ref(), LABEL)?);
        let mut exam = Self { items: Vec::new(), labels: Vec::new(), steps };
        for index in 0..dataset.len().min(limit) {
            let mut item = dataset.get(index)?;
            for label in labels(&item[label])? {
                let label = usize::try_from(label).map_err(|_| Error::argument(format!("label of item {index}"), "a class", label))?;
                exam.labels.push(label);
            }
            let one = item.swap_remove(field);
            let one = one.reshape([&[1], one.shape()].concat())?;
            exam.items.push(match kind {
                Input::Events => data::frames(&one, input)?,
                Input::Images => data::images(&one, input)?,
            });
        }
        Ok(exam)
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The first so many.
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        let count = count.min(self.len());
        Self { items: self.items[..count].to_vec(), labels: self.labels[..count].to_vec(), steps: self.steps }
    }

    /// Runs a trained network on the chosen backend.
    ///
    /// # Errors
    /// Whatever exporting, compiling and running find.
    pub fn run(&self, family: &Tet, paper: &PaperConfig, weights: &Weights, task: &str, bench: &mut dyn Workbench) -> Result<Scored> {
        let artifact = family.sequence(paper, weights, self.steps)?;
        // The bars are about the clocked network, whatever backend the evaluation beside them runs on.
        let backend = if bench.backend() == "events" { "tract" } else { bench.backend() }.to_string();
        let mut session = bench.compile_on(&backend, &artifact)?;
        let at = session.outputs().iter().position(|o| o.name == "logits_t").unwrap_or(1);
        let mut logits = Vec::new();
        for (index, items) in self.items.chunks(BATCH).enumerate() {
            bench.reporter().check()?;
            bench.reporter().progress(task, (index * BATCH) as u64, Some(self.len() as u64), "items");
            let outputs = session.run(&[Tensor::concat(items)?])?;
            let by_step = outputs.get(at).ok_or_else(|| Error::artifact("session", "outputs", "expected `logits_t`, found none"))?;
            if by_step.shape() != [items.len(), self.steps, paper.network.classes] {
                return Err(Error::shape("logits_t", [items.len(), self.steps, paper.network.classes], by_step.shape()));
            }
            logits.extend_from_slice(by_step.as_slice::<f32>()?);
        }
        Ok(Scored { logits, labels: self.labels.clone(), steps: self.steps, classes: paper.network.classes })
    }
}

/// Logits of every item at every step, `[items, T, classes]`, and what follows from them.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// Row-major logits.
    pub logits: Vec<f32>,
    /// Class of each item.
    pub labels: Vec<usize>,
    /// Steps, T.
    pub steps: usize,
    /// Classes.
    pub classes: usize,
}

impl Scored {
    /// Which items are right when only the first `k` steps are read.
    pub fn right(&self, k: usize) -> Vec<bool> {
        let each = self.steps * self.classes;
        let one = |(item, &label): (&[f32], &usize)| {
            let mut sum = vec![0.0f64; self.classes];
            for row in item.chunks_exact(self.classes).take(k) {
                sum.iter_mut().zip(row).for_each(|(s, v)| *s += f64::from(*v));
            }
            let best = sum.iter().enumerate().fold((0, f64::NEG_INFINITY), |b, (i, &v)| if v > b.1 { (i, v) } else { b }).0;
            best == label
        };
        self.logits.chunks_exact(each.max(1)).zip(&self.labels).map(one).collect()
    }

    /// Accuracy in per cent when only the first `k` steps are read.
    pub fn accuracy(&self, k: usize) -> f64 {
        let right = self.right(k);
        100.0 * right.iter().filter(|r| **r).count() as f64 / right.len().max(1) as f64
    }

    /// Mean of [`Self::accuracy`] over `k`.
    pub fn mean_accuracy(&self, k: std::ops::RangeInclusive<usize>) -> f64 {
        let all: Vec<f64> = k.map(|k| self.accuracy(k)).collect();
        super::mean(&all)
    }

    /// The loss of SDT over all steps.
    ///
    /// # Errors
    /// As [`loss::sdt`].
    pub fn sdt_loss(&self) -> Result<f64> {
        let mut by_step = vec![0.0; self.logits.len()];
        let batch = self.labels.len();
        for (row, logits) in self.logits.chunks_exact(self.classes).enumerate() {
            let (item, step) = (row / self.steps, row % self.steps);
            let to = &mut by_step[(step * batch + item) * self.classes..][..self.classes];
            to.iter_mut().zip(logits).for_each(|(t, v)| *t = f64::from(*v));
        }
        Ok(loss::sdt(&by_step, &self.labels, Sizes { steps: self.steps, batch, classes: self.classes })?.value)
    }

    /// Share of logits, in per cent, that are further than `distance` from `phi`.
    pub fn far(&self, phi: f64, distance: f64) -> f64 {
        let far = self.logits.iter().filter(|&&v| (f64::from(v) - phi).abs() > distance).count();
        100.0 * far as f64 / self.logits.len().max(1) as f64
    }

    /// SHA-256 of the logits, little-endian.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        self.logits.iter().for_each(|v| hash.update(v.to_le_bytes()));
        hex::encode(hash.finalize())
    }

    /// The curve for the record.
    pub(crate) fn summary(&self) -> Value {
        let curve: Vec<f64> = (1..=self.steps).map(|k| self.accuracy(k)).collect();
        json!({"accuracy_by_steps": curve, "sdt_loss": self.sdt_loss().ok(), "logits_sha256": self.hash()})
    }
}

#[cfg(test)]
mod tests {
    use super::Scored;

    #[test]
    fn early_readout_by_hand() {
        // Item 0: wrong at step 1, right from step 2 on. Item 1: right at once.
        let scored = Scored { logits: vec![1.0, 0.0, 0.0, 3.0, 0.0, 2.0, 0.0, 0.5], labels: vec![1, 1], steps: 2, classes: 2 };
        assert_eq!((scored.accuracy(1), scored.accuracy(2)), (50.0, 100.0));
        assert_eq!(scored.mean_accuracy(1..=2), 75.0);
        assert_eq!(scored.far(0.0, 1.5), 25.0);
        // Means: (0.5, 1.5) and (0, 1.25).
        let expected = ((1.0 + (-1.0f64).exp()).ln() + (1.0 + (-1.25f64).exp()).ln()) / 2.0;
        assert!((scored.sdt_loss().unwrap() - expected).abs() < 1e-12);
    }
}
