//! Heat maps of lines, and lines found again in heat maps.

use crate::geometry::{PixelLine, Plane};
use serde::{Deserialize, Serialize};
use zoo_core::{Error, Result};

/// How a distance from the line becomes a heat.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Heat {
    /// `exp(-D^2 / 2 s^2)`, peak 1 (the authors' code).
    GaussUnit {
        /// `s` in pixels of the preprocessed image.
        sigma: f64,
    },
    /// `exp(-D^2 / 2 s^2) / (s sqrt(2 pi))`, `s = alpha * thickness of the other view / pixel size` (the group's earlier code).
    GaussDensity {
        /// Share of the slice thickness that is one standard deviation.
        alpha: f64,
    },
}

impl Heat {
    /// Standard deviation in pixels and peak for the line of view `other` in an image of pixels of `spacing` mm.
    ///
    /// # Errors
    /// [`Error::Argument`] if the standard deviation is not above 0 (a thickness that is unknown, say).
    pub fn shape(&self, other: &Plane, spacing: f64) -> Result<(f64, f64)> {
        let (sigma, peak) = match *self {
            Self::GaussUnit { sigma } => (sigma, 1.0),
            Self::GaussDensity { alpha } => {
                let sigma = alpha * other.thickness / spacing;
                (sigma, 1.0 / (sigma * (2.0 * std::f64::consts::PI).sqrt()))
            }
        };
        if sigma.is_finite() && sigma > 0.0 {
            return Ok((sigma, peak));
        }
        Err(Error::argument("standard deviation of a heat map", "above 0 pixels (set the slice thickness or use gauss_unit)", sigma))
    }
}

/// The heat of every pixel, row by row.
pub fn heat_map(line: &PixelLine, rows: usize, columns: usize, (sigma, peak): (f64, f64)) -> Vec<f32> {
    let factor = -0.5 / (sigma * sigma);
    let mut map = Vec::with_capacity(rows * columns);
    for v in 0..rows {
        for u in 0..columns {
            let d = line.signed(u as f64, v as f64);
            map.push((peak * (factor * d * d).exp()) as f32);
        }
    }
    map
}

/// The line through the pixels above half of the greatest heat, by principal axes weighted with the heat; `None` for a
/// map without such pixels or without a direction.
pub fn fit_line(map: &[f32], columns: usize) -> Option<PixelLine> {
    let peak = map.iter().copied().filter(|v| v.is_finite()).fold(0.0f32, f32::max);
    if peak <= 0.0 || columns == 0 {
        return None;
    }
    let bright = || {
        map.iter().enumerate().filter(|(_, v)| **v > 0.5 * peak).map(|(i, &v)| ((i % columns) as f64, (i / columns) as f64, f64::from(v)))
    };
    let (weight, su, sv) = bright().fold((0.0, 0.0, 0.0), |(w, a, b), (u, v, h)| (w + h, a + h * u, b + h * v));
    let (mu, mv) = (su / weight, sv / weight);
    let (cuu, cuv, cvv) = bright()
        .fold((0.0, 0.0, 0.0), |(a, b, c), (u, v, h)| (a + h * (u - mu).powi(2), b + h * (u - mu) * (v - mv), c + h * (v - mv).powi(2)));
    // The axis of a 2 x 2 covariance: half the angle of (cuu - cvv, 2 cuv). A round spot has none.
    let (difference, twice) = (cuu - cvv, 2.0 * cuv);
    if difference.hypot(twice) < 1e-9 * (cuu + cvv).max(1e-30) {
        return None;
    }
    let angle = 0.5 * twice.atan2(difference);
    Some(PixelLine::through([mu, mv], [mu + angle.cos(), mv + angle.sin()]))
}
