//! Pictures for the report: a slice with the true line in green and the predicted one in red.

use crate::geometry::PixelLine;
use image::{ImageFormat, Rgb, RgbImage};
use std::io::Cursor;
use zoo_core::model::Figure;
use zoo_core::{Error, Result};

/// Screen pixels a side of an image pixel.
const ZOOM: usize = 4;
const GREEN: [u8; 3] = [40, 200, 80];
const RED: [u8; 3] = [235, 60, 50];

/// Draws one slice. `true_lines` are solid green, `found` are red; a bar at the bottom shows true (green) and predicted
/// (red) slice location from 0 at the left to 1 at the right.
///
/// # Errors
/// [`Error::Plugin`] if the picture can't be encoded.
pub fn slice(
    title: &str,
    alt: &str,
    image: &[f32],
    size: usize,
    true_lines: &[PixelLine],
    found: &[PixelLine],
    location: [f64; 2],
) -> Result<Figure> {
    let side = size * ZOOM;
    let bar = 6 * ZOOM;
    let (low, high) = image.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    let mut picture = RgbImage::new(side as u32, (side + bar) as u32);
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let (x, y) = (x as usize, y as usize);
        if y < side {
            let value = image[(y / ZOOM) * size + x / ZOOM];
            let grey = (255.0 * (value - low) / (high - low).max(1e-12)) as u8;
            let (u, v) = ((x as f64 + 0.5) / ZOOM as f64 - 0.5, (y as f64 + 0.5) / ZOOM as f64 - 0.5);
            let on = |lines: &[PixelLine]| lines.iter().any(|l| l.signed(u, v).abs() < 0.35);
            *pixel = Rgb(if on(true_lines) {
                GREEN
            } else if on(found) {
                RED
            } else {
                [grey; 3]
            });
        } else {
            let at = x as f64 / (side - 1) as f64;
            let near = |place: f64| (at - place).abs() < 0.012;
            let upper = y < side + bar / 2;
            *pixel = Rgb(match (upper, near(location[0]), near(location[1])) {
                (true, true, _) => GREEN,
                (false, _, true) => RED,
                _ => [60, 60, 60],
            });
        }
    }
    let mut bytes = Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, ImageFormat::Png)
        .map_err(|e| Error::Plugin { plugin: "imaging-planes".into(), message: format!("encoding a picture: {e}") })?;
    Ok(Figure { title: title.into(), alt: alt.into(), mime: "image/png".into(), bytes: bytes.into_inner() })
}
