//! Joining the results of shards exactly.

use super::{Measured, Results, Run};
use zoo_core::Metric;

/// Why shards could not be joined.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// Two files describe different runs.
    #[error("shards of {model} on {backend} do not fit together: {field} is {found} here and {expected} in the first shard")]
    Differs {
        /// Model.
        model: String,
        /// Backend.
        backend: String,
        /// The field that differs.
        field: &'static str,
        /// Value in the first shard.
        expected: String,
        /// Value in this shard.
        found: String,
    },
    /// Shards are absent or given twice.
    #[error("{model} on {backend}: expected each of shards 1..={of} once, found {found:?}")]
    Incomplete {
        /// Model.
        model: String,
        /// Backend.
        backend: String,
        /// Number of shards the run was split into.
        of: usize,
        /// Shards that were given.
        found: Vec<usize>,
    },
    /// A metric can't be joined.
    #[error("{model}: metric `{metric}` can't be merged: {why}")]
    Metric {
        /// Model.
        model: String,
        /// Metric.
        metric: String,
        /// Why.
        why: String,
    },
}

/// Joins shards: runs of the same model and backend become one. `fresh` gives the model's metrics by its registered name.
///
/// # Errors
/// [`MergeError`] if shards are missing, differ in anything but their part of the data, or carry no exact state.
pub fn merge(parts: Vec<Results>, fresh: impl Fn(&str) -> Vec<Box<dyn Metric>>) -> Result<Results, MergeError> {
    let mut groups: Vec<Vec<Run>> = Vec::new();
    for run in parts.into_iter().flat_map(|part| part.runs) {
        match groups.iter_mut().find(|g| g[0].model == run.model && g[0].backend == run.backend && g[0].seed == run.seed) {
            Some(group) => group.push(run),
            None => groups.push(vec![run]),
        }
    }
    Ok(Results::new(groups.into_iter().map(|group| join(group, &fresh)).collect::<Result<_, _>>()?))
}

fn join(mut shards: Vec<Run>, fresh: &impl Fn(&str) -> Vec<Box<dyn Metric>>) -> Result<Run, MergeError> {
    shards.sort_by_key(|run| run.shard.map_or(0, |s| s.index));
    let of = shards[0].shard.map_or(1, |s| s.of);
    let found: Vec<_> = shards.iter().map(|run| run.shard.map_or(1, |s| s.index)).collect();
    if found != (1..=of).collect::<Vec<_>>() {
        return Err(MergeError::Incomplete { model: shards[0].model.clone(), backend: shards[0].backend.clone(), of, found });
    }
    for run in &shards[1..] {
        same(&shards[0], run)?;
    }
    let mut metrics = fresh(&shards[0].model);
    for metric in &mut metrics {
        for run in &shards {
            let fail = |why: String| MergeError::Metric { model: run.model.clone(), metric: metric.name().into(), why };
            let state = run.metrics.get(metric.name()).and_then(|m| m.state.as_ref());
            let state = state.cloned().ok_or_else(|| fail("a shard carries no exact state of it".into()))?;
            metric.merge(&state).map_err(|e| MergeError::Metric {
                model: run.model.clone(),
                metric: metric.name().into(),
                why: e.to_string(),
            })?;
        }
    }
    let n: u64 = shards.iter().map(|run| run.n).sum();
    let mut joined = shards[0].clone();
    joined.shard = None;
    joined.n = n;
    joined.metrics =
        metrics.iter().filter_map(|m| Some((m.name().into(), Measured { estimate: m.estimate()?, state: Some(m.state()) }))).collect();
    joined.timing.latency_ms = None;
    joined.timing.fetch_s = shards.iter().map(|run| run.timing.fetch_s).sum();
    joined.timing.compile_s = shards.iter().map(|run| run.timing.compile_s).sum();
    joined.timing.eval_s = shards.iter().map(|run| run.timing.eval_s).sum();
    #[allow(clippy::cast_precision_loss, reason = "a count of items")]
    let items = n as f64;
    joined.timing.items_per_s = (joined.timing.eval_s > 0.0).then(|| items / joined.timing.eval_s);
    joined.spikes = weighted_spikes(&shards, n);
    Ok(joined)
}

#[allow(clippy::cast_precision_loss, reason = "a count of items")]
fn weighted_spikes(shards: &[Run], n: u64) -> Option<super::Spikes> {
    let total = |f: fn(&super::Spikes) -> f64| {
        shards.iter().map(|run| run.spikes.as_ref().map(|s| f(s) * run.n as f64)).sum::<Option<f64>>().map(|sum| sum / n as f64)
    };
    Some(super::Spikes { synops: total(|s| s.synops)?, spikes_per_item: total(|s| s.spikes_per_item)? })
}

fn same(first: &Run, other: &Run) -> Result<(), MergeError> {
    let differs = |field, expected: &dyn std::fmt::Debug, found: &dyn std::fmt::Debug| MergeError::Differs {
        model: first.model.clone(),
        backend: first.backend.clone(),
        field,
        expected: format!("{expected:?}"),
        found: format!("{found:?}"),
    };
    macro_rules! fields {
        ($($field:ident),*) => {
            $(if first.$field != other.$field {
                return Err(differs(stringify!($field), &first.$field, &other.$field));
            })*
        };
    }
    fields!(dataset, split, device, artifact, weights_sha256);
    if first.shard.map(|s| s.of) != other.shard.map(|s| s.of) {
        return Err(differs("shard", &first.shard, &other.shard));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{metrics, run};
    use super::super::{Results, Shard};
    use super::*;

    fn shard(correct: u64, index: usize) -> Results {
        let mut run = run("m", correct);
        run.shard = Some(Shard { index, of: 2 });
        Results::new(vec![run])
    }

    #[test]
    fn two_shards_equal_one_run() {
        let joined = merge(vec![shard(3, 2), shard(9, 1)], |_| metrics()).unwrap();
        let run = &joined.runs[0];
        assert_eq!((run.n, run.shard), (20, None));
        assert_eq!(run.metrics["accuracy"].state, Some(serde_json::json!([12, 20])));
        assert!((run.metrics["accuracy"].estimate.value - 60.0).abs() < 1e-12);
    }

    #[test]
    fn missing_repeated_and_foreign_shards_are_refused() {
        let text = |parts| merge(parts, |_| metrics()).unwrap_err().to_string();
        assert!(text(vec![shard(3, 1)]).contains("each of shards 1..=2 once, found [1]"));
        assert!(text(vec![shard(3, 1), shard(3, 1)]).contains("found [1, 1]"));
        let mut other = shard(3, 2);
        other.runs[0].artifact.sha256 = "other".into();
        assert!(text(vec![shard(3, 1), other]).contains("artifact"));
        let mut stateless = shard(3, 2);
        stateless.runs[0].metrics.get_mut("accuracy").unwrap().state = None;
        assert!(text(vec![shard(3, 1), stateless]).contains("no exact state"));
    }
}
