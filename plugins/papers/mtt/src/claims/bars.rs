//! From answers to bars. Nothing here measures; nothing here can be tuned to a result.

use super::{Answers, Results, Scored, mean, spike_difference};
use crate::config::ClaimsConfig;
use serde_json::{Map, Value, json};
use zoo_core::{ClaimOutcome, Result};

const MTT: &str = "mtt";
const NMT: &str = "nmt";
const RANDOM: &str = "random";
const TRAINED: usize = 10;

fn outcome(id: &str, measured: f64, holds: bool, detail: Value) -> ClaimOutcome {
    ClaimOutcome { id: id.into(), measured, holds, detail }
}

/// An arm's runs, if every seed has one.
fn arm<'a>(claims: &ClaimsConfig, results: &'a Results, name: &str) -> Option<Vec<&'a Scored>> {
    claims.seeds.iter().map(|&seed| results.scored(name, seed)).collect()
}

fn each(runs: &[&Scored], value: impl Fn(&Scored) -> f64) -> Vec<f64> {
    runs.iter().map(|run| value(run)).collect()
}

fn at(run: &Scored, steps: usize) -> f64 {
    run.clocked.get(&steps).map_or(0.0, Answers::accuracy)
}

fn worst(run: &Scored) -> f64 {
    run.curve().into_iter().fold(f64::INFINITY, f64::min)
}

fn less(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// Points lost from clocked at the trained number of steps to events alone.
fn drops(runs: &[&Scored]) -> Option<Vec<f64>> {
    runs.iter().map(|run| run.dfs.as_ref().map(|dfs| at(run, TRAINED) - dfs.accuracy())).collect()
}

/// All runs, for the record.
fn all(results: &Results) -> Value {
    results.scored.iter().map(|((arm, seed), run)| (format!("{arm}, seed {seed}"), run.summary())).collect::<Map<_, _>>().into()
}

/// The bars of the specification's section 9 whose arms have been trained with every seed.
pub(super) fn bars(claims: &ClaimsConfig, results: &Results) -> Result<Vec<ClaimOutcome>> {
    let mut outcomes = Vec::new();
    let mtt = arm(claims, results, MTT);
    let equal = results.equal.as_ref().and_then(|name| arm(claims, results, name));
    if let (Some(mtt), Some(equal)) = (&mtt, &equal) {
        let gains = less(&each(mtt, |r| mean(&r.curve())), &each(equal, |r| mean(&r.curve())));
        let detail = json!({"mtt_minus_sdt_eq": gains, "sdt_eq": results.equal, "runs": all(results)});
        outcomes.push(outcome("bar-1", mean(&gains), mean(&gains) >= 2.0 && gains.iter().all(|g| *g > 0.0), detail));
        let gains = less(&each(mtt, worst), &each(equal, worst));
        let detail = json!({"mtt_minus_sdt_eq": gains, "mtt": each(mtt, worst), "sdt_eq": each(equal, worst)});
        outcomes.push(outcome("bar-2", mean(&gains), mean(&gains) >= 5.0, detail));
        let (ours, theirs) = (each(mtt, |r| at(r, TRAINED)), each(equal, |r| at(r, TRAINED)));
        let gains = less(&ours, &theirs);
        outcomes.push(outcome("bar-3", mean(&gains), mean(&gains) >= -1.0, json!({"mtt": ours, "sdt_eq": theirs})));
        if let (Some(ours), Some(theirs)) = (drops(mtt), drops(equal)) {
            let testable = mean(&theirs) >= 0.5;
            let verdict = if testable { "testable" } else { "claim not testable on this data: SDT-eq itself loses less than 0.5 point" };
            let detail = json!({"mtt": ours, "sdt_eq": theirs, "verdict": verdict});
            let ratio = mean(&theirs) - 2.0 * mean(&ours).max(0.0);
            outcomes.push(outcome("bar-4-ratio", ratio, testable && ratio >= 0.0, detail));
        }
    }
    if let Some(mtt) = &mtt {
        let accuracy = each(mtt, |r| at(r, TRAINED));
        outcomes.push(outcome("bar-3-absolute", mean(&accuracy), mean(&accuracy) >= 93.0, json!({"mtt": accuracy})));
        if let Some(drops) = drops(mtt) {
            let mut difference = Map::new();
            for (seed, run) in claims.seeds.iter().zip(mtt) {
                if let (Some(reference), Some(dfs), Some(bfs)) = (&run.reference, &run.dfs, &run.bfs) {
                    let (dfs, silent) = spike_difference(&reference.counts, &dfs.counts)?;
                    let (bfs, _) = spike_difference(&reference.counts, &bfs.counts)?;
                    difference.insert(seed.to_string(), json!({"dfs": dfs, "bfs": bfs, "silent_in_reference": silent}));
                }
            }
            let detail = json!({"clocked_minus_async_dfs": drops, "spike_difference": difference});
            outcomes.push(outcome("bar-4", mean(&drops), mean(&drops).abs() <= 1.0, detail));
        }
        if let Some(nmt) = arm(claims, results, NMT) {
            let gains = less(&each(mtt, |r| mean(&r.curve())), &each(&nmt, |r| mean(&r.curve())));
            outcomes.push(outcome("bar-5", mean(&gains), mean(&gains) >= -0.3, json!({"mtt_minus_nmt": gains})));
        }
        let grid: Option<Vec<f64>> = claims.seeds.iter().map(|seed| results.grid.get(seed).copied()).collect();
        if let Some(grid) = grid {
            let least = grid.iter().copied().fold(f64::INFINITY, f64::min);
            outcomes.push(outcome("bar-6", least, least >= 100.0, json!({"agreement": grid})));
        }
    }
    if let Some(random) = arm(claims, results, RANDOM) {
        let accuracy = each(&random, |r| at(r, TRAINED));
        let greatest = accuracy.iter().copied().fold(0.0, f64::max);
        outcomes.push(outcome("control-random-labels", greatest, greatest < 15.0, json!({"accuracy": accuracy})));
    }
    if let (Some(anew), Some(kept)) = (arm(claims, results, "bn-mixed"), arm(claims, results, "bn-mixed-none")) {
        let gains = less(&each(&anew, |r| mean(&r.curve())), &each(&kept, |r| mean(&r.curve())));
        outcomes.push(outcome("bn-recal", mean(&gains), mean(&gains) > 0.0, json!({"anew_minus_kept": gains})));
    }
    Ok(outcomes)
}

/// Clocked and event-driven accuracy of each arm on real recordings, with intervals, and what is lost between them.
pub(super) fn recordings(claims: &ClaimsConfig, results: &Results) -> Vec<ClaimOutcome> {
    let arms = [Some(MTT), Some("tet"), results.equal.as_deref()];
    let mut outcomes = Vec::new();
    for (id, name) in ["recordings-mtt", "recordings-tet", "recordings-sdt-eq"].into_iter().zip(arms) {
        let Some(runs) = name.and_then(|name| arm(claims, results, name)) else { continue };
        let Some(drops) = drops(&runs) else { continue };
        let detail: Map<String, Value> =
            claims.seeds.iter().zip(&runs).map(|(seed, run)| (format!("seed {seed}"), run.summary())).collect();
        let detail = json!({"arm": name, "clocked_minus_async_dfs": drops, "runs": detail});
        outcomes.push(outcome(id, mean(&drops), mean(&drops).abs() <= 1.0, detail));
    }
    outcomes
}
