//! Pictures for the report: one strip of panels a case (specification section 10).

use crate::config::NetworkConfig;
use crate::evaluate::Prediction;
use crate::field::{jacobian, warp};
use crate::phantom::Patient;
use image::{ImageFormat, Rgb, RgbImage};
use std::io::Cursor;
use zoo_core::model::Figure;
use zoo_core::{Error, Result};

/// Screen pixels a side of an image pixel.
const ZOOM: usize = 3;
/// Panels a row.
const COLUMNS: usize = 4;
/// Distance of the lines of a deformed grid, pixels.
const LINES: f32 = 8.0;
const TRUE: [u8; 3] = [40, 200, 80];
const FOUND: [u8; 3] = [235, 60, 50];

/// A picture of one case under construction.
struct Strip {
    picture: RgbImage,
    side: usize,
    next: usize,
}

fn grey(value: f32) -> [u8; 3] {
    [(255.0 * value.clamp(0.0, 1.0)) as u8; 3]
}

/// Index of the pixel nearest to a place.
fn nearest(side: usize, x: f32, y: f32) -> usize {
    let near = |v: f32| (v.round().max(0.0) as usize).min(side - 1);
    near(y) * side + near(x)
}

/// Whether a pixel of a region has a neighbour that is not in it.
fn outline(region: &[bool], side: usize, p: usize) -> bool {
    let (row, column) = (p / side, p % side);
    let beside =
        [row > 0 && region[p - side], row + 1 < side && region[p + side], column > 0 && region[p - 1], column + 1 < side && region[p + 1]];
    region[p] && beside.contains(&false)
}

impl Strip {
    fn new(side: usize, panels: usize) -> Self {
        let rows = panels.div_ceil(COLUMNS);
        let edge = (side * ZOOM) as u32;
        Self { picture: RgbImage::new(edge * COLUMNS as u32, edge * rows as u32), side, next: 0 }
    }

    /// Adds a panel; `colour` gets the place in pixels, to a part of one.
    fn panel(&mut self, colour: impl Fn(f32, f32) -> [u8; 3]) {
        let edge = self.side * ZOOM;
        let (left, top) = (self.next % COLUMNS * edge, self.next / COLUMNS * edge);
        for y in 0..edge {
            for x in 0..edge {
                let place = |v: usize| (v as f32 + 0.5) / ZOOM as f32 - 0.5;
                self.picture.put_pixel((left + x) as u32, (top + y) as u32, Rgb(colour(place(x), place(y))));
            }
        }
        self.next += 1;
    }

    fn image(&mut self, image: &[f32]) {
        let side = self.side;
        self.panel(|x, y| grey(image[nearest(side, x, y)]));
    }
}

/// Draws a case: patient, atlas, outlines of lesion (green) and mask (red), atlas in the patient, filled patient, patient in the
/// atlas, deformed grid, and determinants with folds in red.
///
/// # Errors
/// [`Error::Shape`] if lengths do not fit; [`Error::Plugin`] if the picture can't be encoded.
pub fn case(title: &str, patient: &Patient, prediction: &Prediction, filled: Option<&[f32]>, network: &NetworkConfig) -> Result<Figure> {
    let (side, grid) = (network.grid[0], network.grid.as_slice());
    let fields = prediction.fields(network)?;
    let mut strip = Strip::new(side, 8);
    strip.image(&patient.x);
    strip.image(&patient.y);
    let hard = prediction.hard(patient);
    strip.panel(|x, y| {
        let p = nearest(side, x, y);
        if outline(&patient.lesion, side, p) {
            TRUE
        } else if hard.as_ref().is_some_and(|h| outline(h, side, p)) {
            FOUND
        } else {
            grey(patient.x[p])
        }
    });
    strip.image(&warp(&patient.y, 1, &fields.yx, grid)?);
    strip.image(filled.unwrap_or(&patient.x));
    strip.image(&warp(&patient.x, 1, &fields.xy, grid)?);
    strip.panel(|x, y| {
        let p = nearest(side, x, y);
        let moved = [x + fields.yx[p], y + fields.yx[side * side + p]];
        let near = moved.iter().any(|v| (v / LINES - (v / LINES).round()).abs() * LINES < 0.4);
        if near { [235, 235, 235] } else { grey(patient.x[p] * 0.35) }
    });
    let determinants = jacobian(&fields.yx, grid);
    strip.panel(|x, y| {
        let d = determinants[nearest(side, x, y)];
        // Blue where the patient is smaller than the atlas, yellow where it is larger; grey is no change.
        let change = (d.max(1e-3).log2()).clamp(-1.0, 1.0);
        let (up, down) = (change.max(0.0), (-change).max(0.0));
        let part = |share: f32| (128.0 + 127.0 * share) as u8;
        if d <= 0.0 { FOUND } else { [part(down - up), part(down - up), part(up - down)] }
    });
    let mut bytes = Cursor::new(Vec::new());
    strip
        .picture
        .write_to(&mut bytes, ImageFormat::Png)
        .map_err(|e| Error::Plugin { plugin: "girnet".into(), message: format!("encoding a picture: {e}") })?;
    let alt = "Eight panels. Above: patient, atlas, patient with the outlines of the true lesion (green) and of the found one (red), atlas \
               warped into the patient. Below: patient with the found lesion filled, patient warped to the atlas, deformed grid, \
               determinants of the Jacobian (yellow expands, blue shrinks, red folds).";
    Ok(Figure { title: title.into(), alt: alt.into(), mime: "image/png".into(), bytes: bytes.into_inner() })
}
