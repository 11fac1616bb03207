//! Resizing of frames through 8-bit images.

use image::imageops::{FilterType, resize};
use image::{ImageBuffer, Luma};

/// Resizes one `from` (height, width) plane of values in 0..=1 to `to`, by way of an 8-bit image and a bilinear filter whose
/// support grows when shrinking (what Pillow and torchvision do to a `uint8` image).
pub(crate) fn plane(values: &[f32], from: (usize, usize), to: (usize, usize)) -> Vec<f32> {
    // Values are within 0..=1, so the products are within 0..=255; converting a float tensor to an image truncates.
    let bytes = values.iter().map(|v| (v * 255.0) as u8).collect();
    let image = ImageBuffer::<Luma<u8>, Vec<u8>>::from_raw(from.1 as u32, from.0 as u32, bytes).unwrap_or_default();
    let resized = resize(&image, to.1 as u32, to.0 as u32, FilterType::Triangle);
    resized.into_raw().into_iter().map(|b| f32::from(b) / 255.0).collect()
}
