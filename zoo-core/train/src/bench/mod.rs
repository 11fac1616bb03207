//! Training steps timed beside PyTorch, in one interleaved run.
//!
//! Both sides do the same step (forward, loss, backward, SGD with momentum) on the same shapes with the same number of
//! threads, in turns of a few steps, so that whatever else the machine does falls on both. The peer is
//! `bench/peer.py` of this crate, run by a Python that has PyTorch.

mod models;
mod peer;

use models::{Net, UNet, VggSnn};
use peer::Peer;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;
use zoo_core::{Error, Reporter, Result};

/// How long to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Turns each side takes.
    pub rounds: usize,
    /// Steps a turn; the first of each turn is not counted.
    pub steps: usize,
    /// Threads each side uses.
    pub threads: usize,
}

impl Default for Effort {
    fn default() -> Self {
        Self { rounds: 6, steps: 4, threads: 2 }
    }
}

/// Rows of `zoo.bench/1`: images per second of the cases `vgg-snn` and `unet`, ours and, if `python` is given,
/// PyTorch's. The value is that of the median step.
///
/// # Errors
/// [`Error::Unavailable`] if the Python or its PyTorch can't be used; whatever the engine finds;
/// [`Error::Cancelled`].
pub fn bench_train(python: Option<&Path>, effort: Effort, reporter: &dyn Reporter) -> Result<Vec<Value>> {
    if effort.rounds == 0 || effort.steps < 2 || effort.threads == 0 {
        let found = format!("{}, {} and {}", effort.rounds, effort.steps, effort.threads);
        return Err(Error::argument("rounds, steps and threads", "at least 1, 2 and 1", found));
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(effort.threads).build();
    let pool =
        pool.map_err(|error| Error::Runtime { backend: "rayon".into(), stage: "starting threads".into(), message: error.to_string() })?;
    let mut peer = python.map(|python| Peer::start(python, effort.threads)).transpose()?;
    let mut rows = Vec::new();
    let mut nets: [(&str, Box<dyn Net + Send>); 2] = [("vgg-snn", Box::new(VggSnn::new()?)), ("unet", Box::new(UNet::new()?))];
    for (case, net) in &mut nets {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..effort.rounds {
            reporter.check()?;
            reporter.progress(&format!("timing {case}"), round as u64, Some(effort.rounds as u64), "rounds");
            for step in 0..effort.steps {
                let start = Instant::now();
                pool.install(|| net.step())?;
                if step > 0 {
                    ours.push(start.elapsed().as_secs_f64());
                }
            }
            if let Some(peer) = &mut peer {
                theirs.extend(peer.time(case, effort.steps)?.into_iter().skip(1));
            }
        }
        rows.push(row(case, net.images(), ours, theirs));
    }
    Ok(rows)
}

fn row(case: &str, images: usize, ours: Vec<f64>, theirs: Vec<f64>) -> Value {
    #[allow(clippy::cast_precision_loss, reason = "a batch size")]
    let rate = |times: Vec<f64>| median(times).map(|time| images as f64 / time);
    let mut row = json!({"bench": "train", "case": case, "unit": "images/s", "better": "higher"});
    let (ours, theirs) = (rate(ours), rate(theirs));
    if let Some(ours) = ours {
        row["ours"] = json!(ours);
    }
    if let (Some(ours), Some(theirs)) = (ours, theirs) {
        row["peer"] = json!("pytorch");
        row["peer_value"] = json!(theirs);
        row["ratio"] = json!(ours / theirs);
    }
    row
}

fn median(mut times: Vec<f64>) -> Option<f64> {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use zoo_core::Silent;

    #[test]
    fn rows_follow_the_schema() {
        let row = row("unet", 4, vec![0.4, 0.1, 0.2], vec![0.8, 0.4, 0.1]);
        assert_eq!(row["ours"], 20.0);
        assert_eq!(row["peer_value"], 10.0);
        assert_eq!(row["ratio"], 2.0);
        assert!(super::row("unet", 4, vec![0.1], Vec::new()).get("peer").is_none());
    }

    #[test]
    fn the_steps_run_and_learn() {
        for net in [&mut VggSnn::new().unwrap() as &mut dyn Net, &mut UNet::new().unwrap()] {
            let first = net.step().unwrap();
            let last = (0..3).map(|_| net.step().unwrap()).last().unwrap();
            assert!(last < first, "{first} {last}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(bench_train(None, Effort { steps: 1, ..Effort::default() }, &Silent).is_err());
        let missing = bench_train(Some(Path::new("no-such-python")), Effort::default(), &Silent);
        assert!(matches!(missing, Err(Error::Unavailable { .. })));
    }
}
