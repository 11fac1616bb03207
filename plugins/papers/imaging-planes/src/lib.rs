//! Self-supervised pretraining from the geometry of anatomy-oriented imaging planes.
//!
//! Paper: arXiv:2403.16499 (Zhang, Wei, Zhu, Gu, Zheng; Medical Image Analysis 94, 2024). Public code read, not copied:
//! `Forteee/Anatomy-Oriented-SSL` (MIT) and the group's earlier `wd111624/CMR_plan` (AGPL-3.0; facts only).
//!
//! The method in one minute: DICOM headers say where the other standard views cut an image ([`geometry`]). A U-Net
//! ([`unet`]) learns to draw those lines as heat maps ([`heat`]) and to tell where in its stack a slice lies; what it
//! learned is handed to a segmentation network, which then needs fewer labels. Part B of the scaled reproduction
//! simulates patients on real anatomy ([`sim`]).

pub mod actions;
pub mod claims;
pub mod config;
pub mod evaluate;
pub mod export;
pub mod figure;
pub mod full_scale;
pub mod geometry;
pub mod gradcam;
pub mod heat;
pub mod import;
pub mod metrics;
pub mod model;
pub mod preprocess;
pub mod real;
pub mod sim;
#[cfg(feature = "train")]
pub mod train;
pub mod unet;

use model::{Family, Planes};

#[cfg(feature = "train")]
zoo_core::zoo_plugin! {
    name: "imaging-planes",
    models: [Planes::new(Family::Pretext), Planes::new(Family::Seg)],
    trainers: [train::PretextTrainer, train::TargetTrainer],
}

#[cfg(not(feature = "train"))]
zoo_core::zoo_plugin! {
    name: "imaging-planes",
    models: [Planes::new(Family::Pretext), Planes::new(Family::Seg)],
}
