//! Section 3: in-plane resampling, zero padding and centre crop, zero mean and unit deviation, with the map that carries
//! lines along.
//!
//! Deviations from the authors' code, on purpose: the image is never cast to 8 bits before it is standardised, and lines
//! are moved exactly instead of being drawn and found again.

use crate::geometry::PixelMap;
use zoo_core::{Error, Result};

/// Greatest number of rows or columns of an image, in or out.
const MAX_SIDE: usize = 8192;

/// An image that is ready for the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// `size` x `size` values, row by row.
    pub pixels: Vec<f32>,
    /// From pixels of the original image to pixels of this one.
    pub map: PixelMap,
}

/// Resamples to `target` mm (bilinear, pixel areas aligned), pads with zeros and crops to `size` x `size`, standardises.
///
/// # Shapes
/// `image` holds `rows * columns` values; `spacing` is (row, column) distance in mm.
///
/// # Errors
/// [`Error::Shape`] or [`Error::Argument`] if sizes or spacings do not fit.
pub fn prepare(image: &[f32], [rows, columns]: [usize; 2], spacing: [f64; 2], target: f64, size: usize) -> Result<Prepared> {
    if image.len() != rows.saturating_mul(columns) || image.is_empty() {
        return Err(Error::shape("image to prepare", [rows, columns], [image.len()]));
    }
    let scale = [spacing[1] / target, spacing[0] / target];
    let sides = [columns, rows].map(|n| n as f64);
    let resampled: [f64; 2] = std::array::from_fn(|axis| (sides[axis] * scale[axis]).round());
    if !resampled.iter().all(|n| (1.0..=MAX_SIDE as f64).contains(n)) || size == 0 || size > MAX_SIDE {
        return Err(Error::argument("size after resampling", format!("1 to {MAX_SIDE} pixels"), format!("{resampled:?}, crop {size}")));
    }
    // Centres: u' + 1/2 = k (u + 1/2), then the crop's (or, if negative, the padding's) offset.
    let shift: [f64; 2] = std::array::from_fn(|axis| 0.5 * scale[axis] - 0.5 - ((resampled[axis] - size as f64) / 2.0).floor());
    let map = PixelMap { scale, shift };
    let mut pixels = vec![0.0f32; size * size];
    for v in 0..size {
        for u in 0..size {
            let [su, sv] = [(u as f64 - shift[0]) / scale[0], (v as f64 - shift[1]) / scale[1]];
            let inside = |at: f64, side: usize| at >= -0.5 && at <= side as f64 - 0.5;
            if inside(su, columns) && inside(sv, rows) {
                pixels[v * size + u] = bilinear(image, [rows, columns], su, sv);
            }
        }
    }
    standardise(&mut pixels);
    Ok(Prepared { pixels, map })
}

/// The value at `(u, v)`, edges repeated.
pub fn bilinear(image: &[f32], [rows, columns]: [usize; 2], u: f64, v: f64) -> f32 {
    let clamp = |at: f64, side: usize| at.clamp(0.0, (side - 1) as f64);
    let (u, v) = (clamp(u, columns), clamp(v, rows));
    let (u0, v0) = (u.floor() as usize, v.floor() as usize);
    let (u1, v1) = ((u0 + 1).min(columns - 1), (v0 + 1).min(rows - 1));
    let (fu, fv) = ((u - u0 as f64) as f32, (v - v0 as f64) as f32);
    let at = |u: usize, v: usize| image[v * columns + u];
    let top = at(u0, v0) * (1.0 - fu) + at(u1, v0) * fu;
    let bottom = at(u0, v1) * (1.0 - fu) + at(u1, v1) * fu;
    top * (1.0 - fv) + bottom * fv
}

/// Zero mean and unit (population) deviation; an image without contrast becomes zero.
pub fn standardise(pixels: &mut [f32]) {
    let count = pixels.len().max(1) as f64;
    let mean = pixels.iter().map(|p| f64::from(*p)).sum::<f64>() / count;
    let variance = pixels.iter().map(|p| (f64::from(*p) - mean).powi(2)).sum::<f64>() / count;
    let scale = if variance > 1e-20 { 1.0 / variance.sqrt() } else { 0.0 };
    pixels.iter_mut().for_each(|p| *p = ((f64::from(*p) - mean) * scale) as f32);
}

/// A turn and a change of size around the centre of a square image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turn {
    sin: f64,
    cos: f64,
}

impl Turn {
    /// By `degrees`, clockwise with rows downwards, the area grown by the factor `area`.
    pub fn new(degrees: f64, area: f64) -> Self {
        let (sin, cos) = degrees.to_radians().sin_cos();
        // Pixels of the result look up where they came from.
        let shrink = 1.0 / area.sqrt();
        Self { sin: sin * shrink, cos: cos * shrink }
    }

    /// Where a pixel of the result comes from; `None` outside of the image.
    fn source(&self, u: usize, v: usize, size: usize) -> Option<[f64; 2]> {
        let centre = (size as f64 - 1.0) / 2.0;
        let (du, dv) = (u as f64 - centre, v as f64 - centre);
        let at = [centre + self.cos * du + self.sin * dv, centre - self.sin * du + self.cos * dv];
        at.iter().all(|c| (-0.5..size as f64 - 0.5).contains(c)).then_some(at)
    }

    /// Turns values, bilinear, 0 where nothing was.
    pub fn values(&self, map: &[f32], size: usize) -> Vec<f32> {
        let pixel = |i: usize| self.source(i % size, i / size, size).map_or(0.0, |[u, v]| bilinear(map, [size, size], u, v));
        (0..size * size).map(pixel).collect()
    }

    /// Turns labels, by the nearest pixel, 0 where nothing was.
    pub fn labels(&self, labels: &[u8], size: usize) -> Vec<u8> {
        let nearest = |at: f64| (at.round().max(0.0) as usize).min(size - 1);
        let pixel = |i: usize| self.source(i % size, i / size, size).map_or(0, |[u, v]| labels[nearest(v) * size + nearest(u)]);
        (0..size * size).map(pixel).collect()
    }
}
