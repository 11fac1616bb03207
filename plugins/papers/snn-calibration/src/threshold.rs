//! Thresholds from ANN activations (specification section 4; public code: `find_threshold_mse`).

use crate::ann::Ann;
use crate::rate::quantise;
use crate::reference::Reference;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use zoo_core::{Error, Level, Reporter, Result};

/// How the threshold of a layer is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThresholdMode {
    /// The greatest activation; the baseline of plain weight copying.
    Max,
    /// A percentile of the activations, zeros included.
    Percentile(f64),
    /// The least mean squared difference between activation and closed-form rate.
    Mmse,
}

impl std::fmt::Display for ThresholdMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::Percentile(p) => write!(f, "percentile-{p}"),
            Self::Mmse => f.write_str("mmse"),
        }
    }
}

/// The search's settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ThresholdSearch {
    /// How a threshold is chosen.
    pub mode: ThresholdMode,
    /// One threshold a channel instead of one a layer.
    #[serde(default)]
    pub channel_wise: bool,
    /// Images in a batch.
    pub batch: usize,
    /// Batches that are averaged, images taken round and round. The public script asks for 5 and, leaving its loop one
    /// pass late twice over, takes 7.
    pub batches: usize,
    /// Weight of the old value in the running average over batches.
    pub ema: f32,
}

impl Default for ThresholdSearch {
    fn default() -> Self {
        Self { mode: ThresholdMode::Mmse, channel_wise: false, batch: 64, batches: 7, ema: 0.9 }
    }
}

/// Candidates of the search: `max * (1 - 0.01 i)`.
const CANDIDATES: u32 = 95;

/// Threshold of a layer or channel that was never active: any positive value keeps it as silent as the ANN.
const SILENT: f32 = 1.0;

/// Thresholds of all spiking layers, by layer index.
///
/// # Errors
/// [`Error::Argument`] for no images, no batches, or a percentile outside `(0, 100]`; [`Error::Cancelled`].
pub fn thresholds(
    ann: &Ann,
    reference: &Reference,
    search: ThresholdSearch,
    steps: u32,
    reporter: &dyn Reporter,
) -> Result<Vec<Option<Vec<f32>>>> {
    if reference.is_empty() || search.batch == 0 || search.batches == 0 {
        let found = format!("{} images, {} batches of {}", reference.len(), search.batches, search.batch);
        return Err(Error::argument("threshold search", "at least one image, batch and batch size", found));
    }
    if let ThresholdMode::Percentile(p) = search.mode
        && !(p > 0.0 && p <= 100.0)
    {
        return Err(Error::argument("threshold percentile", "a number above 0, at most 100", p));
    }
    let network = ann.network();
    let mut found = vec![None; network.nodes().len()];
    for layer in network.spiking() {
        reporter.check()?;
        let channels = network.shape(layer)[0];
        let groups = if search.channel_wise { channels } else { 1 };
        let mut values: Vec<f32> = Vec::new();
        for batch in 0..search.batches {
            let images: Vec<usize> = (0..search.batch).map(|i| (batch * search.batch + i) % reference.len()).collect();
            let of_group = |group: usize| {
                let pick = |image: &usize| {
                    let activation = reference.activation(*image, layer);
                    activation.iter().skip(group).step_by(groups).copied().collect::<Vec<_>>()
                };
                best(images.iter().flat_map(pick).collect(), search.mode, steps)
            };
            let fresh: Vec<f32> = (0..groups).into_par_iter().map(of_group).collect();
            if batch == 0 {
                values = fresh;
            } else {
                values.iter_mut().zip(fresh).for_each(|(old, new)| *old = search.ema * *old + (1.0 - search.ema) * new);
            }
        }
        for (channel, value) in values.iter_mut().enumerate().filter(|(_, v)| **v <= 0.0) {
            let who = if search.channel_wise { format!("channel {channel} of layer {layer}") } else { format!("layer {layer}") };
            reporter.log(Level::Warn, "snn-calibration", &format!("{who} is never active; its threshold is set to {SILENT}"));
            *value = SILENT;
        }
        found[layer] = Some(values);
    }
    Ok(found)
}

