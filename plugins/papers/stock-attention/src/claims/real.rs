//! B2: all heads and all simple rules on real data.

use super::{Run, baseline_calls, mean, outcome};
use crate::head::Head;
use crate::runs::calls;
use crate::stats::{Bin, Call, DRAWS, Score, reliability, score};
use crate::study::{Corpus, Part, View};
use rand::seq::SliceRandom;
use rand::{SeedableRng, rngs::StdRng};
use rayon::prelude::*;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use zoo_core::{ClaimOutcome, Result};

/// Heads of the comparison; controls are left out.
const HEADS: [&str; 5] = ["price", "text", "text-credibility", "multimodal", "multimodal-blind"];

/// Scores of everything on the test days.
#[derive(Clone, Debug, Serialize)]
pub struct Table {
    /// Scores of each head by seed.
    pub heads: BTreeMap<String, Vec<Score>>,
    /// Scores of the simple rules.
    pub rules: BTreeMap<String, Score>,
    /// Reliability of the main head, all seeds together.
    pub reliability: Vec<Bin>,
    /// Accuracy and correlation of each month, main head, first seed.
    pub months: BTreeMap<String, [f64; 2]>,
}

/// Calls of one head on the test days.
///
/// # Errors
/// Whatever running finds.
pub fn arm_calls(run: &Run, arm: &str, corpus: &Corpus, labels: &[i8], days: [i64; 3]) -> Result<Vec<Call>> {
    calls(&run.head(arm)?, corpus, labels, days, Part::Test)
}

/// Measures the table.
///
/// # Errors
/// Whatever running finds.
pub fn table(runs: &[Run], corpus: &Corpus, labels: &[i8], days: [i64; 3]) -> Result<Table> {
    let mut heads: BTreeMap<String, Vec<Score>> = BTreeMap::new();
    let mut main = Vec::new();
    for run in runs {
        for arm in HEADS.into_iter().filter(|arm| run.paper.arms.contains_key(*arm)) {
            let calls = arm_calls(run, arm, corpus, labels, days)?;
            heads.entry(arm.into()).or_default().push(score(&calls, run.seed));
            if arm == run.paper.main {
                main.push(calls);
            }
        }
    }
    let rules = baseline_calls(corpus, labels, days).into_iter().map(|(name, calls)| (name.to_owned(), score(&calls, 0))).collect();
    let mut by_month: BTreeMap<String, Vec<Call>> = BTreeMap::new();
    for call in main.first().into_iter().flatten() {
        by_month.entry(month(call.day)).or_default().push(*call);
    }
    let months = by_month
        .into_iter()
        .map(|(name, calls)| {
            let table = crate::stats::Confusion::count(calls);
            (name, [table.accuracy(), table.mcc()])
        })
        .collect();
    Ok(Table { heads, rules, reliability: reliability(&main.concat()), months })
}

impl Table {
    /// The direction bar: the multimodal head against the better of the others, mean over seeds.
    pub fn outcome(&self) -> ClaimOutcome {
        let mcc = |arm: &str| self.heads.get(arm).map_or(f64::NAN, |s| mean(&s.iter().map(|s| s.mcc.value).collect::<Vec<_>>()));
        let accuracy = |arm: &str| self.heads.get(arm).map_or(f64::NAN, |s| mean(&s.iter().map(|s| s.accuracy.value).collect::<Vec<_>>()));
        let best = ["price", "text", "text-credibility"].map(mcc).into_iter().fold(f64::NEG_INFINITY, f64::max);
        let measured = mcc("multimodal") - best;
        let detail = json!({
            "table": self, "mean_mcc_multimodal": mcc("multimodal"), "mean_mcc_best_unimodal": best,
            "mean_accuracy_multimodal": accuracy("multimodal"), "bootstrap_draws": DRAWS,
            "different_data": {"accuracy": 61.20, "trading_profit": 9.13, "unit": "%", "note": "published on Chinese posts of 2012 to 2021: never pass or fail here"},
            "notice": super::NOTICE,
        });
        outcome("b2", measured, measured >= 0.0, detail)
    }
}

/// `YYYY-MM` of a day since 1970.
fn month(day: i64) -> String {
    // From the count of days since March of year 0, as in `parse_day`.
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let (month, year) = if shifted < 10 { (shifted + 3, 0) } else { (shifted - 9, 1) };
    format!("{:04}-{month:02}", year_of_era + era * 400 + year)
}

/// Calls on validation days with the credibilities of all posts dealt out anew.
pub(super) fn permuted_calls(head: &Head, corpus: &Corpus, labels: &[i8], days: [i64; 3], seed: u64) -> Result<Vec<Call>> {
    let items: Vec<usize> = corpus.part(days, Part::Val, |_| true).into_iter().filter(|&i| labels[i] >= 0).collect();
    let mut posts: Vec<u32> = items.iter().flat_map(|&i| corpus.samples[i].posts.iter().copied()).collect();
    posts.sort_unstable();
    posts.dedup();
    let mut dealt = posts.clone();
    dealt.shuffle(&mut StdRng::seed_from_u64(seed));
    let one = |&i: &usize| -> Result<Call> {
        let sample = &corpus.samples[i];
        let (embeddings, _) = corpus.gather(sample, true)?;
        let mut credibility = Vec::new();
        for post in &sample.posts {
            let at = posts.binary_search(post).unwrap_or(0);
            credibility.extend_from_slice(&corpus.posts[dealt[at] as usize].credibility);
        }
        let logit = head.logit(&View { price: &sample.price, slots: &sample.slots, embeddings: &embeddings, credibility: &credibility })?;
        Ok(Call { day: sample.day, stock: sample.stock, logit, up: labels[i] == 1 })
    };
    items.par_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::month;
    use crate::config::parse_day;

    #[test]
    fn months_of_days() {
        for (date, expected) in [("2015-10-01", "2015-10"), ("2015-12-31", "2015-12"), ("2016-02-29", "2016-02"), ("1970-01-01", "1970-01")]
        {
            assert_eq!(month(parse_day(date).unwrap()), expected, "{date}");
        }
    }
}
