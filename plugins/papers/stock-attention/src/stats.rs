//! Scores of up-or-down predictions, with intervals over days: stocks of one day move together, so the day is the unit.

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// Resamples of a bootstrap, and permutations of a test.
pub const DRAWS: usize = 1000;

/// One prediction beside the truth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Call {
    /// The day, in days since 1970.
    pub day: i64,
    /// The stock.
    pub stock: u32,
    /// Logarithm of the odds of a rise.
    pub logit: f32,
    /// Whether it rose.
    pub up: bool,
}

impl Call {
    fn says_up(self) -> bool {
        self.logit > 0.0
    }
}

/// Counts of a two-by-two table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// Rises predicted as such.
    pub true_up: u64,
    /// Falls predicted as rises.
    pub false_up: u64,
    /// Falls predicted as such.
    pub true_down: u64,
    /// Rises predicted as falls.
    pub false_down: u64,
}

impl Confusion {
    /// Counts calls.
    pub fn count(calls: impl IntoIterator<Item = Call>) -> Self {
        let mut c = Self::default();
        for call in calls {
            *match (call.says_up(), call.up) {
                (true, true) => &mut c.true_up,
                (true, false) => &mut c.false_up,
                (false, false) => &mut c.true_down,
                (false, true) => &mut c.false_down,
            } += 1;
        }
        c
    }

    /// Share of right calls.
    #[allow(clippy::cast_precision_loss, reason = "counts")]
    pub fn accuracy(self) -> f64 {
        let all = self.true_up + self.false_up + self.true_down + self.false_down;
        (self.true_up + self.true_down) as f64 / all.max(1) as f64
    }

    /// Matthews' correlation coefficient; 0 where a row or column of the table is empty.
    #[allow(clippy::cast_precision_loss, reason = "counts")]
    pub fn mcc(self) -> f64 {
        let [a, b, c, d] = [self.true_up, self.false_up, self.true_down, self.false_down].map(|n| n as f64);
        let below = ((a + b) * (a + d) * (c + b) * (c + d)).sqrt();
        if below > 0.0 { (a * c - b * d) / below } else { 0.0 }
    }
}

/// A score with its interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Interval {
    /// The value on all calls.
    pub value: f64,
    /// 95 % interval by bootstrap over days.
    pub ci95: [f64; 2],
}

/// Scores of one set of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// Calls.
    pub n: usize,
    /// Days they fall on.
    pub days: usize,
    /// Share of right calls.
    pub accuracy: Interval,
    /// Matthews' correlation coefficient.
    pub mcc: Interval,
    /// The table.
    pub confusion: Confusion,
}

/// Calls grouped by day, in the order of days.
fn by_day(calls: &[Call]) -> Vec<Vec<Call>> {
    let mut days: std::collections::BTreeMap<i64, Vec<Call>> = Default::default();
    for call in calls {
        days.entry(call.day).or_default().push(*call);
    }
    days.into_values().collect()
}

/// Scores calls; the interval is that of [`DRAWS`] resamples of whole days.
pub fn score(calls: &[Call], seed: u64) -> Score {
    let tables: Vec<Confusion> = by_day(calls).into_iter().map(Confusion::count).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut accuracies, mut coefficients) = (Vec::new(), Vec::new());
    for _ in 0..if tables.is_empty() { 0 } else { DRAWS } {
        let mut sum = Confusion::default();
        for _ in 0..tables.len() {
            let t = tables[rng.random_range(0..tables.len())];
            sum.true_up += t.true_up;
            sum.false_up += t.false_up;
            sum.true_down += t.true_down;
            sum.false_down += t.false_down;
        }
        accuracies.push(sum.accuracy());
        coefficients.push(sum.mcc());
    }
    let confusion = Confusion::count(calls.iter().copied());
    Score {
        n: calls.len(),
        days: tables.len(),
        accuracy: Interval { value: confusion.accuracy(), ci95: middle95(accuracies) },
        mcc: Interval { value: confusion.mcc(), ci95: middle95(coefficients) },
        confusion,
    }
}

/// The middle 95 % of draws (nearest rank).
pub fn middle95(mut draws: Vec<f64>) -> [f64; 2] {
    draws.sort_by(f64::total_cmp);
    let at =
        |share: f64| draws.get(((draws.len() as f64 * share) as usize).min(draws.len().saturating_sub(1))).copied().unwrap_or(f64::NAN);
    [at(0.025), at(0.975)]
}

