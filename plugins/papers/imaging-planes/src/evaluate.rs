//! What is measured on test patients: the pretext against a constant predictor, and overlap of the target task.

use crate::config::NetworkConfig;
use crate::heat::fit_line;
use crate::metrics::mean;
use crate::sim::Patient;
use serde::Serialize;
use zoo_core::metric::{dice, hd95};
use zoo_core::{Error, Result, Session, Tensor};

/// Results of the pretext.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PretextScores {
    /// Mean squared error of the heat maps.
    pub heat_mse: f64,
    /// The same of the mean map of the training patients.
    pub constant_mse: f64,
    /// Mean absolute error of the slice location.
    pub location_mae: f64,
    /// The same of always saying 1/2.
    pub constant_mae: f64,
    /// Mean angle between true and predicted lines, degrees.
    pub angle: f64,
    /// Mean distance between them at the middle of the image, mm.
    pub offset: f64,
    /// Maps in which no line could be found.
    pub undefined: usize,
    /// Maps in all.
    pub maps: usize,
}

/// Results of the target task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SegScores {
    /// Dice of grey and white matter, one pair a patient.
    pub dice: Vec<[f64; 2]>,
    /// HD95 in mm of the same, where both surfaces exist.
    pub hd95: Vec<[Option<f64>; 2]>,
}

impl SegScores {
    /// Mean over classes and patients.
    pub fn mean_dice(&self) -> f64 {
        mean(&self.dice.iter().map(|[gm, wm]| (gm + wm) / 2.0).collect::<Vec<_>>())
    }

    /// HD95 of all patients and classes that have one.
    pub fn distances(&self) -> Vec<f64> {
        self.hd95.iter().flatten().filter_map(|d| *d).collect()
    }
}

/// The images of a patient as one input, `[slices, 1, size, size]`.
fn input(patient: &Patient, size: usize) -> Result<Tensor> {
    let pixels = patient.slices.iter().flat_map(|s| s.image.iter().copied()).collect();
    Tensor::from_vec([patient.slices.len(), 1, size, size], pixels)
}

/// Runs a graph and returns the named output.
fn output(session: &mut dyn Session, x: Tensor, names: &[&str]) -> Result<Vec<Tensor>> {
    let outputs = session.run(&[x])?;
    let place = |name: &&str| {
        let at = session.outputs().iter().position(|o| o.name == **name);
        at.and_then(|i| outputs.get(i).cloned()).ok_or_else(|| {
            Error::artifact("session", format!("output `{name}`"), "expected an export of this plugin, found none; export it again")
        })
    };
    names.iter().map(place).collect()
}

/// Predictions for one patient: heat maps (2 a slice) and locations.
///
/// # Errors
/// What running the session finds.
pub fn predict_pretext(session: &mut dyn Session, patient: &Patient, size: usize) -> Result<(Vec<f32>, Vec<f32>)> {
    let outputs = output(session, input(patient, size)?, &["heatmaps", "slice_location"])?;
    Ok((outputs[0].as_slice::<f32>()?.to_vec(), outputs[1].as_slice::<f32>()?.to_vec()))
}

/// Measures the pretext on `test`; the constant predictor is the mean heat of `train`.
///
/// # Errors
/// What running the session and drawing the targets find.
pub fn pretext(session: &mut dyn Session, train: &[Patient], test: &[Patient], network: &NetworkConfig) -> Result<PretextScores> {
    let (size, plane) = (network.size, network.size * network.size);
    let mut constant = vec![0.0f64; 2 * plane];
    let mut count = 0.0;
    for patient in train {
        for slice in 0..patient.slices.len() {
            constant.iter_mut().zip(patient.heat(slice, network)?).for_each(|(c, h)| *c += f64::from(h));
            count += 1.0;
        }
    }
    constant.iter_mut().for_each(|c| *c /= f64::max(count, 1.0));
    let (mut errors, mut constants, mut places, mut halves) = (vec![], vec![], vec![], vec![]);
    let (mut angles, mut offsets, mut undefined, mut maps) = (vec![], vec![], 0, 0);
    for patient in test {
        let (heats, locations) = predict_pretext(session, patient, size)?;
        for (index, slice) in patient.slices.iter().enumerate() {
            let truth = patient.heat(index, network)?;
            let predicted = &heats[index * 2 * plane..][..2 * plane];
            let square = |a: &[f64], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - f64::from(*b)).powi(2)).sum::<f64>() / a.len() as f64;
            errors.push(square(&predicted.iter().map(|v| f64::from(*v)).collect::<Vec<_>>(), &truth));
            constants.push(square(&constant, &truth));
            places.push((f64::from(locations[index]) - slice.location).abs());
            halves.push((0.5 - slice.location).abs());
            for (view, map) in patient.views.iter().zip(predicted.chunks_exact(plane)) {
                maps += 1;
                let middle = (size as f64 - 1.0) / 2.0;
                match (slice.plane.line_of(view), fit_line(map, size)) {
                    (Some(line), Some(found)) => {
                        angles.push(line.angle_to(&found));
                        offsets.push(line.offset_to(&found, middle, middle) * network.spacing);
                    }
                    _ => undefined += 1,
                }
            }
        }
    }
    Ok(PretextScores {
        heat_mse: mean(&errors),
        constant_mse: mean(&constants),
        location_mae: mean(&places),
        constant_mae: mean(&halves),
        angle: mean(&angles),
        offset: mean(&offsets),
        undefined,
        maps,
    })
}

/// Measures the target task: per 3-D case over its stack, then over cases. HD95 treats the stack as a volume with the
/// slices' distance, although their frames are jittered against one another; it compares arms, nothing else.
///
/// # Errors
/// What running the session finds.
pub fn segmentation(session: &mut dyn Session, test: &[Patient], network: &NetworkConfig, gap: f64, distances: bool) -> Result<SegScores> {
    let plane = network.size * network.size;
    let mut scores = SegScores { dice: Vec::new(), hd95: Vec::new() };
    for patient in test {
        let logits = output(session, input(patient, network.size)?, &["logits"])?.swap_remove(0);
        let logits = logits.as_slice::<f32>()?;
        let classes = logits.len() / (plane * patient.slices.len()).max(1);
        let mut predicted = Vec::with_capacity(plane * patient.slices.len());
        for slice in logits.chunks_exact(plane * classes) {
            for pixel in 0..plane {
                let best = (0..classes).fold(0, |best, c| if slice[c * plane + pixel] > slice[best * plane + pixel] { c } else { best });
                predicted.push(best as u8);
            }
        }
        let truth: Vec<u8> = patient.slices.iter().flat_map(|s| s.labels.iter().copied()).collect();
        scores.dice.push([1, 2].map(|class| dice(&predicted, &truth, class)));
        if distances {
            let shape = [patient.slices.len(), network.size, network.size];
            let region = |labels: &[u8], class: u8| labels.iter().map(|l| *l == class).collect::<Vec<_>>();
            let apart =
                |class: u8| hd95(&region(&predicted, class), &region(&truth, class), shape, [gap, network.spacing, network.spacing]);
            scores.hd95.push([apart(1), apart(2)]);
        }
    }
    Ok(scores)
}
