//! The whole table: every arm at every number of steps, over all seeds.

use super::options::Options;
use crate::calibrate::Pipeline;
use crate::claims::{Arm, Exam, Score, Study, deviation, mean};
use crate::config::{ClaimsConfig, PaperConfig};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use zoo_core::{Error, Result, Workbench};

/// Numbers of steps at which weight calibration, by far the dearest arm, takes part.
const WEIGHT_CALIBRATION_STEPS: [u32; 2] = [4, 8];

pub(super) fn table(paper: &PaperConfig, claims: &ClaimsConfig, options: &Options, bench: &mut dyn Workbench) -> Result<Value> {
    let steps = options.numbers("steps")?.unwrap_or_else(|| claims.steps.clone());
    let limit = options.number("limit")?.map_or(usize::MAX, |n| n as usize);
    let shift = match options.text("shift") {
        None | Some("on") => true,
        Some("off") => false,
        Some(other) => return Err(Error::argument("option --shift", "on or off", other)),
    };
    let exam = Exam::read(paper, "test", 0..limit, bench)?;
    let mut ann = Vec::new();
    let mut scores: BTreeMap<(u32, usize), Vec<Score>> = BTreeMap::new();
    for &seed in &claims.seeds {
        let mut study = Study::new(paper, &claims.ann, seed, bench)?;
        ann.push(exam.ann(study.ann()));
        for &t in &steps {
            for (place, arm) in Arm::ALL.into_iter().enumerate() {
                if arm.pipeline == Pipeline::AdvancedWcPc && !WEIGHT_CALIBRATION_STEPS.contains(&t) {
                    continue;
                }
                let snn = study.convert(arm, t, shift, bench.reporter())?;
                let score = exam.snn(&snn, &format!("seed {seed}: {} T={t}", arm.name()), bench.reporter())?;
                scores.entry((t, place)).or_default().push(score);
            }
        }
    }
    let rows: Vec<Value> = scores
        .iter()
        .map(|(&(t, place), scores)| {
            let of = |pick: fn(&Score) -> f64| scores.iter().map(pick).collect::<Vec<f64>>();
            let accuracy = of(|s| s.accuracy);
            json!({
                "T": t,
                "arm": Arm::ALL[place].name(),
                "accuracy": mean(&accuracy),
                "std": deviation(&accuracy),
                "by_seed": accuracy,
                "spikes": mean(&of(|s| s.spikes)),
                "synops": mean(&of(|s| s.synops)),
            })
        })
        .collect();
    Ok(json!({
        "images": exam.len(), "seeds": claims.seeds, "shift": shift,
        "ann": {"accuracy": mean(&ann), "std": deviation(&ann), "by_seed": ann, "macs": paper.network()?.macs()},
        "rows": rows,
    }))
}