/// 95 % band of the accuracy of calls that know nothing: each day's calls are judged by another day's outcomes of the
/// same stocks, so that the structure within days stays.
pub fn permutation_band(calls: &[Call], seed: u64) -> [f64; 2] {
    let days = by_day(calls);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut order: Vec<usize> = (0..days.len()).collect();
    let mut draws = Vec::new();
    for _ in 0..DRAWS {
        order.shuffle(&mut rng);
        let (mut right, mut all) = (0u32, 0u32);
        for (day, &other) in days.iter().zip(&order) {
            for call in day {
                if let Some(truth) = days[other].iter().find(|c| c.stock == call.stock) {
                    all += 1;
                    right += u32::from(call.says_up() == truth.up);
                }
            }
        }
        if all > 0 {
            draws.push(f64::from(right) / f64::from(all));
        }
    }
    middle95(draws)
}

/// One bin of a reliability diagram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// Mean predicted chance of a rise.
    pub predicted: f64,
    /// Share of rises.
    pub observed: f64,
    /// Calls.
    pub n: usize,
}

/// Ten bins of equal width; empty ones are left out.
#[allow(clippy::cast_precision_loss, reason = "counts")]
pub fn reliability(calls: &[Call]) -> Vec<Bin> {
    let mut bins = [(0.0, 0.0, 0usize); 10];
    for call in calls {
        let p = f64::from(crate::head_sigmoid(call.logit));
        let bin = &mut bins[((p * 10.0) as usize).min(9)];
        *bin = (bin.0 + p, bin.1 + f64::from(u8::from(call.up)), bin.2 + 1);
    }
    bins.iter().filter(|b| b.2 > 0).map(|&(p, up, n)| Bin { predicted: p / n as f64, observed: up / n as f64, n }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(table: [u32; 4]) -> Vec<Call> {
        let kinds = [(1.0, true), (1.0, false), (-1.0, false), (-1.0, true)];
        let mut all = Vec::new();
        for ((logit, up), n) in kinds.into_iter().zip(table) {
            all.extend((0..n).map(|i| Call { day: i64::from(i % 7), stock: i, logit, up }));
        }
        all
    }

    /// sklearn.metrics.matthews_corrcoef for 30 true rises, 10 false rises, 40 true falls, 20 false falls.
    #[test]
    fn scores_agree_with_scikit_learn() {
        let c = Confusion::count(calls([30, 10, 40, 20]));
        assert_eq!(c.accuracy(), 0.7);
        assert!((c.mcc() - 0.408_248_290_463_863).abs() < 1e-12, "{}", c.mcc());
        assert_eq!(Confusion::count(calls([5, 5, 0, 0])).mcc(), 0.0);
    }

    #[test]
    fn the_interval_holds_the_value_and_depends_on_the_seed_alone() {
        let calls = calls([30, 10, 40, 20]);
        let one = score(&calls, 1);
        assert!(one.accuracy.ci95[0] < 0.7 && 0.7 < one.accuracy.ci95[1]);
        assert_eq!((one, one.days), (score(&calls, 1), 7));
    }

    /// Whole days swing together: the interval over days is far wider than one over calls would be.
    #[test]
    fn days_are_the_unit() {
        let day = |d: i64| (0..50).map(move |s| Call { day: d, stock: s, logit: if d % 2 == 0 { 1.0 } else { -1.0 }, up: true });
        let calls: Vec<Call> = (0..10).flat_map(day).collect();
        let [low, high] = score(&calls, 3).accuracy.ci95;
        assert!(high - low > 0.4, "{low} {high}");
    }

    #[test]
    fn calls_that_know_nothing_lie_inside_the_band_and_perfect_ones_do_not() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let truth: Vec<Call> = (0..60 * 20)
            .map(|i| Call { day: i / 20, stock: (i % 20) as u32, logit: rng.random::<f32>() - 0.5, up: rng.random() })
            .collect();
        let [low, high] = permutation_band(&truth, 1);
        let blind = Confusion::count(truth.iter().copied()).accuracy();
        assert!(low <= blind && blind <= high, "{low} {blind} {high}");
        let perfect: Vec<Call> = truth.iter().map(|c| Call { logit: if c.up { 1.0 } else { -1.0 }, ..*c }).collect();
        assert!(permutation_band(&perfect, 1)[1] < 0.6);
    }

    #[test]
    fn bins_by_hand() {
        let bins = reliability(&[Call { day: 0, stock: 0, logit: 0.0, up: true }, Call { day: 0, stock: 1, logit: 0.0, up: false }]);
        assert_eq!(bins, [Bin { predicted: 0.5, observed: 0.5, n: 2 }]);
    }
}
