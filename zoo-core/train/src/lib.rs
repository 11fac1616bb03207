//! Native `f32` kernels, and the glue around the training engine: operations, optimisers, schedules, checkpoints, seeds.

pub mod augment;
#[cfg(feature = "bench")]
pub mod bench;
pub mod data;
pub mod kernels;
#[cfg(feature = "train")]
pub mod ops;
#[cfg(feature = "train")]
pub mod optim;
#[cfg(feature = "train")]
pub mod params;
#[cfg(feature = "train")]
pub mod run;
pub mod seeds;

/// The training engine.
#[cfg(feature = "train")]
pub use burn;

/// An allocator that keeps the pages of freed tensors. A program that trains should make it its global allocator:
/// every layer allocates and frees buffers of megabytes each step, which the system's allocator maps and unmaps anew.
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: zoo_train::Allocator = zoo_train::Allocator;
/// # fn main() {}
/// ```
#[cfg(feature = "train")]
pub use mimalloc::MiMalloc as Allocator;
