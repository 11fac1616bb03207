//! A trading simulation with costs. Trades happen on every trading day, not only on those with a label, since the label
//! leaves out small moves by looking at them.
//!
//! Positions are taken at the open of the day and closed at its close: posts may be as late as midnight before, when the
//! close before is long gone. The return from close to close, which the label is about, is reported beside it and could
//! not have been earned.

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// Trading days of a year.
const YEAR: f64 = 252.0;
/// Random portfolios that a strategy is ranked among.
pub const PORTFOLIOS: usize = 1000;

/// One stock on one day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quote {
    /// The day.
    pub day: i64,
    /// What the strategy thinks of it; greater is better.
    pub score: f32,
    /// Return of holding it over the day.
    pub gain: f32,
}

/// What a strategy earned.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Outcome {
    /// Compounded return over all days.
    pub total: f64,
    /// Mean over standard deviation of daily returns, times the root of a year's days.
    pub sharpe: f64,
    /// Greatest fall from a peak of the wealth.
    pub drawdown: f64,
    /// Wealth after each day, from 1.
    pub wealth: Vec<f64>,
}

/// How to trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Long the best so many, short the worst so many, each side with half the money.
    LongShort(usize),
    /// Long whatever has a score above 0.
    LongOnly,
    /// Long everything.
    Hold,
}

/// Groups of quotes of one day, in the order of days.
fn days(quotes: &[Quote]) -> Vec<Vec<Quote>> {
    let mut all: std::collections::BTreeMap<i64, Vec<Quote>> = Default::default();
    for quote in quotes {
        all.entry(quote.day).or_default().push(*quote);
    }
    all.into_values().collect()
}

/// Trades every day. `cost` is paid on what is bought and on what is sold, as a share of the turnover of each: 0.001 is
/// 10 basis points.
pub fn simulate(quotes: &[Quote], rule: Rule, cost: f64) -> Outcome {
    let mut groups = days(quotes);
    let daily = groups.iter_mut().map(|day| {
        day.sort_by(|a, b| b.score.total_cmp(&a.score));
        one_day(day, rule, cost)
    });
    outcome(&daily.collect::<Vec<_>>())
}

/// Return of one day; `day` is sorted, best first.
#[allow(clippy::cast_precision_loss, reason = "counts of stocks")]
fn one_day(day: &[Quote], rule: Rule, cost: f64) -> f64 {
    let mean = |quotes: &[Quote]| quotes.iter().map(|q| f64::from(q.gain)).sum::<f64>() / quotes.len().max(1) as f64;
    let (gain, invested) = match rule {
        Rule::LongShort(count) => {
            let side = count.min(day.len() / 2);
            if side == 0 {
                return 0.0;
            }
            (0.5 * (mean(&day[..side]) - mean(&day[day.len() - side..])), 1.0)
        }
        Rule::LongOnly => {
            let chosen = day.iter().take_while(|q| q.score > 0.0).count();
            if chosen == 0 {
                return 0.0;
            }
            (mean(&day[..chosen]), 1.0)
        }
        Rule::Hold => (mean(day), 1.0),
    };
    // In at the open and out at the close: everything turns over twice.
    gain - 2.0 * cost * invested
}

#[allow(clippy::cast_precision_loss, reason = "counts of days")]
fn outcome(daily: &[f64]) -> Outcome {
    let n = daily.len().max(1) as f64;
    let mean = daily.iter().sum::<f64>() / n;
    let std = (daily.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt();
    let (mut wealth, mut peak, mut drawdown) = (1.0f64, 1.0f64, 0.0f64);
    let curve = daily.iter().map(|r| {
        wealth *= 1.0 + r;
        peak = peak.max(wealth);
        drawdown = drawdown.max(1.0 - wealth / peak);
        wealth
    });
    let wealth: Vec<f64> = curve.collect();
    Outcome {
        total: wealth.last().map_or(0.0, |w| w - 1.0),
        sharpe: if std > 0.0 { mean / std * YEAR.sqrt() } else { 0.0 },
        drawdown,
        wealth,
    }
}

/// Total returns of random portfolios under the same rule and cost, sorted.
pub fn random_portfolios(quotes: &[Quote], rule: Rule, cost: f64, seed: u64) -> Vec<f64> {
    let mut groups = days(quotes);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut totals: Vec<f64> = (0..PORTFOLIOS)
        .map(|_| {
            let daily = groups.iter_mut().map(|day| {
                day.shuffle(&mut rng);
                day.iter_mut().for_each(|q| q.score = rng.random::<f32>() - 0.5);
                if rule == Rule::LongOnly {
                    day.sort_by(|a, b| b.score.total_cmp(&a.score));
                }
                one_day(day, rule, cost)
            });
            outcome(&daily.collect::<Vec<_>>()).total
        })
        .collect();
    totals.sort_by(f64::total_cmp);
    totals
}

/// Share of sorted totals below a value, in per cent.
#[allow(clippy::cast_precision_loss, reason = "counts")]
pub fn percentile(sorted: &[f64], total: f64) -> f64 {
    100.0 * sorted.partition_point(|t| *t < total) as f64 / sorted.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(day: i64, score: f32, gain: f32) -> Quote {
        Quote { day, score, gain }
    }

    /// Day 1: long 0.02, short -0.04: (0.02 + 0.04) / 2 = 0.03. Day 2: long -0.02, short 0: -0.01.
    #[test]
    fn two_days_by_hand() {
        let quotes = [quote(1, 0.9, 0.02), quote(1, 0.1, 0.5), quote(1, -0.5, -0.04), quote(2, 0.2, -0.02), quote(2, 0.1, 0.0)];
        let free = simulate(&quotes, Rule::LongShort(1), 0.0);
        assert!((free.total - (1.03 * 0.99 - 1.0)).abs() < 1e-7, "{free:?}");
        assert!((free.drawdown - 0.01).abs() < 1e-7);
        let sharpe = 0.01 / (0.0008f64).sqrt() * 252f64.sqrt();
        assert!((free.sharpe - sharpe).abs() < 1e-5, "{} {sharpe}", free.sharpe);
        let paid = simulate(&quotes, Rule::LongShort(1), 0.001);
        assert!((paid.total - (1.028 * 0.988 - 1.0)).abs() < 1e-7, "{paid:?}");
        let long = simulate(&quotes, Rule::LongOnly, 0.0);
        assert!((long.total - (1.26 * 0.99 - 1.0)).abs() < 1e-6, "{long:?}");
        assert_eq!(simulate(&[], Rule::Hold, 0.0).total, 0.0);
    }

    #[test]
    fn a_seer_beats_all_random_portfolios() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut quotes = Vec::new();
        for i in 0..40 * 12 {
            let gain = 0.02 * (rng.random::<f32>() - 0.5);
            quotes.push(quote(i / 12, gain, gain));
        }
        let seer = simulate(&quotes, Rule::LongShort(3), 0.0).total;
        let random = random_portfolios(&quotes, Rule::LongShort(3), 0.0, 1);
        assert_eq!(percentile(&random, seer), 100.0);
        assert!(random.is_sorted() && random.len() == PORTFOLIOS);
        assert_eq!(percentile(&[1.0, 2.0, 3.0, 4.0], 3.0), 50.0);
    }
}
