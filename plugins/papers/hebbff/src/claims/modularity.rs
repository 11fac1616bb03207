//! Modularity, flexibility and performance: bars B1 to B3 with their controls.

use crate::config::PaperConfig;
use crate::modes::{learning_modes, smooth};
use crate::random::{Purpose, stream};
use crate::stats::{bootstrap, fisher_mean, mean, partial_spearman, pearson, spearman};
use crate::study::{Course, Snapshot, courses};
use rand::Rng;
use serde_json::{Value, json};
use zoo_core::{ClaimOutcome, Result, Workbench};

/// Resamplings of the nets.
const DRAWS: usize = 2000;
/// Snapshots of a block of the association tables.
const BLOCK: usize = 10;

/// A correlation in each net, its mean and interval.
struct Association {
    by_net: Vec<f64>,
    /// Nets where one side did not vary; they count as 0.
    flat: usize,
    mean: f64,
    interval: Option<[f64; 2]>,
}

impl Association {
    fn over(courses: &[Course], of: impl Fn(&Course) -> Option<f64>) -> Self {
        let found: Vec<Option<f64>> = courses.iter().map(of).collect();
        let by_net: Vec<f64> = found.iter().map(|r| r.unwrap_or(0.0)).collect();
        let interval = bootstrap(&by_net, DRAWS, &mut stream(0, Purpose::Controls, 1));
        Self { mean: fisher_mean(&by_net), interval, flat: found.iter().filter(|r| r.is_none()).count(), by_net }
    }

    fn positive(&self) -> bool {
        self.interval.is_some_and(|[low, _]| low > 0.0)
    }

    fn detail(&self) -> Value {
        json!({"by_net": self.by_net, "mean": self.mean, "ci95": self.interval, "nets_without_variation": self.flat})
    }

    fn outcome(&self, id: &str, holds: bool, more: &Value) -> ClaimOutcome {
        let mut detail = self.detail();
        if let (Some(detail), Some(more)) = (detail.as_object_mut(), more.as_object()) {
            detail.extend(more.clone());
        }
        ClaimOutcome { id: id.into(), measured: self.mean, holds, detail }
    }
}

fn q(s: &Snapshot) -> f64 {
    s.q
}

fn accuracy(s: &Snapshot) -> f64 {
    s.accuracy
}

fn flexibility(s: &Snapshot) -> f64 {
    s.flexibility
}

pub(super) fn measure(paper: &PaperConfig, bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
    let courses = courses(paper, bench.reporter())?;
    let shifts = paper.study.as_ref().map_or(0, |s| s.shifts);
    let pair = |a: fn(&Snapshot) -> f64, b: fn(&Snapshot) -> f64| Association::over(&courses, |c| spearman(&c.column(a), &c.column(b)));

    let main = pair(q, accuracy);
    let p_shift = shift_test(&courses, main.mean, shifts);
    let curves: Vec<Vec<f64>> = courses.iter().map(|c| smooth(&c.column(accuracy), 5)).collect();
    let modes = learning_modes(&curves, &mut stream(0, Purpose::Controls, 3));
    let ends = |of: fn(&Snapshot) -> f64| {
        let ends = courses.iter().filter_map(|c| Some((of(c.snapshots.first()?), of(c.snapshots.last()?))));
        let (first, last): (Vec<f64>, Vec<f64>) = ends.unzip();
        json!([mean(&first), mean(&last)])
    };
    let more = json!({
        "circular_shift_p": p_shift,
        "first_and_last_snapshot": {"q": ends(q), "accuracy": ends(accuracy), "flexibility": ends(flexibility), "balanced": ends(|s| s.balanced)},
        "blocks_q_accuracy": blocks(&courses, q, accuracy),
        "learning_modes": modes,
        "courses": courses.iter().map(curves_of).collect::<Vec<_>>(),
        "portrait": courses.first().map(|c| &c.portrait),
        "constant_units": courses.iter().flat_map(|c| &c.snapshots).map(|s| s.constant).sum::<usize>(),
        "mean_restart_spread_of_q": mean(&courses.iter().flat_map(|c| c.column(|s| s.q_spread)).collect::<Vec<_>>()),
    });
    let b1 = main.outcome("b1", main.mean >= 0.4 && main.positive() && p_shift < 0.05, &more);

    let control = pair(|s| s.q_rewired, accuracy);
    let beyond = Association::over(&courses, |c| {
        let (real, null) = (spearman(&c.column(q), &c.column(accuracy))?, spearman(&c.column(|s| s.q_rewired), &c.column(accuracy))?);
        Some(real - null)
    });
    let b1_rewired = beyond.outcome("b1-rewired", beyond.positive(), &json!({"rewired": control.detail()}));

    let time = |s: &Snapshot| s.iteration as f64;
    let partial = Association::over(&courses, |c| partial_spearman(&c.column(q), &c.column(accuracy), &c.column(time)));
    let reading = if partial.positive() { "beyond training time" } else { "explained by training time" };
    let b1_partial = partial.outcome("b1-partial", partial.positive(), &json!({"reading": reading}));

    let flexible = pair(q, flexibility);
    let more =
        json!({"blocks_q_flexibility": blocks(&courses, q, flexibility), "flexibility_accuracy": pair(flexibility, accuracy).detail()});
    let b2 = flexible.outcome("b2", flexible.positive(), &more);

    let (kept, rows) = sensitivity(&courses);
    let b2_sweep =
        ClaimOutcome { id: "b2-sweep".into(), measured: kept as f64, holds: kept == rows.len() && kept > 0, detail: json!({"rows": rows}) };

    let trend = Association::over(&courses, |c| spearman(&c.column(|s| s.entropy), &c.column(time)));
    let sign = if trend.positive() { "rises" } else { "does not rise for certain" };
    let more = json!({"reading": sign, "entropy_accuracy": pair(|s| s.entropy, accuracy).detail(), "first_and_last": ends(|s| s.entropy)});
    let b3 = trend.outcome("b3", trend.interval.is_some(), &more);
    Ok(vec![b1, b1_rewired, b1_partial, b2, b2_sweep, b3])
}

