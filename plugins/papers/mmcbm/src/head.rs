//! The bottleneck classifier (specification section 5) and test-time intervention (section 6).

use crate::config::HeadConfig;
use crate::metrics::softmax;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha12Rng;
use zoo_core::{Error, Result};

/// Least weight that an edited contribution is divided by.
pub const LEAST_WEIGHT: f64 = 1e-4;

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Concept scores of a patient; `None` where the modality group is absent.
pub type Scores = Vec<Option<f64>>;

/// `[classes, concepts]` free weights; the sigmoid of one is a concept's weight for a class, so it can only vote for
/// classes in proportion.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Free weights, row-major.
    pub free: Vec<f64>,
    /// Classes.
    pub classes: usize,
    /// Concepts.
    pub concepts: usize,
}

/// What an edit did.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// The concept's score afterwards.
    pub score: f64,
    /// Whether the weight was too small to divide by and was raised to [`LEAST_WEIGHT`].
    pub clamped: bool,
}

impl Head {
    /// All weights one half.
    pub fn new(classes: usize, concepts: usize) -> Self {
        Self { free: vec![0.0; classes * concepts], classes, concepts }
    }

    /// Weight of a concept for a class.
    pub fn weight(&self, class: usize, concept: usize) -> f64 {
        sigmoid(self.free[class * self.concepts + concept])
    }

    /// Contributions `[classes][concepts]`; absent concepts contribute nothing.
    pub fn attention(&self, scores: &[Option<f64>]) -> Vec<Vec<f64>> {
        (0..self.classes).map(|k| scores.iter().enumerate().map(|(c, s)| self.weight(k, c) * s.unwrap_or(0.0)).collect()).collect()
    }

    /// Logits: sums of the contributions.
    pub fn logits(&self, scores: &[Option<f64>]) -> Vec<f64> {
        self.attention(scores).iter().map(|row| row.iter().sum()).collect()
    }

    /// Cross-entropy by Adam over shuffled batches, from all weights one half.
    ///
    /// # Errors
    /// [`Error::Argument`] for labels or scores that do not fit.
    pub fn train(scores: &[Scores], labels: &[usize], classes: usize, config: &HeadConfig, seed: u64) -> Result<Self> {
        let concepts = scores.first().map_or(0, Vec::len);
        if scores.len() != labels.len() || scores.iter().any(|s| s.len() != concepts) || labels.iter().any(|&l| l >= classes) {
            let found = format!("{} patients, {} labels", scores.len(), labels.len());
            return Err(Error::argument("scores and labels", format!("{concepts} scores and one of {classes} classes each"), found));
        }
        let mut head = Self::new(classes, concepts);
        let mut adam = Adam::new(head.free.len(), config.lr);
        let mut order: Vec<usize> = (0..scores.len()).collect();
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        for _ in 0..config.epochs {
            order.shuffle(&mut rng);
            for batch in order.chunks(config.batch) {
                let mut gradient = vec![0.0; head.free.len()];
                for &i in batch {
                    let p = softmax(&head.logits(&scores[i]));
                    for k in 0..classes {
                        let error = (p[k] - f64::from(u8::from(labels[i] == k))) / batch.len() as f64;
                        for (c, s) in scores[i].iter().enumerate() {
                            let w = head.weight(k, c);
                            gradient[k * concepts + c] += error * s.unwrap_or(0.0) * w * (1.0 - w);
                        }
                    }
                }
                adam.step(&mut head.free, &gradient);
            }
        }
        Ok(head)
    }

    /// The score that gives a concept the contribution `wanted` for a class.
    ///
    /// # Errors
    /// [`Error::Argument`] for a class or concept there is not, or a value that is not finite.
    pub fn score_for(&self, class: usize, concept: usize, wanted: f64) -> Result<Edit> {
        if class >= self.classes || concept >= self.concepts || !wanted.is_finite() {
            let expected = format!("a class below {}, a concept below {} and a finite value", self.classes, self.concepts);
            return Err(Error::argument("edited contribution", expected, format!("class {class}, concept {concept}, {wanted}")));
        }
        let weight = self.weight(class, concept);
        Ok(Edit { score: wanted / weight.max(LEAST_WEIGHT), clamped: weight < LEAST_WEIGHT })
    }
}

/// Adam with its usual constants.
pub(crate) struct Adam {
    lr: f64,
    first: Vec<f64>,
    second: Vec<f64>,
    steps: i32,
}

impl Adam {
    pub(crate) fn new(count: usize, lr: f64) -> Self {
        Self { lr, first: vec![0.0; count], second: vec![0.0; count], steps: 0 }
    }

    pub(crate) fn step(&mut self, values: &mut [f64], gradient: &[f64]) {
        self.steps += 1;
        let (one, two) = (1.0 - 0.9f64.powi(self.steps), 1.0 - 0.999f64.powi(self.steps));
        for (((v, g), m), s) in values.iter_mut().zip(gradient).zip(&mut self.first).zip(&mut self.second) {
            *m = 0.9 * *m + 0.1 * g;
            *s = 0.999 * *s + 0.001 * g * g;
            *v -= self.lr * (*m / one) / ((*s / two).sqrt() + 1e-8);
        }
    }
}
