//! From logits to bars. Nothing here measures; nothing here can be tuned to a result.

use super::{Results, Scored, mean};
use crate::config::ClaimsConfig;
use serde_json::{Map, Value, json};
use zoo_core::ClaimOutcome;
use zoo_core::metric::mcnemar;

/// Names of the arms that single bars look at.
pub(super) mod arm {
    pub(in super::super) const SWITCH: &str = "switch";
    pub(in super::super) const SDT: &str = "sdt";
    pub(in super::super) const RANDOM: &str = "random";
    pub(in super::super) const PLAIN: &str = "tet-0";
    pub(in super::super) const PULLED: &str = "tet-0.05";
    pub(in super::super) const SCRATCH: &str = "scratch";
    pub(in super::super) const TIT: &str = "tit";
}

/// Steps of the training of the still networks that bar 4 is about.
const TRAINED_STEPS: usize = 3;
/// Steps of the second stage of time inheritance.
const LONG_STEPS: usize = 6;

/// Every bar whose arms have been trained with every seed.
pub(super) fn outcomes(claims: &ClaimsConfig, results: &Results) -> Vec<ClaimOutcome> {
    [early, last, switch, random, pull, scaling, inheritance].iter().filter_map(|bar| bar(claims, results)).collect()
}

fn outcome(id: &str, measured: f64, holds: bool, detail: Value) -> ClaimOutcome {
    ClaimOutcome { id: id.into(), measured, holds, detail }
}

/// The chosen TET and the chosen SDT of a seed.
fn pair(results: &Results, seed: u64) -> Option<(&Scored, &Scored)> {
    Some((results.scored(results.best_tet()?, seed)?, results.scored(results.best_sdt()?, seed)?))
}

/// All arms' curves, for the record.
fn curves(claims: &ClaimsConfig, results: &Results) -> Value {
    let mut all = Map::new();
    for name in claims.arms.keys() {
        for &seed in &claims.seeds {
            if let Some(scored) = results.scored(name, seed) {
                let mut summary = scored.summary();
                summary["val_accuracy"] = json!(results.arm(name, seed).and_then(|a| a.weights.metadata.get("val_accuracy")));
                all.insert(format!("{name}, seed {seed}"), summary);
            }
        }
    }
    all.into()
}

/// Bar 1: accuracy of the first k steps, averaged over k = 1..5 of 10.
fn early(claims: &ClaimsConfig, results: &Results) -> Option<ClaimOutcome> {
    let gains = results.by_seed(&claims.seeds, |seed| {
        let (tet, sdt) = pair(results, seed)?;
        (tet.steps == 10).then(|| tet.mean_accuracy(1..=5) - sdt.mean_accuracy(1..=5))
    })?;
    let holds = gains.iter().all(|g| *g >= 3.0);
    let detail = json!({"seeds": claims.seeds, "tet_minus_best_sdt": gains, "best_sdt": results.best_sdt(), "tet": results.best_tet(), "arms": curves(claims, results)});
    Some(outcome("bar-1", mean(&gains), holds, detail))
}

/// Bar 2: accuracy over all steps.
fn last(claims: &ClaimsConfig, results: &Results) -> Option<ClaimOutcome> {
    let pairs = results.by_seed(&claims.seeds, |seed| pair(results, seed))?;
    if pairs.iter().any(|(tet, _)| tet.steps != 10) {
        return None;
    }
    let gains: Vec<f64> = pairs.iter().map(|(tet, sdt)| tet.accuracy(10) - sdt.accuracy(10)).collect();
    let right = |pick: &dyn Fn(&(&Scored, &Scored)) -> Vec<bool>| pairs.iter().flat_map(pick).collect::<Vec<_>>();
    let p = mcnemar(&right(&|(tet, _)| tet.right(10)), &right(&|(_, sdt)| sdt.right(10)));
    let holds = mean(&gains) >= 0.5 && gains.iter().all(|g| *g >= -0.3);
    let detail = json!({"tet_minus_best_sdt": gains, "tet": pairs.iter().map(|p| p.0.accuracy(10)).collect::<Vec<_>>(),
        "best_sdt": pairs.iter().map(|p| p.1.accuracy(10)).collect::<Vec<_>>(), "mcnemar_p": p});
    Some(outcome("bar-2", mean(&gains), holds, detail))
}

/// Bar 3: SDT then TET against SDT all along, by the loss of SDT.
fn switch(claims: &ClaimsConfig, results: &Results) -> Option<ClaimOutcome> {
    let loss = |arm: &str| results.by_seed(&claims.seeds, |seed| results.scored(arm, seed)?.sdt_loss().ok());
    let (switched, stayed) = (loss(arm::SWITCH)?, loss(arm::SDT)?);
    let differences: Vec<f64> = switched.iter().zip(&stayed).map(|(a, b)| a - b).collect();
    let holds = differences.iter().all(|d| *d < 0.0);
    Some(outcome("bar-3", mean(&differences), holds, json!({"switched": switched, "stayed": stayed})))
}

/// Control: random labels teach nothing.
fn random(claims: &ClaimsConfig, results: &Results) -> Option<ClaimOutcome> {
    let all = results.by_seed(&claims.seeds, |seed| results.scored(arm::RANDOM, seed).map(|s| s.accuracy(s.steps)))?;
    let worst = all.iter().copied().fold(0.0, f64::max);
    Some(outcome("control-random-labels", worst, worst < 15.0, json!({"accuracy": all})))
}

