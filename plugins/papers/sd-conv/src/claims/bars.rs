//! From runs to bars. Nothing here measures; nothing here can be tuned to a result.

use super::{Run, Runs, mean, standard_error};
use crate::count::{Cost, cost};
use crate::layer::{DynamicConv, Shape, conv3x3};
use crate::mask::keeps;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};
use zoo_core::ClaimOutcome;

/// Names of the arms.
pub(super) mod arm {
    pub(in super::super) const STATIC: &str = "s1";
    pub(in super::super) const PRUNED_STATIC: &str = "s3";
    pub(in super::super) const DENSE: &str = "d";
    pub(in super::super) const UNIFORM: &str = "d1";
    pub(in super::super) const HALF: &str = "sd-0.5";
    pub(in super::super) const MAIN: &str = "sd-0.3";
    pub(in super::super) const TENTH: &str = "sd-0.1";
    pub(in super::super) const RANDOM: &str = "r-0.3";
    pub(in super::super) const MAGNITUDE: &str = "p-0.3";
}

/// Channels of the mosaic of kernels, along each side.
const MOSAIC: usize = 6;
/// Permutations of the control of the mutual information.
const PERMUTATIONS: usize = 1000;
/// Quantiles of Student's distribution for 1 to 9 degrees of freedom: 95 % one-sided, and 97.5 %.
const T95: [f64; 9] = [6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833];
const T975: [f64; 9] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];

fn quantile(table: &[f64; 9], n: usize) -> f64 {
    table[n.saturating_sub(2).min(8)]
}

fn outcome(id: &str, measured: f64, holds: bool, detail: Value) -> ClaimOutcome {
    ClaimOutcome { id: id.into(), measured, holds, detail }
}

/// Every bar whose arms have been trained with every seed.
pub(super) fn outcomes(runs: &Runs) -> Vec<ClaimOutcome> {
    [exactness, learned, not_inferior, beats_controls, routing_helps, costs, against_static, routing_used, curve]
        .iter()
        .filter_map(|bar| bar(runs))
        .collect()
}

fn accuracies(runs: &[&Run]) -> Vec<f64> {
    runs.iter().map(|run| run.scored.accuracy()).collect()
}

