//! Measures of one registration and of one mask (specification section 6).

use crate::config::NetworkConfig;
use crate::field::{Fields, compose, fold_percent, jacobian, lengths};
use crate::phantom::Patient;
use serde::Serialize;
use zoo_core::metric::{dice, hd95};
use zoo_core::{Error, Reporter, Result, Session, Tensor};

/// Edges of the bands of distance from the lesion, mm.
const BANDS: [f64; 2] = [5.0, 10.0];
/// Patients a pass.
const BATCH: usize = 10;

/// What the networks say of a patient.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Soft mask, where there is a generator.
    pub mask: Option<Vec<f32>>,
    /// Velocities from patient to atlas and back, from -1 to 1.
    pub velocity: [Vec<f32>; 2],
}

impl Prediction {
    /// Integrates the velocities.
    ///
    /// # Errors
    /// [`Error::Shape`] if the lengths do not fit.
    pub fn fields(&self, network: &NetworkConfig) -> Result<Fields> {
        let [xy, yx] = &self.velocity;
        Fields::integrate([xy, yx], network.range, network.squarings, &network.grid)
    }

    /// Where the mask is above a half, within the brain.
    pub fn hard(&self, patient: &Patient) -> Option<Vec<bool>> {
        self.mask.as_ref().map(|m| m.iter().zip(&patient.brain).map(|(m, b)| *m > 0.5 && *b).collect())
    }
}

/// Measures of one patient; lengths in mm.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measures {
    /// Error of the displacement from atlas to patient, mean over healthy tissue within 10 mm of the lesion.
    pub near: Option<f64>,
    /// The same within 5 mm, from 5 to 10 mm, and beyond.
    pub bands: [Option<f64>; 3],
    /// Per cent of folds of that displacement.
    pub folds: f64,
    /// Mean length, over the brain, of the way to the atlas and back.
    pub inverse: f64,
    /// Overlap of mask and lesion.
    pub dice: Option<f64>,
    /// 95th percentile of the distances of their outlines.
    pub hd95: Option<f64>,
    /// Area of the mask over that of the lesion.
    pub area_ratio: Option<f64>,
    /// Area of the mask over that of the brain.
    pub brain_share: Option<f64>,
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0f64);
    values.for_each(|v| {
        sum += v;
        count += 1.0;
    });
    (count > 0.0).then(|| sum / count)
}

/// Mean of what is there.
pub fn mean_of(all: &[Measures], of: impl Fn(&Measures) -> Option<f64>) -> f64 {
    mean(all.iter().filter_map(of)).unwrap_or(f64::NAN)
}

/// Distance of every pixel from the nearest pixel of a region, pixels; infinite if there is none.
fn distances(region: &[bool], side: usize) -> Vec<f64> {
    let points: Vec<[f64; 2]> = (0..region.len()).filter(|&p| region[p]).map(|p| [(p % side) as f64, (p / side) as f64]).collect();
    let nearest = |p: usize| {
        let own = [(p % side) as f64, (p / side) as f64];
        points.iter().map(|q| (own[0] - q[0]).powi(2) + (own[1] - q[1]).powi(2)).fold(f64::INFINITY, f64::min).sqrt()
    };
    (0..region.len()).map(nearest).collect()
}

