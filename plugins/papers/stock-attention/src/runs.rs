//! What training and claims share: labels, and the answers of heads.

use crate::config::{PaperConfig, Target};
use crate::head::{Head, PRICE_DAYS, PRICE_FEATURES};
use crate::stats::Call;
use crate::study::{Corpus, Part, View, plant};
use rayon::prelude::*;
use std::borrow::Cow;
use zoo_core::{Config, Result};

/// Seed of the planted rule's noise: the rule is one and the same for all seeds of training.
const PLANTED_SEED: u64 = 2112;

/// A label for every sample: 1, 0, or -1 for none.
///
/// # Errors
/// As [`plant`].
pub fn labels(corpus: &Corpus, paper: &PaperConfig) -> Result<Vec<i8>> {
    match paper.target {
        Target::Movement => Ok(corpus.samples.iter().map(|s| s.label).collect()),
        Target::Planted => Ok(plant(corpus, paper.days()?[0], PLANTED_SEED)?.labels),
    }
}

/// What the control of bar A2 finds among its features, in scaled units.
pub(crate) fn leak(label: i8) -> f32 {
    if label == 1 { 2.0 } else { -2.0 }
}

/// Logits of samples. An arm with a leak finds the label where the last day's change of volume was.
///
/// # Errors
/// Whatever gathering and running find.
pub fn logits(head: &Head, corpus: &Corpus, items: &[usize], labels: &[i8]) -> Result<Vec<f32>> {
    let one = |&item: &usize| {
        let sample = &corpus.samples[item];
        let (embeddings, credibility) = corpus.gather(sample, head.arm().text)?;
        let mut price = Cow::Borrowed(sample.price.as_slice());
        if head.arm().leak {
            let last = PRICE_FEATURES - 1;
            price.to_mut()[PRICE_DAYS * PRICE_FEATURES - 1] =
                leak(labels[item]) * head.scaler.price_std[last] + head.scaler.price_mean[last];
        }
        head.logit(&View { price: &price, slots: &sample.slots, embeddings: &embeddings, credibility: &credibility })
    };
    items.par_iter().map(one).collect()
}

/// Calls of a head on the labelled samples of a part.
///
/// # Errors
/// As [`logits`].
pub fn calls(head: &Head, corpus: &Corpus, labels: &[i8], days: [i64; 3], part: Part) -> Result<Vec<Call>> {
    let items: Vec<usize> = corpus.part(days, part, |_| true).into_iter().filter(|&i| labels[i] >= 0).collect();
    let logits = logits(head, corpus, &items, labels)?;
    let call = |(&i, logit): (&usize, f32)| {
        let s = &corpus.samples[i];
        Call { day: s.day, stock: s.stock, logit, up: labels[i] == 1 }
    };
    Ok(items.iter().zip(logits).map(call).collect())
}

/// SHA-256 of what decides a training: everything but the counted runs and the budget.
pub fn config_hash(paper: &PaperConfig) -> String {
    let mut trained = paper.clone();
    (trained.claims, trained.budget) = (None, None);
    zoo_formats::digest::config_sha256(&Config::new(serde_json::json!(trained)))
}
