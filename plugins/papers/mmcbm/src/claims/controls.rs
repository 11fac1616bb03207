//! What the bottleneck is compared with, on the same frozen features.

use super::{Run, Study};
use crate::bank::{Bank, Features};
use crate::concepts::{CONCEPTS, COUNT};
use crate::evaluate::concept_auroc;
use crate::head::{Adam, Head, Scores};
use crate::metrics::{greatest, macro_f1, mean, softmax};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha12Rng;
use zoo_core::Result;

/// Passes of the linear probe.
const PROBE_EPOCHS: usize = 300;
const PROBE_RATE: f64 = 1e-2;

/// Macro F1 on the test patients of a head trained on scores.
fn head_f1(study: &Study, train: &[Scores], test: &[Scores], seed: u64) -> Result<f64> {
    let classes = study.paper.network.classes;
    let head = Head::train(train, &Study::labels(&study.train), classes, &study.paper.head, seed)?;
    let answers: Vec<usize> = test.iter().map(|s| greatest(&head.logits(s))).collect();
    Ok(macro_f1(&Study::labels(&study.test), &answers, classes))
}

fn scores(bank: &Bank, features: &[Features]) -> Vec<Scores> {
    features.iter().map(|f| bank.scores(f)).collect()
}

/// c1: random vectors in place of concept vectors.
pub(super) fn random_vectors(study: &Study, run: &Run) -> Result<f64> {
    let bank = Bank::random(study.paper.network.features(), run.seed);
    head_f1(study, &scores(&bank, &run.train), &scores(&bank, &run.test), run.seed)
}

/// c2: concept vectors from labels of other patients; mean area under the curve of the concepts, and F1.
pub(super) fn shuffled_labels(study: &Study, run: &Run) -> Result<(f64, f64)> {
    let mut order: Vec<usize> = (0..study.train.len()).collect();
    order.shuffle(&mut ChaCha12Rng::seed_from_u64(run.seed ^ 0x5eed));
    let stated: Vec<_> = order.iter().map(|&i| study.train[i].stated).collect();
    let bank = Bank::by_labels(&stated, &run.train, &study.paper.bank, run.seed)?;
    let (train, test) = (scores(&bank, &run.train), scores(&bank, &run.test));
    Ok((mean(&concept_auroc(&study.test, &test)), head_f1(study, &train, &test, run.seed)?))
}

/// c4: the bottleneck on one modality's images and concepts alone; F1 of each modality.
pub(super) fn single_modalities(study: &Study, run: &Run) -> Result<Vec<f64>> {
    let only = |m: usize, features: &[Features]| -> Vec<Scores> {
        let one = |f: &Features| {
            let alone: Features = std::array::from_fn(|other| if other == m { f[m].clone() } else { Vec::new() });
            let all = run.bank.scores(&alone);
            (0..COUNT).map(|c| if CONCEPTS[c].1 == m { all[c] } else { None }).collect()
        };
        features.iter().map(one).collect()
    };
    (0..3).map(|m| head_f1(study, &only(m, &run.train), &only(m, &run.test), run.seed)).collect()
}

/// c3: a linear classifier on the mean features of each modality, zeros where it is absent.
pub(super) fn linear_probe(study: &Study, run: &Run) -> f64 {
    let classes = study.paper.network.classes;
    let row = |f: &Features| -> Vec<f64> {
        let size = study.paper.network.features();
        let part = |images: &Vec<Vec<f32>>| -> Vec<f64> {
            (0..size)
                .map(|i| if images.is_empty() { 0.0 } else { mean(&images.iter().map(|v| f64::from(v[i])).collect::<Vec<_>>()) })
                .collect()
        };
        f.iter().flat_map(part).chain([1.0]).collect()
    };
    let train: Vec<Vec<f64>> = run.train.iter().map(row).collect();
    let labels = Study::labels(&study.train);
    let width = train.first().map_or(0, Vec::len);
    let mut weights = vec![0.0; classes * width];
    let mut adam = Adam::new(weights.len(), PROBE_RATE);
    let logits = |weights: &[f64], x: &[f64]| -> Vec<f64> {
        weights.chunks_exact(width).map(|w| w.iter().zip(x).map(|(w, x)| w * x).sum()).collect()
    };
    for _ in 0..PROBE_EPOCHS {
        let mut gradient = vec![0.0; weights.len()];
        for (x, &label) in train.iter().zip(&labels) {
            let p = softmax(&logits(&weights, x));
            for (k, part) in gradient.chunks_exact_mut(width).enumerate() {
                let error = (p[k] - f64::from(u8::from(k == label))) / train.len() as f64;
                part.iter_mut().zip(x).for_each(|(g, x)| *g += error * x);
            }
        }
        adam.step(&mut weights, &gradient);
    }
    let answers: Vec<usize> = run.test.iter().map(|f| greatest(&logits(&weights, &row(f)))).collect();
    macro_f1(&Study::labels(&study.test), &answers, classes)
}
