//! TET: temporal efficient training of spiking networks.
//!
//! Paper: arXiv:2202.11946 (ICLR 2022). Public code read: `brain-intelligence-lab/temporal_efficient_training` (MIT).
//!
//! The method in one minute: a spiking network of leaky integrate-and-fire neurons gives logits at every time step.
//! Standard direct training (SDT) puts the cross entropy on their mean over time; TET puts it on **every step** and
//! averages ([`loss`]), with a small pull of the logits towards a constant. Inference does not change. A network trained
//! so can be run for more steps than it was trained with, which makes time inheritance training (TIT) cheap: train long
//! at few steps, then briefly at many.

pub mod actions;
pub mod claims;
pub mod config;
pub mod data;
pub mod export;
pub mod fold;
pub mod full_scale;
pub mod import;
pub mod loss;
pub mod model;
pub mod network;
#[cfg(feature = "train")]
pub mod train;

use model::{Input, Tet};

#[cfg(feature = "train")]
zoo_core::zoo_plugin! {
    name: "tet",
    models: [Tet::new(Input::Events), Tet::new(Input::Images)],
    trainers: [train::TetTrainer::new(Input::Events), train::TetTrainer::new(Input::Images)],
}

#[cfg(not(feature = "train"))]
zoo_core::zoo_plugin! {
    name: "tet",
    models: [Tet::new(Input::Events), Tet::new(Input::Images)],
}
