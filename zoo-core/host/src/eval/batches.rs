//! The default evaluation loop: batches in, metrics out.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;
use zoo_core::{Batch, Dataset, Metric, Model, Reporter, Result, Session, TensorSpec};

/// What the loop measured beside the metrics themselves.
#[derive(Clone, Debug, Default)]
pub struct LoopOutcome {
    /// Items seen.
    pub items: u64,
    /// Seconds from the first read to the last metric update.
    pub seconds: f64,
    /// Seconds each prediction took, in order.
    pub latencies: Vec<f64>,
}

impl LoopOutcome {
    /// The latency below which fraction `q` of the predictions stayed, in milliseconds; `None` before any prediction.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a rank among predictions")]
    pub fn latency_ms(&self, q: f64) -> Option<f64> {
        let mut sorted = self.latencies.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = ((sorted.len() as f64 * q).ceil() as usize).clamp(1, sorted.len().max(1));
        sorted.get(rank - 1).map(|s| s * 1e3)
    }
}

/// Evaluates items `range` in batches of `batch`, one after the other: memory stays at one batch, its inputs and outputs.
///
/// # Errors
/// Whatever reading, predicting and the metrics find; [`zoo_core::Error::Cancelled`] when the user stops.
pub fn evaluate_batches(
    model: &dyn Model,
    session: &mut dyn Session,
    dataset: &dyn Dataset,
    range: Range<usize>,
    batch: usize,
    metrics: &mut [Box<dyn Metric>],
    reporter: &dyn Reporter,
) -> Result<LoopOutcome> {
    let features: Arc<[TensorSpec]> = dataset.info().features.clone().into();
    let total = range.len() as u64;
    let mut outcome = LoopOutcome { latencies: Vec::with_capacity(range.len().div_ceil(batch.max(1))), ..LoopOutcome::default() };
    let started = Instant::now();
    let mut at = range.start;
    while at < range.end {
        reporter.check()?;
        let end = (at + batch.max(1)).min(range.end);
        let items = Batch::read(dataset, &features, at..end)?;
        let before = Instant::now();
        let prediction = model.predict(session, &items)?;
        outcome.latencies.push(before.elapsed().as_secs_f64());
        for metric in metrics.iter_mut() {
            metric.update(&prediction, &items)?;
        }
        outcome.items += items.len() as u64;
        at = end;
        reporter.progress("evaluate", outcome.items, Some(total), "items");
    }
    outcome.seconds = started.elapsed().as_secs_f64();
    Ok(outcome)
}

/// The part of `0..len` that shard `index` of `of` (1-based) evaluates: contiguous, in order, sizes differ by at most one.
pub fn shard_range(len: usize, index: usize, of: usize) -> Range<usize> {
    let bound = |i: usize| i * (len / of) + (i * (len % of)) / of;
    bound(index - 1)..bound(index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn shards_cover_everything_once(len in 0usize..10_000, of in 1usize..40) {
            let mut next = 0;
            for index in 1..=of {
                let range = shard_range(len, index, of);
                prop_assert_eq!(range.start, next);
                prop_assert!(range.len().abs_diff(len / of) <= 1);
                next = range.end;
            }
            prop_assert_eq!(next, len);
        }
    }

    #[test]
    fn percentiles_are_ranks() {
        let outcome = LoopOutcome { latencies: (1..=20).rev().map(|i| f64::from(i) / 1e3).collect(), ..LoopOutcome::default() };
        assert_eq!(outcome.latency_ms(0.5), Some(10.0));
        assert_eq!(outcome.latency_ms(0.95), Some(19.0));
        assert_eq!(LoopOutcome::default().latency_ms(0.5), None);
    }
}
