//! What the networks can do: bars A1 to A3.

use crate::config::{ExamConfig, PaperConfig};
use crate::learn::test;
use crate::stats::{mann_whitney_greater, mean};
use crate::weights::Net;
use rayon::prelude::*;
use serde_json::json;
use zoo_core::{ClaimOutcome, Error, Result, Workbench};

/// Families beside one another, each with its seeds.
const FAMILIES: [(&str, u64); 4] = [("hebbff/anti-r5", 12), ("hebbff/hebb-r5", 4), ("hebbff/static-r5", 4), ("hebbff/lstm-r5", 4)];
/// Seed of the test streams, the same for all networks.
const TEST_SEED: u64 = 5;

/// Balanced accuracy of each network of a family, by delay from 1.
struct Family {
    by_net: Vec<Vec<f64>>,
}

impl Family {
    fn at(&self, delay: usize) -> Vec<f64> {
        self.by_net.iter().map(|net| net[delay - 1]).collect()
    }

    fn curve(&self) -> Vec<f64> {
        (1..=self.by_net.first().map_or(0, Vec::len)).map(|delay| mean(&self.at(delay))).collect()
    }
}

fn examine(model: &str, seeds: u64, exam: ExamConfig, bench: &mut dyn Workbench) -> Result<Family> {
    let mut nets = Vec::new();
    for seed in 0..seeds {
        let (weights, config) = bench.weights(model, Some(seed))?;
        let paper = PaperConfig::read(&config)?;
        let net = Net::read(&paper, &weights)?;
        nets.push((net, paper.task));
    }
    bench.progress(&format!("testing {model}"), 0, None, "networks");
    let by_net = nets
        .par_iter()
        .map(|(net, task)| {
            (1..=exam.longest)
                .map(|delay| {
                    let task = task.with_delay(delay);
                    match net {
                        Net::Plastic(net) => Ok(test(net, task, exam.streams, TEST_SEED).balanced()),
                        Net::Lstm(net) => Ok(test(net, task, exam.streams, TEST_SEED).balanced()),
                        Net::Det(_) => Err(Error::argument("network of an exam", "one that was trained", "DetHebb")),
                    }
                })
                .collect()
        })
        .collect::<Result<_>>()?;
    Ok(Family { by_net })
}

pub(super) fn measure(paper: &PaperConfig, bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
    let exam = paper.exam.ok_or_else(|| Error::Config {
        key: "exam".into(),
        expected: "a table with the number of test streams and the longest delay".into(),
        found: "nothing".into(),
    })?;
    let mut families = Vec::new();
    for (model, seeds) in FAMILIES {
        families.push(examine(model, seeds, exam, bench)?);
    }
    let [anti, hebb, fixed, lstm] = &families[..] else { return Ok(Vec::new()) };
    let trained = paper.task.delay;

    let solved = anti.at(trained).iter().filter(|b| **b >= 0.95).count();
    let without = fixed.at(trained).into_iter().fold(0.0, f64::max);
    let a1 = ClaimOutcome {
        id: "a1".into(),
        measured: solved as f64,
        holds: solved >= 10 && without <= 0.55,
        detail: json!({"anti": anti.at(trained), "non_plastic": fixed.at(trained), "hebb": hebb.at(trained)}),
    };

    let shorter = 1..trained;
    let general = anti.by_net.iter().filter(|net| shorter.clone().all(|delay| net[delay - 1] >= 0.9)).count();
    let by_delay: Vec<f64> = anti.curve();
    let a2 = ClaimOutcome {
        id: "a2".into(),
        measured: general as f64,
        holds: general >= 10,
        detail: json!({"anti_mean_by_delay": by_delay, "hebb_mean_by_delay": hebb.curve()}),
    };

    let delay = (1..=exam.longest).rev().find(|&delay| mean(&anti.at(delay)) >= 0.75);
    let p = delay.and_then(|delay| mann_whitney_greater(&anti.at(delay), &hebb.at(delay)));
    let a3 = ClaimOutcome {
        id: "a3".into(),
        measured: p.unwrap_or(1.0),
        holds: p.is_some_and(|p| p < 0.05),
        detail: json!({
            "delay": delay, "anti": delay.map(|d| anti.at(d)), "hebb": delay.map(|d| hebb.at(d)),
            "test": "Mann-Whitney, one-sided, exact",
        }),
    };

    let others: Vec<usize> = (1..2 * trained).filter(|&d| d != trained && d <= exam.longest).collect();
    let over = |family: &Family| mean(&others.iter().map(|&d| mean(&family.at(d))).collect::<Vec<_>>());
    let lead = over(anti) - over(lstm);
    let a3_lstm = ClaimOutcome {
        id: "a3-lstm".into(),
        measured: lead,
        holds: lead >= 0.1,
        detail: json!({
            "delays": others, "hebbff": over(anti), "lstm": over(lstm), "lstm_at_trained_delay": lstm.at(trained),
            "lstm_mean_by_delay": lstm.curve(),
        }),
    };
    Ok(vec![a1, a2, a3, a3_lstm])
}
