//! The bars of specification section 7, over all counted seeds and arms.

use crate::config::PaperConfig;
use crate::evaluate::{Measures, Prediction, mean_of, measure, predict};
use crate::export::{DEFAULT, FULL, export};
use crate::field::warp;
use crate::model::{loaded, metadata};
use crate::phantom::{self, Patient, Split, Template};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use zoo_core::metric::dice;
use zoo_core::{ClaimOutcome, Config, Error, Level, Result, Tensor, Workbench};

/// Registered names of the arms, by letter.
const ARMS: [(&str, &str); 4] = [("A", "girnet/baseline"), ("B", "girnet/girnet"), ("C", "girnet/oracle"), ("D", "girnet/random-mask")];
/// Thresholds that validation chooses from, for the mask by difference.
const THRESHOLDS: std::ops::RangeInclusive<u32> = 1..=40;
/// Step of the thresholds.
const STEP: f32 = 0.01;
/// Greatest difference of the full graph's displacement from ours, pixels.
const AGREED: f64 = 1e-2;

fn outcome(id: &str, measured: f64, holds: bool, detail: Value) -> ClaimOutcome {
    ClaimOutcome { id: id.into(), measured, holds, detail }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// One arm of one seed.
struct Run {
    measures: Vec<Measures>,
    predictions: Vec<Prediction>,
    /// Measures of the patients without their lesions.
    clean: Vec<Measures>,
}

/// Patients, and the paths to the runs.
struct Study<'a> {
    paper: &'a PaperConfig,
    val: Vec<Patient>,
    test: Vec<Patient>,
}

impl Study<'_> {
    fn run(&self, name: &str, seed: u64, patients: &[Patient], bench: &mut dyn Workbench) -> Result<Run> {
        let (file, config) = bench.weights(name, Some(seed))?;
        let paper = PaperConfig::read(&config)?;
        let weights = loaded(&paper, &file)?;
        let network = &paper.network;
        let mut session = bench.compile(&export(DEFAULT, None, network, &weights, &metadata(&paper, &file))?)?;
        let predictions = predict(session.as_mut(), patients, network, false, bench.reporter())?;
        let clean = predict(session.as_mut(), patients, network, true, bench.reporter())?;
        let all = |p: &[Prediction], clean: bool| -> Result<Vec<Measures>> {
            patients.iter().zip(p).map(|(t, p)| measure(t, p, network, clean)).collect()
        };
        Ok(Run { measures: all(&predictions, false)?, clean: all(&clean, true)?, predictions })
    }

    /// Mean overlap of the lesion with where patient and warped atlas differ by more than each threshold.
    fn by_difference(&self, patients: &[Patient], predictions: &[Prediction]) -> Result<Vec<f64>> {
        let mut sums = vec![0.0; THRESHOLDS.count()];
        for (patient, prediction) in patients.iter().zip(predictions) {
            let fields = prediction.fields(&self.paper.network)?;
            let atlas = warp(&patient.y, 1, &fields.yx, &self.paper.network.grid)?;
            let truth: Vec<u8> = patient.lesion.iter().map(|v| u8::from(*v)).collect();
            for (sum, n) in sums.iter_mut().zip(THRESHOLDS) {
                let limit = STEP * n as f32;
                let differs = |p: usize| u8::from(patient.brain[p] && (patient.x[p] - atlas[p]).abs() > limit);
                *sum += dice(&(0..truth.len()).map(differs).collect::<Vec<_>>(), &truth, 1);
            }
        }
        Ok(sums.iter().map(|s| s / patients.len().max(1) as f64).collect())
    }
}

/// Measures all bars.
///
/// # Errors
/// [`Error::NotOffered`] for a configuration without counted runs; whatever loading and measuring find.
pub fn claims(model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
    let paper = PaperConfig::read(config)?;
    let Some(counted) = paper.claims.clone() else {
        return Err(Error::NotOffered {
            who: model.into(),
            what: "claims".into(),
            hint: "all bars are measured with girnet/girnet".into(),
        });
    };
    let template = Template::read(bench.dataset(&paper.dataset, "template")?.as_ref())?;
    let draw = |split, bench: &dyn Workbench| phantom::patients(&template, &paper.phantom, &paper.network, split, None, bench.reporter());
    let study = Study { paper: &paper, val: draw(Split::Val, bench)?, test: draw(Split::Test, bench)? };
    let mut runs: BTreeMap<&str, Vec<Run>> = BTreeMap::new();
    let (mut thresholds, mut by_difference) = (Vec::new(), Vec::new());
    for seed in counted.seeds {
        for (letter, name) in ARMS {
            match study.run(name, seed, &study.test, bench) {
                Ok(run) => runs.entry(letter).or_default().push(run),
                Err(error @ Error::Unknown { .. }) => {
                    bench.log(Level::Warn, "girnet", &format!("{name}, seed {seed}: {error}; the bars stay unmeasured"));
                    return Ok(Vec::new());
                }
                Err(error) => return Err(error),
            }
        }
        // The rival of the mask: a threshold, chosen on validation, on the registration that knows no lesion.
        let validation = study.run(ARMS[0].1, seed, &study.val, bench)?;
        let scores = study.by_difference(&study.val, &validation.predictions)?;
        let best = (0..scores.len()).fold(0, |best, i| if scores[i] > scores[best] { i } else { best });
        let tested = runs["A"].last().map_or(&[][..], |r| r.predictions.as_slice());
        thresholds.push(f64::from(STEP) * (best + 1) as f64);
        by_difference.push(study.by_difference(&study.test, tested)?[best]);
    }
    let mut outcomes = bars(&runs, &thresholds, &by_difference);
    outcomes.push(parity(&study, bench)?);
    Ok(outcomes)
}

