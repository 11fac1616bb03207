//! The event executor beside PyTorch simulators, and the goals it was given.

use crate::row::{Better, Row};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use zoo_backend_events::bench;
use zoo_core::Result;

/// A goal and what was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Goal {
    /// What it asks for.
    pub goal: String,
    /// The bar.
    pub bar: f64,
    /// The value; absent if its case did not run.
    pub measured: Option<f64>,
    /// Whether the bar was reached.
    pub met: bool,
}

/// What [`executor`] gives.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExecutorReport {
    /// Comparisons.
    pub rows: Vec<Row>,
    /// Goals.
    pub goals: Vec<Goal>,
    /// Milliseconds of a sample apart from its SynOps, nanoseconds a SynOp, and the greatest relative error of that line.
    pub fit: Option<[f64; 3]>,
    /// Versions of the peers.
    pub versions: BTreeMap<String, String>,
}

/// The peers whose better one counts.
const PEERS: [&str; 2] = ["sinabs", "spikingjelly"];

/// Case, peers of which the best counts, and bar of the ratio.
const BARS: [(&str, &[&str], f64); 11] = [
    ("b1-1%", &PEERS, 20.0),
    ("b1-5%", &PEERS, 8.0),
    ("b1-nmnist", &PEERS, 8.0),
    ("b64-5%", &PEERS, 4.0),
    ("b64-20%", &PEERS, 1.5),
    ("b1-5%", &["row-add-bound"], 0.45),
    ("b1-5%-int8", &["f32"], 2.0),
    ("b64-20%-int8", &["f32"], 2.0),
    ("b64-1%-2threads", &["1 thread"], 1.8),
    ("b64-5%-2threads", &["1 thread"], 1.8),
    ("b64-20%-2threads", &["1 thread"], 1.8),
];
/// Greatest relative error of the line through the costs.
const FIT: f64 = 0.1;

/// Runs the comparison; without a `python` the peers are left out, without a `recording` (N-MNIST) its case.
///
/// # Errors
/// Those of the executor's own benchmark: a recording that can't be read, peers that don't run or spike otherwise.
pub fn executor(python: Option<PathBuf>, recording: Option<PathBuf>, tell: &mut dyn FnMut(&str)) -> Result<ExecutorReport> {
    let report = bench::executor(&bench::Config { python, recording, cases: Vec::new() }, tell)?;
    let row = |r: &bench::Row| {
        let better = if r.better == "lower" { Better::Lower } else { Better::Higher };
        Row::new(r.bench, &r.case, r.unit, better, r.ours, &r.peer, r.peer_value)
    };
    let rows: Vec<Row> = report.rows.iter().map(row).collect();
    Ok(ExecutorReport { goals: goals(&rows, report.fit), rows, fit: report.fit, versions: report.versions })
}

fn goals(rows: &[Row], fit: Option<[f64; 3]>) -> Vec<Goal> {
    let mut goals: Vec<Goal> = BARS
        .iter()
        .map(|&(case, peers, bar)| {
            let ratios = rows.iter().filter(|r| r.case == case && peers.contains(&r.peer.as_str())).map(|r| r.ratio);
            let measured = ratios.reduce(f64::min);
            let against = if peers == PEERS { "the best of sinabs and SpikingJelly" } else { peers[0] };
            Goal { goal: format!("{case} against {against}"), bar, measured, met: measured.is_some_and(|m| m >= bar) }
        })
        .collect();
    let error = fit.map(|f| f[2]);
    let goal = "greatest relative error of cost = fixed + per SynOp (at most)".into();
    goals.push(Goal { goal, bar: FIT, measured: error, met: error.is_some_and(|e| e <= FIT) });
    goals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_peer_counts_and_what_did_not_run_is_not_met() {
        let row = |peer, value| Row::new("executor", "b1-5%", "ms/sample", Better::Lower, 1.0, peer, value);
        let goals = goals(&[row("sinabs", 30.0), row("spikingjelly", 7.0), row("clocked", 1.0)], Some([0.1, 0.2, 0.05]));
        let b1 = &goals[1];
        assert_eq!((b1.measured, b1.met), (Some(7.0), false));
        assert_eq!((goals[0].measured, goals[0].met), (None, false));
        assert!(goals.last().is_some_and(|g| g.met));
    }
}