/// The threshold that `mode` chooses for a set of ReLU activations; 0 if none is active.
pub fn best(mut activations: Vec<f32>, mode: ThresholdMode, steps: u32) -> f32 {
    let max = activations.iter().copied().fold(0.0, f32::max);
    match mode {
        ThresholdMode::Max => max,
        ThresholdMode::Percentile(p) => {
            // The least rank with at least p per cent at or below it; the small number keeps 99.9 % of 1,000 at rank 999.
            let rank = ((p * activations.len() as f64 / 100.0 - 1e-6).ceil() as usize).clamp(1, activations.len()) - 1;
            let at_rank = *activations.select_nth_unstable_by(rank, f32::total_cmp).1;
            // In a sparse layer the percentile itself may be silent; the maximum then is the only scale there is.
            if at_rank > 0.0 { at_rank } else { max }
        }
        ThresholdMode::Mmse => {
            // Silent units quantise to themselves at every threshold.
            activations.retain(|&a| a > 0.0);
            let errors: Vec<f64> = (0..CANDIDATES).into_par_iter().map(|i| squared_error(&activations, candidate(max, i), steps)).collect();
            let first_best = errors.iter().enumerate().fold((0, f64::INFINITY), |b, (i, &e)| if e < b.1 { (i, e) } else { b }).0;
            candidate(max, first_best as u32)
        }
    }
}

/// Candidate `i` of the search.
fn candidate(max: f32, i: u32) -> f32 {
    max * (1.0 - 0.01 * i as f32)
}

fn squared_error(activations: &[f32], theta: f32, steps: u32) -> f64 {
    const LANES: usize = 16;
    let steps = steps as f32;
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            let mut total = 0.0f64;
            // Short f32 sums in lanes, joined in f64: fast, and the same on every machine.
            for block in activations.chunks(64 * LANES) {
                let mut lanes = [0.0f32; LANES];
                let mut rows = block.chunks_exact(LANES);
                for row in &mut rows {
                    for (lane, &a) in lanes.iter_mut().zip(row) {
                        let e = a - quantise(a, theta, steps);
                        *lane += e * e;
                    }
                }
                total += lanes.iter().map(|&l| f64::from(l)).sum::<f64>();
                total += rows.remainder().iter().map(|&a| f64::from(a - quantise(a, theta, steps)).powi(2)).sum::<f64>();
            }
            total
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Brute force in f64 without the shortcuts: every candidate over every activation, zeros included.
    fn brute(activations: &[f32], steps: u32) -> (f32, Vec<f64>) {
        let max = activations.iter().copied().fold(0.0, f32::max);
        let error = |i: u32| {
            let theta = max * (1.0 - 0.01 * i as f32);
            let q = |a: f32| (a * (steps as f32 / theta)).clamp(0.0, steps as f32).floor() * (theta / steps as f32);
            activations.iter().map(|&a| f64::from(a - q(a)).powi(2)).sum::<f64>()
        };
        let errors: Vec<f64> = (0..95).map(error).collect();
        let mut at = 0;
        for i in 1..95 {
            if errors[i] < errors[at] {
                at = i;
            }
        }
        (max * (1.0 - 0.01 * at as f32), errors)
    }

    #[test]
    fn the_search_equals_brute_force() {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32
        };
        for steps in [1, 2, 8, 32] {
            let activations: Vec<f32> = (0..3000).map(|_| (next() * 4.0 - 1.5).max(0.0) * next()).collect();
            let found = best(activations.clone(), ThresholdMode::Mmse, steps);
            let (wanted, errors) = brute(&activations, steps);
            let at = |theta: f32| errors[((1.0 - theta / candidate(brute_max(&activations), 0)) * 100.0).round() as usize];
            assert!((at(found) - at(wanted)).abs() <= 1e-5 * at(wanted), "T={steps}: {found} against {wanted}");
        }
    }

    fn brute_max(activations: &[f32]) -> f32 {
        activations.iter().copied().fold(0.0, f32::max)
    }

    #[test]
    fn the_first_of_equal_candidates_wins() {
        // One activation at the maximum: theta = max quantises it without error, and nothing can be better.
        assert_eq!(best(vec![0.0, 3.0], ThresholdMode::Mmse, 4), 3.0);
        // T = 1 with one value: every theta <= value errs by value - theta, so again the first candidate.
        assert_eq!(best(vec![2.0], ThresholdMode::Mmse, 1), 2.0);
    }

    #[test]
    fn percentiles_and_silence() {
        let values: Vec<f32> = (1..=1000).map(|v| v as f32).collect();
        assert_eq!(best(values.clone(), ThresholdMode::Percentile(99.9), 8), 999.0);
        assert_eq!(best(values, ThresholdMode::Percentile(100.0), 8), 1000.0);
        assert_eq!(best(vec![0.0; 99].into_iter().chain([5.0]).collect(), ThresholdMode::Percentile(50.0), 8), 5.0);
        for mode in [ThresholdMode::Max, ThresholdMode::Percentile(99.9), ThresholdMode::Mmse] {
            assert_eq!(best(vec![0.0; 10], mode, 8), 0.0);
        }
    }
}
