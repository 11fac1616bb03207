//! MTT: mixed time-step training of spiking networks.
//!
//! Paper: arXiv:2503.17394 (ICLR 2025). Public code read: `brain-intelligence-lab/temporal_flexibility_in_SNN` (MIT).
//!
//! The method in one minute: a spiking network trained with one number of time steps over-fits to it. Here the network is
//! cut into stages and every update runs it under several *temporal structures*, each stage with a random number of steps
//! of its own ([`sampling`]); parameter-free modules between the stages join or repeat frames ([`ttm`]). One weight set
//! then serves many numbers of steps, and loses less when it runs on events alone. For that, biases go ([`fold`]).

pub mod actions;
pub mod claims;
pub mod config;
pub mod data;
pub mod export;
pub mod fold;
pub mod full_scale;
pub mod import;
pub mod model;
pub mod network;
pub mod sampling;
#[cfg(feature = "train")]
pub mod train;
pub mod ttm;

use model::Mtt;

#[cfg(feature = "train")]
zoo_core::zoo_plugin! {
    name: "mtt",
    models: [Mtt::new()],
    trainers: [train::MttTrainer],
}

#[cfg(not(feature = "train"))]
zoo_core::zoo_plugin! {
    name: "mtt",
    models: [Mtt::new()],
}
