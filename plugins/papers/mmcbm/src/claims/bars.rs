//! From runs to bars.

use super::controls::{linear_probe, random_vectors, shuffled_labels, single_modalities};
use super::{Run, Study};
use crate::concepts::COUNT;
use crate::head::Scores;
use crate::metrics::{greatest, macro_f1, mean, softmax};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;
use serde_json::{Value, json};
use zoo_core::{ClaimOutcome, Result};

/// Concepts corrected at most.
const CORRECTED: usize = 6;
/// Concepts deleted.
const DELETED: usize = 3;
/// Draws of the random deletions.
const DRAWS: usize = 20;
/// Greatest difference of logits between graph and here.
const AGREED: f64 = 1e-3;

fn outcome(id: &str, measured: f64, holds: bool, detail: Value) -> ClaimOutcome {
    ClaimOutcome { id: id.into(), measured, holds, detail }
}

/// Mean score of each concept over training patients: where it is true, where it is false, and over all.
struct Oracle {
    by_truth: Vec<[f64; 2]>,
    mean: Vec<f64>,
}

impl Oracle {
    fn new(study: &Study, run: &Run) -> Self {
        let of = |c: usize, keep: &dyn Fn(bool) -> bool| {
            let chosen = study.train.iter().zip(&run.train_scores).filter(|(p, _)| keep(p.truth[c])).filter_map(|(_, s)| s[c]);
            mean(&chosen.collect::<Vec<_>>())
        };
        Self {
            by_truth: (0..COUNT).map(|c| [of(c, &|t| !t), of(c, &|t| t)]).collect(),
            mean: (0..COUNT).map(|c| of(c, &|_| true)).collect(),
        }
    }
}

/// Concepts in the order in which they would change the answer most: by the difference of their votes for the two best classes.
fn uncertain_first(run: &Run, scores: &Scores) -> Vec<usize> {
    let logits = run.head.logits(scores);
    let best = greatest(&logits);
    let others: Vec<f64> = logits.iter().enumerate().map(|(k, l)| if k == best { f64::NEG_INFINITY } else { *l }).collect();
    let second = greatest(&others);
    let attention = run.head.attention(scores);
    let mut order: Vec<usize> = (0..COUNT).filter(|&c| scores[c].is_some()).collect();
    let gap = |c: usize| (attention[best][c] - attention[second][c]).abs();
    order.sort_by(|&a, &b| gap(b).total_cmp(&gap(a)));
    order
}

/// F1 after correcting 0 to [`CORRECTED`] concepts, to true and to random states.
fn intervention(study: &Study, run: &Run) -> [Vec<f64>; 2] {
    let oracle = Oracle::new(study, run);
    let mut rng = ChaCha12Rng::seed_from_u64(run.seed);
    let labels = Study::labels(&study.test);
    let mut curves = [Vec::new(), Vec::new()];
    let orders: Vec<Vec<usize>> = run.test_scores.iter().map(|s| uncertain_first(run, s)).collect();
    let coins: Vec<Vec<bool>> = orders.iter().map(|o| o.iter().map(|_| rng.random()).collect()).collect();
    for (random, curve) in curves.iter_mut().enumerate() {
        for count in 0..=CORRECTED {
            let answers: Vec<usize> = (0..study.test.len())
                .map(|i| {
                    let mut scores = run.test_scores[i].clone();
                    for (place, &c) in orders[i].iter().enumerate().take(count) {
                        let state = if random == 1 { coins[i][place] } else { study.test[i].truth[c] };
                        scores[c] = Some(oracle.by_truth[c][usize::from(state)]);
                    }
                    greatest(&run.head.logits(&scores))
                })
                .collect();
            curve.push(macro_f1(&labels, &answers, study.paper.network.classes));
        }
    }
    curves
}

/// Mean fall of the answer's probability when its three strongest concepts, or three random ones, are set to their means.
fn faithfulness(study: &Study, run: &Run) -> [f64; 2] {
    let oracle = Oracle::new(study, run);
    let mut rng = ChaCha12Rng::seed_from_u64(run.seed + 1);
    let (mut top, mut random) = (Vec::new(), Vec::new());
    for scores in &run.test_scores {
        let p = softmax(&run.head.logits(scores));
        let answer = greatest(&p);
        let fall = |chosen: &[usize]| {
            let mut scores = scores.clone();
            chosen.iter().for_each(|&c| scores[c] = Some(oracle.mean[c]));
            p[answer] - softmax(&run.head.logits(&scores))[answer]
        };
        let attention = &run.head.attention(scores)[answer];
        let mut order: Vec<usize> = (0..COUNT).filter(|&c| scores[c].is_some()).collect();
        order.sort_by(|&a, &b| attention[b].total_cmp(&attention[a]));
        top.push(fall(&order[..DELETED]));
        for _ in 0..DRAWS {
            order.shuffle(&mut rng);
            random.push(fall(&order[..DELETED]));
        }
    }
    [mean(&top), mean(&random)]
}

