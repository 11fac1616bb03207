//! Graphs in fewer bits: half precision, and 8-bit integers around the matrix products.
//!
//! Both work on a finished ONNX artifact and give another one with the same inputs and outputs, in `f32` as before, and the
//! same metadata beside an entry `precision`. Graphs inside nodes (`If`, `Loop`, `Scan`), weights outside the file and
//! operators of other domains are refused.

mod edit;
mod half;
mod int8;
mod types;

pub use half::to_f16;
pub use int8::{Ranges, observed, observed_values, to_int8};

/// Metadata key of the precision.
pub const PRECISION: &str = "precision";