fn bars(runs: &BTreeMap<&str, Vec<Run>>, thresholds: &[f64], by_difference: &[f64]) -> Vec<ClaimOutcome> {
    let each = |letter: &str, of: &dyn Fn(&Run) -> f64| runs[letter].iter().map(of).collect::<Vec<f64>>();
    let near = |letter: &str| each(letter, &|r| mean_of(&r.measures, |m| m.near));
    let (a, b, c, d) = (near("A"), near("B"), near("C"), near("D"));
    let floor = each("A", &|r| mean_of(&r.clean, |m| m.near));
    let bands = |letter: &str| runs[letter].iter().map(|r| [0, 1, 2].map(|i| mean_of(&r.measures, |m| m.bands[i]))).collect::<Vec<_>>();
    let reductions: Vec<f64> = a.iter().zip(&b).map(|(a, b)| 100.0 * (a - b) / a).collect();
    let reduction = mean(&reductions);
    let holds = reductions.iter().all(|r| *r > 0.0) && reduction >= 5.0;
    let tables: BTreeMap<&str, _> = ["A", "B", "C", "D"].into_iter().map(|l| (l, bands(l))).collect();
    let detail = json!({
        "near_mm": {"A": a, "B": b, "C": c, "D": d, "E": floor}, "reduction_percent": reductions, "bands_mm": tables,
    });
    let mut all = vec![outcome("bar-1", reduction, holds, detail)];

    let order = [mean(&c), mean(&b), mean(&d)];
    let detail = json!({"means_mm": {"C": order[0], "B": order[1], "D": order[2]}});
    all.push(outcome("bar-2", order[2] - order[0], order[0] <= order[1] && order[1] <= order[2], detail));

    let overlap = each("B", &|r| mean_of(&r.measures, |m| m.dice));
    let distance = each("B", &|r| mean_of(&r.measures, |m| m.hd95));
    let (own, rival) = (mean(&overlap), mean(by_difference));
    let detail = json!({"dice": overlap, "hd95_mm": distance, "by_difference": by_difference, "thresholds": thresholds});
    all.push(outcome("bar-3", own, own >= 0.35 && own >= rival, detail));

    let kept = each("B", &|r| {
        let fits = r.measures.iter().filter(|m| m.area_ratio.is_some_and(|v| (0.3..=3.0).contains(&v))).count();
        fits as f64 / r.measures.len().max(1) as f64
    });
    let idle = each("B", &|r| mean_of(&r.clean, |m| m.brain_share));
    let holds = mean(&kept) >= 0.8 && mean(&idle) <= 0.03;
    all.push(outcome("bar-4", mean(&kept), holds, json!({"share_of_patients": kept, "mask_of_brain_without_lesion": idle})));

    let folds = each("B", &|r| mean_of(&r.measures, |m| Some(m.folds)));
    let inverse = each("B", &|r| mean_of(&r.measures, |m| Some(m.inverse)));
    let worst = folds.iter().copied().fold(0.0, f64::max);
    let holds = worst <= 0.5 && inverse.iter().all(|v| *v <= 1.0);
    all.push(outcome("bar-5", worst, holds, json!({"fold_percent": folds, "inverse_mm": inverse})));
    all
}

/// The graph with integration inside against velocities integrated here.
fn parity(study: &Study<'_>, bench: &mut dyn Workbench) -> Result<ClaimOutcome> {
    let (file, config) = bench.weights(ARMS[1].1, None)?;
    let paper = PaperConfig::read(&config)?;
    let weights = loaded(&paper, &file)?;
    let (network, patient) = (&paper.network, &study.test[..1]);
    let side = network.grid[0];
    let mut session = bench.compile(&export(DEFAULT, None, network, &weights, &metadata(&paper, &file))?)?;
    let own = predict(session.as_mut(), patient, network, false, bench.reporter())?[0].fields(network)?;
    let mut full = bench.compile(&export(FULL, None, network, &weights, &metadata(&paper, &file))?)?;
    let image = |v: &[f32]| Tensor::from_vec([1, 1, side, side], v.to_vec());
    let outputs = full.run(&[image(&patient[0].x)?, image(&patient[0].y)?])?;
    let place = full.outputs().iter().position(|o| o.name == "flow_yx").unwrap_or(3);
    let flow = outputs.get(place).ok_or_else(|| Error::shape("outputs of the full graph", 4, outputs.len()))?.to_f32();
    let apart = flow.iter().zip(&own.yx).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
    Ok(outcome("parity", apart, apart <= AGREED, json!({"greatest_difference_pixels": apart})))
}