/// All bars but the sixth.
pub(super) fn outcomes(study: &Study) -> Result<Vec<ClaimOutcome>> {
    let runs = &study.runs;
    let each = |f: &dyn Fn(&Run) -> f64| runs.iter().map(f).collect::<Vec<f64>>();
    let (f1, blackbox) = (each(&|r| r.worth.f1), each(&|r| r.worth.blackbox_f1));
    let gaps: Vec<f64> = f1.iter().zip(&blackbox).map(|(a, b)| a - b).collect();
    let c1 = runs.iter().map(|r| random_vectors(study, r)).collect::<Result<Vec<_>>>()?;
    let c2 = runs.iter().map(|r| shuffled_labels(study, r)).collect::<Result<Vec<_>>>()?;
    let c3 = each(&|r| linear_probe(study, r));
    let c4 = runs.iter().map(|r| single_modalities(study, r)).collect::<Result<Vec<_>>>()?;
    let detail = json!({
        "seeds": runs.iter().map(|r| r.seed).collect::<Vec<_>>(), "bottleneck_f1": f1, "blackbox_f1": blackbox,
        "f1_by_true_concepts": each(&|r| r.worth.bayes_f1), "c1_random_vectors_f1": c1,
        "c2_shuffled_labels_f1": c2.iter().map(|c| c.1).collect::<Vec<_>>(), "c3_linear_probe_f1": c3,
        "worth": runs.iter().map(|r| &r.worth).collect::<Vec<_>>(), "held_out": runs.iter().map(|r| &r.bank.held_out).collect::<Vec<_>>(),
    });
    let mut all = vec![outcome("bar-1", mean(&gaps), mean(&gaps) >= -0.02, detail)];

    let auroc = each(&|r| mean(&r.worth.concept_auroc));
    let control: Vec<f64> = c2.iter().map(|c| c.0).collect();
    let holds = mean(&auroc) >= 0.80 && (0.45..=0.55).contains(&mean(&control));
    all.push(outcome("bar-2", mean(&auroc), holds, json!({"mean_auroc": auroc, "c2_shuffled_labels": control})));

    let curves: Vec<[Vec<f64>; 2]> = runs.iter().map(|r| intervention(study, r)).collect();
    let average =
        |which: usize| -> Vec<f64> { (0..=CORRECTED).map(|n| mean(&curves.iter().map(|c| c[which][n]).collect::<Vec<_>>())).collect() };
    let (right, random) = (average(0), average(1));
    let rise = right[CORRECTED] - right[0];
    let steady = right.windows(2).all(|w| w[1] >= w[0] - 0.01);
    let control_holds = random[CORRECTED] <= random[0];
    let detail =
        json!({"corrected": right, "random": random, "non_decreasing": steady, "random_does_not_help": control_holds, "by_seed": curves});
    all.push(outcome("bar-3", rise, rise >= 0.03 && steady && control_holds, detail));

    let best: Vec<f64> = c4.iter().map(|c| c.iter().copied().fold(0.0, f64::max)).collect();
    let gain = mean(&f1.iter().zip(&best).map(|(a, b)| a - b).collect::<Vec<_>>());
    all.push(outcome("bar-4", gain, gain >= 0.03, json!({"single_modality_f1": c4})));

    let falls: Vec<[f64; 2]> = runs.iter().map(|r| faithfulness(study, r)).collect();
    let ratio = mean(&falls.iter().map(|f| f[0]).collect::<Vec<_>>()) / mean(&falls.iter().map(|f| f[1]).collect::<Vec<_>>());
    all.push(outcome("bar-5", ratio, ratio >= 2.0, json!({"falls_top_and_random": falls})));

    let parity = runs.iter().map(|r| r.parity).fold(0.0, f64::max);
    all.push(outcome("parity", parity, parity <= AGREED, json!({"by_seed": each(&|r| r.parity)})));
    Ok(all)
}
