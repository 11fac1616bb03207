//! SNN Calibration: ANN-to-SNN conversion by parameter calibration.
//!
//! Paper: arXiv:2205.10121 (and its forerunner arXiv:2106.06984). Public code read: `yhhhli/SNN_Calibration` (MIT).
//!
//! The method in one minute: train a ReLU network with batch normalisation, fold it ([`fold`]), choose firing
//! thresholds from its activations ([`threshold`]), copy its weights into integrate-and-fire neurons ([`snn`]), then
//! correct layer by layer what clipping and flooring lose ([`calibrate`]): biases, initial potentials or weights. The
//! calibrator sees a few hundred images and no labels.

pub mod actions;
pub mod ann;
pub mod calib_file;
pub mod calibrate;
pub mod claims;
pub mod config;
pub mod data;
pub mod error_analysis;
pub mod export;
pub mod fold;
pub mod full_scale;
pub mod import;
pub mod kernel;
pub mod model;
pub mod network;
pub mod rate;
pub mod reference;
pub mod snn;
pub mod threshold;
#[cfg(feature = "train")]
pub mod train;

use model::{Calibration, Side};

#[cfg(feature = "train")]
zoo_core::zoo_plugin! {
    name: "snn-calibration",
    models: [Calibration::new(Side::Snn), Calibration::new(Side::Ann)],
    trainers: [train::AnnTrainer, train::SnnTrainer],
}

#[cfg(not(feature = "train"))]
zoo_core::zoo_plugin! {
    name: "snn-calibration",
    models: [Calibration::new(Side::Snn), Calibration::new(Side::Ann)],
}
