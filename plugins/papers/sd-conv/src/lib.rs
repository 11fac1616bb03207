//! SD-Conv: He, Jiang, Dong and Ding, "SD-Conv: Towards the Parameter-Efficiency of Dynamic Convolution",
//! arXiv:2204.02227. Public code read: `Shwai-He/PAD-Net` (MIT), the same first author's later work.
//!
//! The method in one minute: a dynamic convolution mixes `K` parallel kernels by an attention over the whole input
//! ([`layer`]); a binary mask from a learnable threshold prunes each kernel ([`mask`]), so that the mixture costs fewer
//! parameters and, where the kernels share their mask, less computation ([`count`], [`sparse`]).
//!
//! Feature `train` adds the trainer of all arms.

#![allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]

mod actions;
pub mod claims;
pub mod config;
pub mod count;
pub mod export;
pub mod figures;
pub mod full_scale;
pub mod layer;
pub mod mask;
pub mod model;
pub mod network;
pub mod sparse;
#[cfg(feature = "train")]
pub mod train;

#[cfg(feature = "train")]
zoo_core::zoo_plugin! { name: "sd-conv", models: [model::SdConv::default()], trainers: [train::SdTrainer] }

#[cfg(not(feature = "train"))]
zoo_core::zoo_plugin! { name: "sd-conv", models: [model::SdConv::default()] }
