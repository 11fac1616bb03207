//! B5: what trading on the answers would have earned.

use super::{Run, outcome};
use crate::runs::logits;
use crate::study::{Corpus, Part, Sample};
use crate::trading::{PORTFOLIOS, Quote, Rule, percentile, random_portfolios, simulate};
use serde_json::{Value, json};
use zoo_core::{ClaimOutcome, Result};

/// Long the best and short the worst so many.
const SIDE: usize = 5;
/// Costs, as shares of the turnover.
const COSTS: [f64; 2] = [0.0, 0.001];

/// Percentile above which lie the best 2.5 % of random portfolios.
const ABOVE_BAND: f64 = 97.5;

/// Quotes of every test day on which the stock traded and had posts; `gain` picks the return.
///
/// # Errors
/// Whatever running finds.
pub fn quotes(run: &Run, corpus: &Corpus, days: [i64; 3], gain: impl Fn(&Sample) -> f32) -> Result<Vec<Quote>> {
    let items = corpus.part(days, Part::Test, |s| s.movement.is_finite() && s.intraday.is_finite());
    let none = vec![-1; corpus.samples.len()];
    let logits = logits(&run.head(&run.paper.main)?, corpus, &items, &none)?;
    Ok(items.iter().zip(logits).map(|(&i, score)| Quote { day: corpus.samples[i].day, score, gain: gain(&corpus.samples[i]) }).collect())
}

/// Simulates all rules and costs.
///
/// # Errors
/// Whatever running finds.
pub fn trade(run: &Run, corpus: &Corpus, days: [i64; 3]) -> Result<Value> {
    let mut rows = Vec::new();
    type Gain = fn(&Sample) -> f32;
    // Held from the close before the first day to the last close: bought once, sold once.
    let held = simulate(&quotes(run, corpus, days, |s| s.movement)?, Rule::Hold, 0.0).total;
    let gains: [(&str, Gain); 2] = [("open to close", |s| s.intraday), ("close to close (could not have been earned)", |s| s.movement)];
    for (when, gain) in gains {
        let quotes = quotes(run, corpus, days, gain)?;
        for (name, rule) in [("long 5, short 5", Rule::LongShort(SIDE)), ("long if p > 0.5", Rule::LongOnly)] {
            for cost in COSTS {
                let earned = simulate(&quotes, rule, cost);
                let random = random_portfolios(&quotes, rule, cost, run.seed);
                let band = crate::stats::middle95(random.clone());
                rows.push(json!({
                    "returns": when, "rule": name, "cost_bp": cost * 1e4, "total": earned.total, "sharpe": earned.sharpe,
                    "drawdown": earned.drawdown, "wealth": earned.wealth, "hold_total": (1.0 + held) * (1.0 - cost).powi(2) - 1.0,
                    "random_band95": band, "percentile": percentile(&random, earned.total), "random_portfolios": PORTFOLIOS,
                }));
            }
        }
    }
    Ok(rows.into())
}

pub(super) fn outcome_of(runs: &[Run], corpus: &Corpus, days: [i64; 3]) -> Result<ClaimOutcome> {
    let mut by_seed = Vec::new();
    let mut percentiles = Vec::new();
    for run in runs {
        let rows = trade(run, corpus, days)?;
        // Long and short at 10 basis points, open to close.
        percentiles.push(rows[1]["percentile"].as_f64().unwrap_or(f64::NAN));
        by_seed.push(json!({"seed": run.seed, "rows": rows}));
    }
    let measured = super::mean(&percentiles);
    Ok(outcome("b5", measured, measured > ABOVE_BAND, json!({"by_seed": by_seed, "notice": super::NOTICE})))
}
