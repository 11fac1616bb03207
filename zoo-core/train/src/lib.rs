//! Native `f32` kernels, and the glue around the training engine: operations, optimisers, schedules, checkpoints, seeds.

pub mod kernels;
#[cfg(feature = "train")]
pub mod ops;
#[cfg(feature = "train")]
pub mod optim;
#[cfg(feature = "train")]
pub mod params;
pub mod seeds;

/// The training engine.
#[cfg(feature = "train")]
pub use burn;
