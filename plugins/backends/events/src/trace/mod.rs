//! Spikes on paper: rasters as `.npz` and as pictures.

mod npz;
mod picture;

pub use npz::write_npz;
pub use picture::{Picture, write_picture};

use crate::modes::Outcome;
use std::path::Path;
use zoo_core::Result;

/// Writes a run of `steps` steps as the ending of `path` says: `.svg` and `.png` as a raster, anything else as `.npz`.
///
/// # Errors
/// [`zoo_core::Error::Io`].
pub fn write(path: &Path, outcome: &Outcome, steps: usize) -> Result<()> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("svg" | "png") => write_picture(path, outcome, steps, Picture::default()),
        _ => write_npz(path, outcome),
    }
}
