//! Calibration of a converted network, layer by layer in forward order (specification section 6).

mod bias;
mod potential;
mod weight;

pub use bias::calibrate_bias;
pub use potential::calibrate_potential;
pub use weight::{WeightCalibration, calibrate_weight, objective};

use crate::ann::Ann;
use crate::reference::Reference;
use crate::snn::Snn;
use crate::threshold::{ThresholdSearch, thresholds};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use zoo_core::{Reporter, Result};

/// Which corrections follow the choice of thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pipeline {
    /// Thresholds only.
    None,
    /// Bias calibration.
    Light,
    /// Potential calibration: what the public CIFAR script runs.
    AdvancedPc,
    /// Weight calibration, then potential calibration: the ImageNet script and the 2021 paper.
    AdvancedWcPc,
}

impl Pipeline {
    /// Name in configurations and metadata.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Light => "light",
            Self::AdvancedPc => "advanced-pc",
            Self::AdvancedWcPc => "advanced-wc-pc",
        }
    }
}

/// A whole conversion recipe.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Recipe {
    /// Time steps; thresholds and all corrections depend on it.
    pub steps: u32,
    /// Half-threshold shift of the current.
    pub shift: bool,
    /// Corrections.
    pub pipeline: Pipeline,
    /// Threshold choice.
    pub threshold: ThresholdSearch,
    /// Settings of weight calibration, where the pipeline has it.
    #[serde(default)]
    pub weight: WeightCalibration,
}

/// Converts and calibrates. Takes images only; labels have no way in.
///
/// # Errors
/// As [`thresholds`] and the pipeline's steps.
pub fn convert(ann: &Arc<Ann>, reference: &Reference, recipe: &Recipe, reporter: &dyn Reporter) -> Result<Snn> {
    let found = thresholds(ann, reference, recipe.threshold, recipe.steps, reporter)?;
    convert_with(ann, reference, &found, recipe, reporter)
}

/// As [`convert`], with thresholds already chosen.
///
/// # Errors
/// As [`Snn::new`] and the pipeline's steps.
pub fn convert_with(
    ann: &Arc<Ann>,
    reference: &Reference,
    thresholds: &[Option<Vec<f32>>],
    recipe: &Recipe,
    reporter: &dyn Reporter,
) -> Result<Snn> {
    let mut snn = Snn::new(Arc::clone(ann), thresholds, recipe.steps, recipe.shift)?;
    match recipe.pipeline {
        Pipeline::None => {}
        Pipeline::Light => calibrate_bias(&mut snn, reference, reporter)?,
        Pipeline::AdvancedPc => calibrate_potential(&mut snn, reference, reporter)?,
        Pipeline::AdvancedWcPc => {
            calibrate_weight(&mut snn, reference, &recipe.weight, reporter)?;
            calibrate_potential(&mut snn, reference, reporter)?;
        }
    }
    Ok(snn)
}

/// Mean over images of `activation - rate` of one spiking layer, one value a neuron (row, column, channel).
fn mean_error(snn: &Snn, reference: &Reference, layer: usize) -> Vec<f64> {
    let rates = snn.rates(reference.images(), layer);
    let mut mean = vec![0.0f64; rates.first().map_or(0, Vec::len)];
    for (activation, rate) in reference.layer(layer).zip(&rates) {
        mean.iter_mut().zip(activation.iter().zip(rate)).for_each(|(m, (a, r))| *m += f64::from(*a) - f64::from(*r));
    }
    let scale = 1.0 / rates.len().max(1) as f64;
    mean.iter_mut().for_each(|m| *m *= scale);
    mean
}

/// Mean over images and positions of `activation - rate`, one value a channel.
pub fn channel_error(snn: &Snn, reference: &Reference, layer: usize) -> Vec<f64> {
    let channels = snn.network().shape(layer)[0];
    let neurons = mean_error(snn, reference, layer);
    let scale = channels as f64 / neurons.len().max(1) as f64;
    let mut mean = vec![0.0; channels];
    for position in neurons.chunks_exact(channels) {
        mean.iter_mut().zip(position).for_each(|(m, e)| *m += e * scale);
    }
    mean
}
