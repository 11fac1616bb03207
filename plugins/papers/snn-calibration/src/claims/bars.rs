//! From measurements to bars. Nothing here measures; nothing here can be tuned to a result.

use super::events::Agreement;
use super::seed_run::{CLOSE_STEPS, LONG_STEPS, SeedRun, at};
use super::study::Arm;
use crate::config::ClaimsConfig;
use serde_json::{Value, json};
use zoo_core::ClaimOutcome;

/// Mean over seeds.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Standard deviation over seeds (n - 1); 0 for one seed.
pub(crate) fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (squares / values.len().saturating_sub(1).max(1) as f64).sqrt()
}

/// All eight bars. `runs` and `agreements` are by seed.
pub(super) fn outcomes(claims: &ClaimsConfig, runs: &[SeedRun], agreements: &[Result<Agreement, String>]) -> Vec<ClaimOutcome> {
    let t = claims.t_star;
    let half = (t / 2).max(1);
    let accuracy = |run: &SeedRun, arm: Arm, steps: u32| run.scores.get(&at(arm, steps)).map_or(f64::NAN, |s| s.accuracy);
    let by_seed = |f: &dyn Fn(&SeedRun) -> f64| runs.iter().map(f).collect::<Vec<f64>>();
    let gain = |a: Arm, b: Arm, steps: u32| by_seed(&|run| accuracy(run, a, steps) - accuracy(run, b, steps));
    let outcome = |id: &str, measured: f64, holds: bool, detail: Value| ClaimOutcome { id: id.into(), measured, holds, detail };
    let seeds = &claims.seeds;

    let light = gain(Arm::LIGHT, Arm::MAX_NONE, t);
    let searched = gain(Arm::MMSE_NONE, Arm::MAX_NONE, t);
    let potential = gain(Arm::ADVANCED_PC, Arm::LIGHT, t);
    let potential_half = gain(Arm::ADVANCED_PC, Arm::LIGHT, half);
    let close = by_seed(&|run| run.ann - accuracy(run, Arm::ADVANCED_PC, CLOSE_STEPS));
    let long = by_seed(&|run| run.ann_long - accuracy(run, Arm::MAX_NONE, LONG_STEPS));
    let permuted = by_seed(&|run| run.permuted.accuracy - accuracy(run, Arm::MMSE_NONE, t));
    let share = |pick: &dyn Fn(&SeedRun) -> super::seed_run::Fallen| {
        let (fallen, of) = runs.iter().map(pick).fold((0, 0), |(f, o), s| (f + s.fallen, o + s.of));
        100.0 * fallen as f64 / (of.max(1)) as f64
    };
    let (fell_bias, fell_potential) = (share(&|r| r.fell_bias), share(&|r| r.fell_potential));
    let fell_channels = share(&|r| r.fell_channels);
    let agreed: usize = agreements.iter().flatten().map(|a| a.same).sum();
    let compared: usize = agreements.iter().flatten().map(|a| a.of).sum();
    let complete = agreements.len() == runs.len() && agreements.iter().all(Result::is_ok) && compared > 0;
    let percent_agreed = if compared > 0 { 100.0 * agreed as f64 / compared as f64 } else { 0.0 };

    vec![
        outcome(
            "bar-1",
            mean(&light),
            mean(&light) >= 8.0 && light.iter().all(|g| *g > 0.0),
            json!({"T": t, "seeds": seeds, "light_minus_max_none": light, "std": deviation(&light), "ann": by_seed(&|r| r.ann),
                "c4_accuracy_by_calibration_images": runs.iter().map(|r| &r.by_images).collect::<Vec<_>>(),
                "c6_accuracy_shift_on_off": runs.iter().map(|r| &r.by_shift).collect::<Vec<_>>(),
                "scores": runs.iter().map(|r| &r.scores).collect::<Vec<_>>()}),
        ),
        outcome(
            "bar-2",
            mean(&searched),
            mean(&searched) >= 2.0,
            json!({"T": t, "mmse_none_minus_max_none": searched, "std": deviation(&searched)}),
        ),
        outcome(
            "bar-3",
            mean(&potential),
            mean(&potential) >= -0.3 && mean(&potential_half) >= 0.0,
            json!({"T": t, "advanced_minus_light": potential, "at_half_T": {"T": half, "advanced_minus_light": potential_half, "mean": mean(&potential_half)}}),
        ),
        outcome(
            "bar-4",
            mean(&close),
            mean(&close) <= 1.0 && mean(&long) <= 1.0,
            json!({"T": CLOSE_STEPS, "ann_minus_advanced": close, "long": {"T": LONG_STEPS, "ann_minus_max_none": long, "mean": mean(&long)}}),
        ),
        outcome(
            "bar-5",
            fell_bias.min(fell_potential),
            fell_bias >= 80.0 && fell_potential >= 80.0,
            json!({"percent_of_layers": {"bias": fell_bias, "potential": fell_potential}, "errors": runs.iter().map(|r| &r.errors).collect::<Vec<_>>()}),
        ),
        outcome(
            "bar-6",
            fell_channels,
            fell_channels >= 80.0,
            json!({"by_seed": runs.iter().map(|r| r.fell_channels).collect::<Vec<_>>()}),
        ),
        outcome(
            "bar-7",
            mean(&permuted),
            mean(&permuted) <= 2.0,
            json!({"permuted_minus_mmse_none": permuted, "permuted": by_seed(&|r| r.permuted.accuracy)}),
        ),
        outcome("bar-8", percent_agreed, complete && agreed == compared, json!({"by_seed": agreements})),
    ]
}

#[cfg(test)]
mod tests {
    use super::{deviation, mean};

    #[test]
    fn mean_and_deviation_by_hand() {
        assert_eq!(mean(&[1.0, 2.0, 6.0]), 3.0);
        assert!((deviation(&[1.0, 2.0, 6.0]) - 7f64.sqrt()).abs() < 1e-12);
        assert_eq!(deviation(&[4.0]), 0.0);
    }
}