fn differences(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// Costs of a network's dynamic convolutions on one image, summed.
fn network_cost(run: &Run) -> Cost {
    let mut sum = Cost { nonzeros: 0, dense: 0, mask_bits: 0, csr_index_bytes: 0, attention: 0, union: 0, macs: 0, dense_macs: 0 };
    for (layer, [rows, columns]) in run.net.layers.iter().zip(run.net.sides()) {
        let one = cost(layer, (rows * columns) as u64);
        sum.nonzeros += one.nonzeros;
        sum.dense += one.dense;
        sum.mask_bits += one.mask_bits;
        sum.csr_index_bytes += one.csr_index_bytes;
        sum.attention += one.attention;
        sum.union += one.union;
        sum.macs += one.macs;
        sum.dense_macs += one.dense_macs;
    }
    sum
}

fn density(run: &Run) -> f64 {
    let cost = network_cost(run);
    cost.nonzeros as f64 / cost.dense as f64
}

/// Share of a layer's weights that are not 0.
fn kept(layer: &DynamicConv) -> f64 {
    layer.weight.iter().filter(|w| **w != 0.0).count() as f64 / layer.weight.len() as f64
}

/// The first kernels' first channels of a layer, to three digits, for a picture: `[K, outputs, inputs, 9]`.
fn mosaic(layer: &DynamicConv) -> Value {
    let Shape { inputs, outputs, kernels, .. } = layer.shape;
    let (rows, columns) = (outputs.min(MOSAIC), inputs.min(MOSAIC));
    let mut values = Vec::with_capacity(kernels * rows * columns * 9);
    for kernel in layer.weight.chunks_exact(layer.shape.kernel_len()) {
        for output in kernel.chunks_exact(inputs * 9).take(rows) {
            values.extend(output[..columns * 9].iter().map(|w| (f64::from(*w) * 1e3).round() / 1e3));
        }
    }
    json!({"shape": [kernels, rows, columns, 9], "values": values})
}

/// How often each kernel had the greatest share, class by class: `[layers, classes, K]`.
fn choices(run: &Run) -> Vec<Vec<Vec<usize>>> {
    let (classes, kernels) = (run.paper.network.classes, run.paper.network.kernels);
    let count = |chosen: &Vec<usize>| {
        let mut table = vec![vec![0; kernels]; classes];
        chosen.iter().zip(&run.scored.labels).for_each(|(kernel, class)| table[*class][*kernel] += 1);
        table
    };
    run.scored.chosen.iter().map(count).collect()
}

/// Every arm's numbers, for the record.
fn table(runs: &Runs) -> Value {
    let mut all = Map::new();
    for arm in runs.arms() {
        let Some(of) = runs.arm(&arm) else { continue };
        let accuracy = accuracies(&of);
        let ci = standard_error(&accuracy) * quantile(&T975, accuracy.len());
        let entropy: Vec<&Vec<f64>> = of.iter().map(|run| &run.scored.entropy).collect();
        let by_layer: Vec<f64> = of[0].net.layers.iter().map(kept).collect();
        let line = json!({"accuracy": accuracy, "density_by_layer_of_first_seed": by_layer, "mean": mean(&accuracy), "ci95_half_width": ci, "density": of.iter().map(|r| density(r)).collect::<Vec<_>>(),
            "cost_of_first_seed": network_cost(of[0]), "routing_entropy": entropy});
        all.insert(arm, line);
    }
    all.into()
}

/// A1: without pruning nothing changes, and one kernel is a static convolution.
fn exactness(runs: &Runs) -> Option<ClaimOutcome> {
    let run = *runs.arm(arm::DENSE)?.first()?;
    let mut worst = 0.0f64;
    let mut kept = true;
    for (layer, side) in run.net.layers.iter().zip(run.net.sides()) {
        kept &= layer.weight.iter().all(|w| keeps(f64::from(*w), 0.0));
        let size = layer.shape.kernel_len();
        let mut one = layer.clone();
        one.shape = Shape { kernels: 1, ..layer.shape };
        one.weight.truncate(size);
        one.bias.truncate(layer.shape.outputs);
        one.fc2.truncate(layer.shape.hidden);
        one.fc2_bias.truncate(1);
        let pixels = side[0] * side[1];
        let image: Vec<f32> = (0..layer.shape.inputs * pixels).map(|i| ((i * 37 % 101) as f32) / 101.0).collect();
        let expected = conv3x3(&image, &one.weight, Some(&one.bias), layer.shape.inputs, side);
        let found = one.forward(&image, side, 1.0);
        worst = found.iter().zip(&expected).map(|(a, b)| f64::from((a - b).abs())).fold(worst, f64::max);
    }
    let detail = json!({"a_threshold_of_0_keeps_all": kept, "one_kernel_against_static": worst});
    Some(outcome("a1", worst, kept && worst <= 1e-5, detail))
}

/// A2: the density comes out as asked, thresholds differ over the layers, and the file has the density the training logged.
fn learned(runs: &Runs) -> Option<ClaimOutcome> {
    let (mut worst, mut least_spread, mut logged) = (0.0f64, f64::INFINITY, true);
    let mut detail = Map::new();
    for name in [arm::HALF, arm::MAIN, arm::TENTH] {
        let of = runs.arm(name)?;
        let found: Vec<f64> = of.iter().map(|run| density(run)).collect();
        for run in &of {
            worst = worst.max((density(run) - run.paper.mask.density).abs());
            let thresholds: Vec<Vec<f64>> = serde_json::from_str(run.thresholds.as_deref()?).ok()?;
            let means: Vec<f64> = thresholds.iter().map(|t| mean(t)).collect();
            let spread = standard_error(&means) * (means.len() as f64).sqrt() / mean(&means);
            least_spread = least_spread.min(spread);
            let by_layer: Vec<f64> = serde_json::from_str(run.logged_density.as_deref()?).ok()?;
            logged &= run.net.layers.iter().zip(by_layer).all(|(layer, logged)| (kept(layer) - logged).abs() < 1e-12);
        }
        detail.insert(name.into(), json!(found));
    }
    detail.insert("least_variation_of_thresholds_over_layers".into(), json!(least_spread));
    detail.insert("file_equals_log".into(), json!(logged));
    Some(outcome("a2", 100.0 * worst, worst <= 0.02 && least_spread > 0.05 && logged, detail.into()))
}

/// B1: pruned is at most half a point worse than dense.
fn not_inferior(runs: &Runs) -> Option<ClaimOutcome> {
    let (pruned, dense) = (accuracies(&runs.arm(arm::MAIN)?), accuracies(&runs.arm(arm::DENSE)?));
    let gains = differences(&pruned, &dense);
    let bound = mean(&gains) - quantile(&T95, gains.len()) * standard_error(&gains);
    let detail = json!({"seeds": runs.seeds(), "differences": gains, "lower_bound_95": bound, "arms": table(runs)});
    Some(outcome("b1", bound, bound >= -0.5, detail))
}

/// B2: the learned mask beats a random one, and is at most 0.3 point worse than pruning afterwards.
fn beats_controls(runs: &Runs) -> Option<ClaimOutcome> {
    let main = accuracies(&runs.arm(arm::MAIN)?);
    let random = differences(&main, &accuracies(&runs.arm(arm::RANDOM)?));
    let after = differences(&main, &accuracies(&runs.arm(arm::MAGNITUDE)?));
    let t = mean(&random) / standard_error(&random);
    let holds = t > quantile(&T975, random.len()) && mean(&after) >= -0.3;
    let detail = json!({"minus_random": random, "t": t, "minus_magnitude": after, "mean_minus_magnitude": mean(&after)});
    Some(outcome("b2", mean(&random), holds, detail))
}

/// B3: at equal nonzeros, routing helps.
fn routing_helps(runs: &Runs) -> Option<ClaimOutcome> {
    let (main, plain) = (runs.arm(arm::MAIN)?, runs.arm(arm::PRUNED_STATIC)?);
    let gains = differences(&accuracies(&main), &accuracies(&plain));
    let nonzeros = |of: &[&Run]| mean(&of.iter().map(|run| network_cost(run).nonzeros as f64).collect::<Vec<_>>());
    let ratio = nonzeros(&plain) / nonzeros(&main);
    let detail = json!({"differences": gains, "nonzeros_of_s3_over_sd": ratio, "equal_within_2_percent": (ratio - 1.0).abs() <= 0.02});
    Some(outcome("b3", mean(&gains), mean(&gains) > 0.0 && (ratio - 1.0).abs() <= 0.02, detail))
}

/// B4: it is smaller and computes less than dense.
fn costs(runs: &Runs) -> Option<ClaimOutcome> {
    let (main, dense) = (runs.arm(arm::MAIN)?, runs.arm(arm::DENSE)?);
    let ratio = |of: fn(&Cost) -> u64| {
        let each = main.iter().zip(&dense).map(|(m, d)| of(&network_cost(m)) as f64 / of(&network_cost(d)) as f64);
        each.fold(0.0, f64::max)
    };
    let (nonzeros, macs) = (ratio(|c| c.nonzeros), ratio(|c| c.macs));
    let p = density(main[0]);
    let kernels = main[0].paper.network.kernels as i32;
    let detail = json!({"nonzeros": nonzeros, "macs": macs, "union": network_cost(main[0]).union,
        "union_of_independent_masks_at_this_density": 1.0 - (1.0 - p).powi(kernels), "mosaic_of_first_layer": mosaic(&main[0].net.layers[0]), "first_seed": network_cost(main[0]), "dense_first_seed": network_cost(dense[0])});
    Some(outcome("b4", nonzeros, nonzeros <= 0.40 && macs < 1.0, detail))
}

/// The stated claim: at least as good as static at fewer multiply-adds.
fn against_static(runs: &Runs) -> Option<ClaimOutcome> {
    let (tenth, plain) = (runs.arm(arm::TENTH)?, runs.arm(arm::STATIC)?);
    let gains = differences(&accuracies(&tenth), &accuracies(&plain));
    let macs = |of: &[&Run]| mean(&of.iter().map(|run| network_cost(run).macs as f64).collect::<Vec<_>>());
    let ratio = macs(&tenth) / macs(&plain);
    Some(outcome("b4-static", mean(&gains), mean(&gains) >= 0.0 && ratio < 1.0, json!({"differences": gains, "macs_over_static": ratio})))
}

/// Mutual information, in nats, of two lists of small numbers.
fn information(a: &[usize], b: &[usize]) -> f64 {
    let (rows, columns) = (a.iter().max().map_or(0, |m| m + 1), b.iter().max().map_or(0, |m| m + 1));
    let labelled = a.len().min(b.len()) as f64;
    let mut joint = vec![0.0f64; rows * columns];
    a.iter().zip(b).for_each(|(a, b)| joint[a * columns + b] += 1.0 / labelled);
    let row = |i: usize| joint[i * columns..(i + 1) * columns].iter().sum::<f64>();
    let column = |j: usize| (0..rows).map(|i| joint[i * columns + j]).sum::<f64>();
    let mut sum = 0.0;
    for i in 0..rows {
        for j in 0..columns {
            let p = joint[i * columns + j];
            if p > 0.0 {
                sum += p * (p / (row(i) * column(j))).ln();
            }
        }
    }
    sum
}

/// B5: the kernel that is chosen depends on the class, and equal shares are not better.
fn routing_used(runs: &Runs) -> Option<ClaimOutcome> {
    let (dense, uniform) = (runs.arm(arm::DENSE)?, runs.arm(arm::UNIFORM)?);
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut detail = Vec::new();
    let mut used = true;
    for run in &dense {
        let mut above = Vec::new();
        for chosen in &run.scored.chosen {
            let found = information(chosen, &run.scored.labels);
            let mut shuffled = run.scored.labels.clone();
            let mut control: Vec<f64> = (0..PERMUTATIONS)
                .map(|_| {
                    shuffled.shuffle(&mut rng);
                    information(chosen, &shuffled)
                })
                .collect();
            control.sort_by(f64::total_cmp);
            above.push(json!({"information": found, "control_95": control[PERMUTATIONS * 95 / 100]}));
        }
        used &= above.iter().any(|l| l["information"].as_f64() > l["control_95"].as_f64());
        detail.push(above);
    }
    let gains = differences(&accuracies(&dense), &accuracies(&uniform));
    let holds = used && mean(&gains) >= 0.0;
    Some(outcome(
        "b5",
        mean(&gains),
        holds,
        json!({"dense_minus_uniform": gains, "by_seed_and_layer": detail, "routing_is_used": used,
        "choices_of_first_seed": choices(dense[0])}),
    ))
}

/// C: accuracy does not rise while density falls to 0.3, but for noise.
fn curve(runs: &Runs) -> Option<ClaimOutcome> {
    let points: Vec<Vec<f64>> =
        [arm::DENSE, arm::HALF, arm::MAIN, arm::TENTH].iter().map(|a| runs.arm(a).map(|r| accuracies(&r))).collect::<Option<_>>()?;
    let rises: Vec<(f64, f64)> = points
        .windows(2)
        .map(|pair| {
            let rise = differences(&pair[1], &pair[0]);
            (mean(&rise), standard_error(&rise) * quantile(&T975, rise.len()))
        })
        .collect();
    let worst = rises[..2].iter().map(|(rise, noise)| rise - noise).fold(f64::NEG_INFINITY, f64::max);
    let detail =
        json!({"density": [1.0, 0.5, 0.3, 0.1], "accuracy": points.iter().map(|p| mean(p)).collect::<Vec<_>>(), "rises_and_noise": rises});
    Some(outcome("curve", worst, worst <= 0.0, detail))
}

#[cfg(test)]
mod tests {
    use super::information;

    #[test]
    fn information_by_hand() {
        // Two equal coins have ln 2; independent ones nothing.
        assert!((information(&[0, 1, 0, 1], &[1, 0, 1, 0]) - std::f64::consts::LN_2).abs() < 1e-12);
        assert!(information(&[0, 0, 1, 1], &[0, 1, 0, 1]).abs() < 1e-12);
    }
}
