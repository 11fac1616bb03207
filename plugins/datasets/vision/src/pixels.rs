//! Compressed images to pixels, channels first.

use crate::source::bad;
use image::{DynamicImage, ImageReader, Limits};
use std::io::Cursor;
use std::path::Path;
use zoo_core::Result;

/// Channels and side of a square image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) channels: usize,
    pub(crate) side: usize,
}

impl Form {
    pub(crate) const DIGIT: Self = Self { channels: 1, side: 28 };
    pub(crate) const PHOTO: Self = Self { channels: 3, side: 32 };
}

/// Decoders may not take more than this; a 32 x 32 image needs a fraction.
const MAX_DECODE: u64 = 1 << 20;

/// Decodes a PNG or JPEG file of exactly `form`'s size; `at` says where in `path` it lies.
///
/// # Errors
/// [`zoo_core::Error::Data`] if the bytes are no image, or an image of another size.
pub(crate) fn decode(path: &Path, at: &str, bytes: &[u8], form: Form) -> Result<Vec<u8>> {
    let expected = || format!("a PNG or JPEG image of {0} x {0} pixels", form.side);
    let fail = |found: String| bad(path, at, expected(), found);
    let open = || ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    // The size stands in the header: a huge image is refused before anything is decoded.
    let (width, height) = open().map_err(|e| fail(e.to_string()))?.into_dimensions().map_err(|e| fail(e.to_string()))?;
    if (width as usize, height as usize) != (form.side, form.side) {
        return Err(fail(format!("{width} x {height} pixels")));
    }
    let mut reader = open().map_err(|e| fail(e.to_string()))?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODE);
    reader.limits(limits);
    let image = reader.decode().map_err(|e| fail(e.to_string()))?;
    Ok(planes(&image, form))
}

fn planes(image: &DynamicImage, form: Form) -> Vec<u8> {
    if form.channels == 1 {
        return image.to_luma8().into_raw();
    }
    let interleaved = image.to_rgb8().into_raw();
    let mut planes = Vec::with_capacity(interleaved.len());
    for channel in 0..form.channels {
        planes.extend(interleaved.iter().skip(channel).step_by(form.channels));
    }
    planes
}
