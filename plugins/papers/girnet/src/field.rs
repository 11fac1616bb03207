//! Displacement fields: integration, composition, folds (specification sections 2 and 6).
//!
//! Fields are `[axes, (depth,) height, width]`, in pixels, channels from the fastest axis (x) to the slowest.

use rayon::prelude::*;
use zoo_core::{Error, Result};
use zoo_train::kernels::Warp;

/// `image(p + field(p))` for an image `[channels, grid...]`.
///
/// # Errors
/// [`Error::Shape`] if the lengths do not fit.
pub fn warp(image: &[f32], channels: usize, field: &[f32], grid: &[usize]) -> Result<Vec<f32>> {
    let warp = Warp::new(&[&[1, channels], grid].concat())?;
    let mut out = vec![0.0; image.len()];
    warp.forward(image, field, &mut out)?;
    Ok(out)
}

/// The displacement `first` then `second`: `p` goes to `q = p + first(p)`, then to `q + second(q)`.
///
/// # Errors
/// [`Error::Shape`] if the lengths do not fit.
pub fn compose(first: &[f32], second: &[f32], grid: &[usize]) -> Result<Vec<f32>> {
    let mut out = warp(second, grid.len(), first, grid)?;
    out.par_iter_mut().zip(first).for_each(|(o, f)| *o += f);
    Ok(out)
}

/// The exponential of a stationary velocity in pixels, by scaling and squaring; `sign` -1 gives its inverse.
///
/// # Errors
/// [`Error::Shape`] if the length does not fit.
pub fn exponential(velocity: &[f32], sign: f32, squarings: u32, grid: &[usize]) -> Result<Vec<f32>> {
    #[allow(clippy::cast_precision_loss, reason = "a small power of two")]
    let scale = sign / (1u64 << squarings) as f32;
    let mut field: Vec<f32> = velocity.iter().map(|v| v * scale).collect();
    for _ in 0..squarings {
        field = compose(&field, &field, grid)?;
    }
    Ok(field)
}

/// Everything that follows from the two velocities of the registration network.
#[derive(Clone, Debug, PartialEq)]
pub struct Fields {
    /// Half ways.
    pub half_xy: Vec<f32>,
    /// Half way back.
    pub half_yx: Vec<f32>,
    /// On the atlas's grid: where the patient is sampled, so that it becomes the atlas.
    pub xy: Vec<f32>,
    /// On the patient's grid: where the atlas is sampled, so that it becomes the patient.
    pub yx: Vec<f32>,
}

impl Fields {
    /// Integrates velocities as the network gives them, from -1 to 1; `range` pixels are 1.
    ///
    /// # Errors
    /// [`Error::Shape`] if the lengths do not fit.
    pub fn integrate(velocities: [&[f32]; 2], range: f64, squarings: u32, grid: &[usize]) -> Result<Self> {
        let expected = grid.len() * grid.iter().product::<usize>();
        if velocities.iter().any(|v| v.len() != expected) {
            return Err(Error::shape("velocities", [expected], velocities.map(<[f32]>::len)));
        }
        #[allow(clippy::cast_possible_truncation, reason = "fields are f32")]
        let [vxy, vyx] = velocities.map(|v| v.iter().map(|x| x * range as f32).collect::<Vec<f32>>());
        let half_xy = exponential(&vxy, 1.0, squarings, grid)?;
        let half_yx = exponential(&vyx, 1.0, squarings, grid)?;
        let back_xy = exponential(&vxy, -1.0, squarings, grid)?;
        let back_yx = exponential(&vyx, -1.0, squarings, grid)?;
        Ok(Self { xy: compose(&back_yx, &half_xy, grid)?, yx: compose(&back_xy, &half_yx, grid)?, half_xy, half_yx })
    }
}

/// Determinant of the Jacobian of `p + field(p)` by central differences at every pixel with two neighbours along every axis;
/// 1 elsewhere.
pub fn jacobian(field: &[f32], grid: &[usize]) -> Vec<f32> {
    let axes = grid.len();
    let plane: usize = grid.iter().product();
    // Strides and lengths, x first.
    let sizes: Vec<usize> = grid.iter().rev().copied().collect();
    let strides: Vec<usize> = (0..axes).map(|a| sizes[..a].iter().product()).collect();
    (0..plane)
        .into_par_iter()
        .map(|p| {
            let inner = (0..axes).all(|a| (1..sizes[a] - 1).contains(&(p / strides[a] % sizes[a])));
            if !inner {
                return 1.0;
            }
            let slope = |channel: usize, axis: usize| {
                let own = &field[channel * plane..];
                let unit = if channel == axis { 1.0 } else { 0.0 };
                unit + (own[p + strides[axis]] - own[p - strides[axis]]) / 2.0
            };
            if axes == 2 {
                return slope(0, 0) * slope(1, 1) - slope(0, 1) * slope(1, 0);
            }
            let minor = |a: usize, b: usize| slope(1, a) * slope(2, b) - slope(1, b) * slope(2, a);
            slope(0, 0) * minor(1, 2) - slope(0, 1) * minor(0, 2) + slope(0, 2) * minor(0, 1)
        })
        .collect()
}

/// Per cent of the inner pixels at which the determinant is not above 0.
#[allow(clippy::cast_precision_loss, reason = "counts of pixels")]
pub fn fold_percent(jacobian: &[f32], grid: &[usize]) -> f64 {
    let inner: usize = grid.iter().map(|n| n.saturating_sub(2)).product();
    let folds = jacobian.iter().filter(|d| d.is_nan() || **d <= 0.0).count();
    100.0 * folds as f64 / inner.max(1) as f64
}

/// Lengths of a field's vectors.
pub fn lengths(field: &[f32], axes: usize) -> Vec<f32> {
    let plane = field.len() / axes.max(1);
    (0..plane).map(|p| (0..axes).map(|a| field[a * plane + p].powi(2)).sum::<f32>().sqrt()).collect()
}