/// Measures a prediction; `clean` says that it was made without the lesion. The same pixels count then as with it.
///
/// # Errors
/// [`Error::Shape`] if the lengths do not fit.
pub fn measure(patient: &Patient, prediction: &Prediction, network: &NetworkConfig, clean: bool) -> Result<Measures> {
    let (grid, side, spacing) = (network.grid.as_slice(), network.grid[0], network.spacing);
    let fields = prediction.fields(network)?;
    let truth = if clean { &patient.clean_truth } else { &patient.truth };
    let difference: Vec<f32> = fields.yx.iter().zip(truth).map(|(a, b)| a - b).collect();
    let errors = lengths(&difference, 2);
    let away = distances(&patient.lesion, side);
    let healthy = |p: &usize| patient.brain[*p] && !patient.lesion[*p];
    let within = |low: f64, high: f64| {
        let chosen = (0..errors.len()).filter(healthy).filter(|&p| away[p] * spacing > low && away[p] * spacing <= high);
        mean(chosen.map(|p| f64::from(errors[p]) * spacing))
    };
    let there_and_back = lengths(&compose(&fields.yx, &fields.xy, grid)?, 2);
    let inverse = mean((0..errors.len()).filter(|&p| patient.brain[p]).map(|p| f64::from(there_and_back[p]) * spacing)).unwrap_or(0.0);
    let hard = prediction.hard(patient);
    let (mut overlap, mut outline, mut area_ratio, mut brain_share) = (None, None, None, None);
    if let Some(hard) = hard {
        let area = |m: &[bool]| m.iter().filter(|v| **v).count() as f64;
        let bytes = |m: &[bool]| m.iter().map(|v| u8::from(*v)).collect::<Vec<u8>>();
        overlap = Some(dice(&bytes(&hard), &bytes(&patient.lesion), 1));
        outline = hd95(&hard, &patient.lesion, [1, side, side], [spacing; 3]);
        area_ratio = Some(area(&hard) / area(&patient.lesion).max(1.0));
        brain_share = Some(area(&hard) / area(&patient.brain).max(1.0));
    }
    Ok(Measures {
        near: within(0.0, BANDS[1]),
        bands: [within(0.0, BANDS[0]), within(BANDS[0], BANDS[1]), within(BANDS[1], f64::INFINITY)],
        folds: fold_percent(&jacobian(&fields.yx, grid), grid),
        inverse,
        dice: overlap,
        hd95: outline,
        area_ratio,
        brain_share,
    })
}

/// Runs a session with inputs `moving` and `fixed`, and outputs `v_xy`, `v_yx` and perhaps `mask`; `clean` shows the patients
/// without their lesions.
///
/// # Errors
/// Whatever running finds; [`Error::Artifact`] if an output is not there.
pub fn predict(
    session: &mut dyn Session,
    patients: &[Patient],
    network: &NetworkConfig,
    clean: bool,
    reporter: &dyn Reporter,
) -> Result<Vec<Prediction>> {
    let side = network.grid[0];
    let plane = side * side;
    let mut all = Vec::with_capacity(patients.len());
    for chunk in patients.chunks(BATCH) {
        reporter.check()?;
        reporter.progress("registering", all.len() as u64, Some(patients.len() as u64), "patients");
        let stack = |of: &dyn Fn(&Patient) -> &[f32]| {
            Tensor::from_vec([chunk.len(), 1, side, side], chunk.iter().flat_map(|p| of(p).iter().copied()).collect::<Vec<f32>>())
        };
        let inputs = [stack(&|p| if clean { &p.clean } else { &p.x })?, stack(&|p| &p.y)?];
        let outputs = session.run(&inputs)?;
        let place = |name: &str| session.outputs().iter().position(|o| o.name == name);
        let named = |name: &str, channels: usize| -> Result<Option<Vec<f32>>> {
            let Some(output) = place(name).and_then(|i| outputs.get(i)) else { return Ok(None) };
            if output.len() != chunk.len() * channels * plane {
                return Err(Error::shape(format!("output {name}"), [chunk.len(), channels, side, side], output.shape()));
            }
            Ok(Some(output.as_slice::<f32>()?.to_vec()))
        };
        let needed = |name: &str| -> Result<Vec<f32>> {
            named(name, 2)?.ok_or_else(|| Error::artifact("session", "outputs", format!("expected `{name}`, found none")))
        };
        let (mask, xy, yx) = (named("mask", 1)?, needed("v_xy")?, needed("v_yx")?);
        for i in 0..chunk.len() {
            let own = |v: &[f32]| v[2 * i * plane..][..2 * plane].to_vec();
            all.push(Prediction { mask: mask.as_ref().map(|m| m[i * plane..][..plane].to_vec()), velocity: [own(&xy), own(&yx)] });
        }
    }
    Ok(all)
}
