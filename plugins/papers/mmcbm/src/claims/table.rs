//! The head alone on real clinical tables (specification section 8, part B).

use crate::config::HeadConfig;
use crate::head::{Adam, Head, Scores};
use crate::metrics::{accuracy, greatest, mean, softmax};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;
use serde::Serialize;
use serde_json::json;
use zoo_core::{ClaimOutcome, Dataset, Error, Result};

const FOLDS: usize = 5;
const HIDDEN: usize = 16;
const EPOCHS: usize = 100;
const BATCH: usize = 32;
const RATE: f64 = 1e-3;

/// Accuracies by fold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TableResult {
    /// Of the bottleneck's head.
    pub bottleneck: Vec<f64>,
    /// Of the black box.
    pub mlp: Vec<f64>,
}

/// A network with one hidden layer and rectifiers, for two classes or more.
pub struct Mlp {
    inputs: usize,
    classes: usize,
    weights: Vec<f64>,
}

impl Mlp {
    fn hidden(&self, x: &[f64]) -> Vec<f64> {
        let rows = self.weights.chunks_exact(self.inputs + 1).take(HIDDEN);
        rows.map(|w| (w[..self.inputs].iter().zip(x).map(|(w, x)| w * x).sum::<f64>() + w[self.inputs]).max(0.0)).collect()
    }

    fn logits(&self, hidden: &[f64]) -> Vec<f64> {
        let rows = self.weights[HIDDEN * (self.inputs + 1)..].chunks_exact(HIDDEN + 1);
        rows.map(|w| w[..HIDDEN].iter().zip(hidden).map(|(w, h)| w * h).sum::<f64>() + w[HIDDEN]).collect()
    }

    /// Trains by Adam on cross-entropy.
    pub fn train(items: &[Vec<f64>], labels: &[usize], classes: usize, seed: u64) -> Self {
        let inputs = items.first().map_or(0, Vec::len);
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let mut draw = |count: usize, fan: usize| -> Vec<f64> {
            let bound = 1.0 / (fan as f64).sqrt();
            (0..count).map(|_| rng.random_range(-bound..bound)).collect()
        };
        let weights = [draw(HIDDEN * (inputs + 1), inputs.max(1)), draw(classes * (HIDDEN + 1), HIDDEN)].concat();
        let mut net = Self { inputs, classes, weights };
        let mut adam = Adam::new(net.weights.len(), RATE);
        let mut order: Vec<usize> = (0..items.len()).collect();
        for _ in 0..EPOCHS {
            order.shuffle(&mut rng);
            for batch in order.chunks(BATCH) {
                let mut gradient = vec![0.0; net.weights.len()];
                for &i in batch {
                    net.add_gradient(&items[i], labels[i], 1.0 / batch.len() as f64, &mut gradient);
                }
                adam.step(&mut net.weights, &gradient);
            }
        }
        net
    }

    fn add_gradient(&self, x: &[f64], label: usize, share: f64, gradient: &mut [f64]) {
        let hidden = self.hidden(x);
        let p = softmax(&self.logits(&hidden));
        let (first, second) = gradient.split_at_mut(HIDDEN * (self.inputs + 1));
        let mut back = [0.0; HIDDEN];
        for k in 0..self.classes {
            let error = share * (p[k] - f64::from(u8::from(k == label)));
            let at = k * (HIDDEN + 1);
            let weights = &self.weights[HIDDEN * (self.inputs + 1) + at..][..HIDDEN];
            for h in 0..HIDDEN {
                second[at + h] += error * hidden[h];
                back[h] += error * weights[h];
            }
            second[at + HIDDEN] += error;
        }
        for (h, row) in first.chunks_exact_mut(self.inputs + 1).enumerate() {
            if hidden[h] > 0.0 {
                row.iter_mut().zip(x).for_each(|(g, x)| *g += back[h] * x);
                row[self.inputs] += back[h];
            }
        }
    }

