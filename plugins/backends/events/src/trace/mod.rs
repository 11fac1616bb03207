//! Spikes on paper: rasters as `.npz` and as pictures.

mod npz;
mod picture;

pub use npz::write_npz;
pub use picture::{Picture, write_picture};