/// Bar 6: the pull towards phi keeps logits near it and costs little.
fn pull(claims: &ClaimsConfig, results: &Results) -> Option<ClaimOutcome> {
    const DISTANCE: f64 = 5.0;
    let of = |arm: &str| {
        results.by_seed(&claims.seeds, |seed| {
            let phi = results.arm(arm, seed)?.paper.loss.phi;
            results.scored(arm, seed).map(|s| (s.far(phi, DISTANCE), s.accuracy(s.steps)))
        })
    };
    let (pulled, plain) = (of(arm::PULLED)?, of(arm::PLAIN)?);
    let fall: Vec<f64> = pulled.iter().zip(&plain).map(|(a, b)| a.0 - b.0).collect();
    let loss: Vec<f64> = pulled.iter().zip(&plain).map(|(a, b)| b.1 - a.1).collect();
    let holds = mean(&fall) < 0.0 && mean(&loss) <= 0.5;
    let detail = json!({"far_and_accuracy": {"lambda_0.05": pulled, "lambda_0": plain}, "accuracy_lost": loss});
    Some(outcome("bar-6", mean(&fall), holds, detail))
}

/// Bar 4: trained at T = 3, run at other T.
fn scaling(claims: &ClaimsConfig, results: &Results) -> Option<ClaimOutcome> {
    let curve = |scored: &Scored| (1..=8).map(|k| scored.accuracy(k)).collect::<Vec<f64>>();
    let pairs = results.by_seed(&claims.seeds, |seed| pair(results, seed).filter(|(tet, _)| tet.steps == 8))?;
    let curves: Vec<(Vec<f64>, Vec<f64>)> = pairs.iter().map(|(tet, sdt)| (curve(tet), curve(sdt))).collect();
    let drop = |c: &[f64]| c[TRAINED_STEPS..].iter().map(|a| a - c[TRAINED_STEPS - 1]).fold(f64::INFINITY, f64::min);
    let drops: Vec<f64> = curves.iter().map(|(tet, _)| drop(tet)).collect();
    let gains: Vec<f64> = curves.iter().map(|(tet, sdt)| mean(tet) - mean(sdt)).collect();
    let holds = mean(&drops) >= -0.5 && mean(&gains) >= 1.0;
    let detail = json!({"least_gain_over_T3_at_T4_to_8": drops, "tet_minus_sdt_over_T1_to_8": gains, "curves_tet_sdt": curves});
    Some(outcome("bar-4", mean(&gains), holds, detail))
}

/// Bar 5: time inheritance against training from scratch.
fn inheritance(claims: &ClaimsConfig, results: &Results) -> Option<ClaimOutcome> {
    let accuracy = |arm: &str| results.by_seed(&claims.seeds, |seed| results.scored(arm, seed).map(|s| s.accuracy(LONG_STEPS)));
    let seconds = |arm: &str| {
        results.by_seed(&claims.seeds, |seed| results.arm(arm, seed)?.weights.metadata.get("train_seconds")?.parse::<f64>().ok())
    };
    let (inherited, scratch) = (accuracy(arm::TIT)?, accuracy(arm::SCRATCH)?);
    let (short, long) = (seconds(arm::TIT)?, seconds(arm::SCRATCH)?);
    let gain = mean(&inherited) - mean(&scratch);
    let share = mean(&short) / mean(&long);
    let detail = json!({"accuracy": {"inherited": inherited, "scratch": scratch}, "train_seconds": {"inherited": short, "scratch": long}, "share_of_time": share});
    Some(outcome("bar-5", gain, gain >= -0.5 && share <= 0.60, detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Ten steps, two classes, one item: right from step `from` on (counted from 1), wrong before.
    fn scored(from: usize) -> Scored {
        // A right step outweighs all wrong ones before it.
        let logits = (1..=10).flat_map(|t| if t >= from { [0.0, 100.0] } else { [1.0, 0.0] }).collect();
        Scored { logits, labels: vec![1], steps: 10, classes: 2 }
    }

    fn results(arms: &[(&str, usize)]) -> (ClaimsConfig, Results) {
        let claims = ClaimsConfig {
            seeds: vec![1, 2],
            pilot_seed: 0,
            arms: arms.iter().map(|(name, _)| ((*name).to_string(), String::new())).collect(),
            sdt: vec!["sdt".into()],
            tet: vec!["tet".into()],
            items: None,
        };
        let runs = arms.iter().flat_map(|&(name, from)| [1, 2].map(|seed| ((name.to_string(), seed), scored(from))));
        (claims, Results { scored: runs.collect(), arms: BTreeMap::new(), sdt: Some("sdt".into()), tet: Some("tet".into()) })
    }

    #[test]
    fn early_and_late_bars_by_hand() {
        // TET is right from step 2 on: 4 of the first five; SDT from step 4 on: 2 of them.
        let (claims, runs) = results(&[("sdt", 4), ("tet", 2)]);
        let bar = early(&claims, &runs).unwrap();
        assert!((bar.measured - 40.0).abs() < 1e-9 && bar.holds);
        let bar = last(&claims, &runs).unwrap();
        assert!(bar.measured == 0.0 && !bar.holds);
    }

    #[test]
    fn what_was_not_trained_is_not_measured() {
        let (claims, runs) = results(&[("sdt", 4), ("tet", 2)]);
        let ids: Vec<String> = outcomes(&claims, &runs).into_iter().map(|o| o.id).collect();
        assert_eq!(ids, ["bar-1", "bar-2"]);
        let (claims, runs) = results(&[("tet", 2)]);
        assert!(outcomes(&claims, &runs).is_empty());
    }

    #[test]
    fn the_switch_is_compared_by_loss() {
        let (claims, runs) = results(&[("sdt", 10), ("switch", 1)]);
        let bar = switch(&claims, &runs).unwrap();
        assert!(bar.holds && bar.measured < 0.0);
    }
}