/// A network's snapshots by column, to four significant places: what the pictures show.
fn curves_of(course: &Course) -> Value {
    let column = |of: fn(&Snapshot) -> f64| -> Vec<f64> { course.snapshots.iter().map(|s| rounded(of(s))).collect() };
    json!({
        "iteration": course.snapshots.iter().map(|s| s.iteration).collect::<Vec<_>>(),
        "q": column(q), "flexibility": column(flexibility), "entropy": column(|s| s.entropy), "accuracy": column(accuracy),
        "eta": column(|s| s.eta), "lambda": column(|s| s.lambda),
    })
}

fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

/// Share of circular shifts of modularity against accuracy that do as well, the observed order counted among them.
fn shift_test(courses: &[Course], observed: f64, shifts: usize) -> f64 {
    let mut rng = stream(0, Purpose::Controls, 2);
    let columns: Vec<(Vec<f64>, Vec<f64>)> = courses.iter().map(|c| (c.column(q), c.column(accuracy))).collect();
    let mut as_good = 1;
    for _ in 0..shifts {
        let shifted: Vec<f64> = columns
            .iter()
            .map(|(q, accuracy)| {
                let mut q = q.clone();
                let steps = q.len();
                q.rotate_left(rng.random_range(1..steps.max(2)).min(steps));
                spearman(&q, accuracy).unwrap_or(0.0)
            })
            .collect();
        as_good += usize::from(fisher_mean(&shifted) >= observed);
    }
    as_good as f64 / (shifts + 1) as f64
}

/// Within-net correlations in blocks of snapshots, and over all nets' snapshots of a block.
fn blocks(courses: &[Course], a: fn(&Snapshot) -> f64, b: fn(&Snapshot) -> f64) -> Value {
    let count = courses.iter().map(|c| c.snapshots.len() / BLOCK).min().unwrap_or(0);
    let rows = (0..count).map(|block| {
        let part =
            |c: &Course, of: fn(&Snapshot) -> f64| c.snapshots[block * BLOCK..(block + 1) * BLOCK].iter().map(of).collect::<Vec<f64>>();
        let within: Vec<Option<f64>> = courses.iter().map(|c| pearson(&part(c, a), &part(c, b))).collect();
        let pool = |of: fn(&Snapshot) -> f64| courses.iter().flat_map(|c| part(c, of)).collect::<Vec<f64>>();
        json!({"block": block, "within": within, "pooled": pearson(&pool(a), &pool(b))})
    });
    rows.collect()
}

/// How many settings keep a positive correlation of modularity and flexibility, and all settings.
fn sensitivity(courses: &[Course]) -> (usize, Vec<Value>) {
    let settings = courses.first().and_then(|c| c.varied.first()).map_or(0, Vec::len);
    let mut kept = 0;
    let mut rows = Vec::new();
    for setting in 0..settings {
        let found = Association::over(courses, |c| {
            let column = |flexible: bool| {
                c.varied.iter().map(|v| if flexible { v[setting].flexibility } else { v[setting].q }).collect::<Vec<f64>>()
            };
            spearman(&column(false), &column(true))
        });
        kept += usize::from(found.mean > 0.0);
        let resolution = courses[0].varied[0][setting].resolution;
        rows.push(json!({"resolution": resolution, "mean": found.mean, "ci95": found.interval}));
    }
    (kept, rows)
}