    /// The answer for an item.
    pub fn answer(&self, x: &[f64]) -> usize {
        greatest(&self.logits(&self.hidden(x)))
    }
}

/// Trains head and black box on four fifths and counts on the fifth, five times; folds are drawn from `seed`. Columns are
/// standardised by the training part; the head has each with both signs, since its weights are positive.
///
/// # Errors
/// As [`Head::train`].
pub fn cross_validate(items: &[Vec<f64>], labels: &[usize], config: &HeadConfig, seed: u64) -> Result<TableResult> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.shuffle(&mut ChaCha12Rng::seed_from_u64(seed));
    let classes = labels.iter().max().map_or(0, |m| m + 1);
    let mut result = TableResult { bottleneck: Vec::new(), mlp: Vec::new() };
    for fold in 0..FOLDS {
        let (train, test): (Vec<_>, Vec<_>) = order.iter().enumerate().partition(|(place, _)| place % FOLDS != fold);
        let (train, test): (Vec<usize>, Vec<usize>) =
            (train.into_iter().map(|(_, &i)| i).collect(), test.into_iter().map(|(_, &i)| i).collect());
        let columns = items.first().map_or(0, Vec::len);
        let moments: Vec<(f64, f64)> = (0..columns)
            .map(|c| {
                let values: Vec<f64> = train.iter().map(|&i| items[i][c]).collect();
                let middle = mean(&values);
                (middle, mean(&values.iter().map(|v| (v - middle).powi(2)).collect::<Vec<_>>()).sqrt().max(1e-12))
            })
            .collect();
        let standard = |i: &usize| -> Vec<f64> { items[*i].iter().zip(&moments).map(|(v, (m, s))| (v - m) / s).collect() };
        let rows = |of: &[usize]| of.iter().map(standard).collect::<Vec<_>>();
        let signed = |rows: &[Vec<f64>]| -> Vec<Scores> {
            rows.iter().map(|r| r.iter().map(|v| Some(*v)).chain(r.iter().map(|v| Some(-v))).collect()).collect()
        };
        let of = |of: &[usize]| of.iter().map(|&i| labels[i]).collect::<Vec<_>>();
        let (train_rows, test_rows) = (rows(&train), rows(&test));
        let head = Head::train(&signed(&train_rows), &of(&train), classes, config, seed)?;
        let answers: Vec<usize> = signed(&test_rows).iter().map(|s| greatest(&head.logits(s))).collect();
        result.bottleneck.push(accuracy(&of(&test), &answers));
        let net = Mlp::train(&train_rows, &of(&train), classes, seed);
        let answers: Vec<usize> = test_rows.iter().map(|r| net.answer(r)).collect();
        result.mlp.push(accuracy(&of(&test), &answers));
    }
    Ok(result)
}

/// Bar 6, over three draws of the folds.
pub(super) fn bar(data: &dyn Dataset, config: &HeadConfig) -> Result<ClaimOutcome> {
    let (mut items, mut labels) = (Vec::new(), Vec::new());
    for index in 0..data.len() {
        let item = data.get(index)?;
        let [features, label] = item.as_slice() else { return Err(Error::shape("fields of a row", "features, label", item.len())) };
        items.push(features.to_f32().into_iter().map(f64::from).collect::<Vec<f64>>());
        labels.push(label.to_f32().first().map_or(0, |v| *v as usize));
    }
    let results = (0..3).map(|seed| cross_validate(&items, &labels, config, seed)).collect::<Result<Vec<_>>>()?;
    let of = |f: &dyn Fn(&TableResult) -> &Vec<f64>| mean(&results.iter().flat_map(|r| f(r).clone()).collect::<Vec<_>>());
    let gap = of(&|r| &r.bottleneck) - of(&|r| &r.mlp);
    let detail = json!({"rows": items.len(), "bottleneck": of(&|r| &r.bottleneck), "mlp": of(&|r| &r.mlp), "by_draw_and_fold": results});
    Ok(ClaimOutcome { id: "bar-6".into(), measured: gap, holds: gap >= -0.02, detail })
}
