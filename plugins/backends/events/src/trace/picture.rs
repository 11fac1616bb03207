//! Rasters as pictures.

use crate::modes::Outcome;
use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{PathElement, Rectangle};
use plotters::style::{BLACK, Color, Palette, Palette99, RGBColor, WHITE};
use std::path::Path;
use zoo_core::{Error, Result};

/// Size of a picture in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

impl Default for Picture {
    fn default() -> Self {
        Self { width: 1200, height: 800 }
    }
}

/// Draws every spiking layer as a band of dots, time from left to right, neurons from top to bottom; layers in order
/// from the input down, each in its own colour, parted by lines. The ending decides the format: `.svg` or `.png`.
///
/// # Errors
/// [`Error::Argument`] for another ending or a size below 16 or above 16384 pixels, [`Error::Io`] if the file can't be
/// written.
pub fn write_picture(path: &Path, outcome: &Outcome, steps: usize, size: Picture) -> Result<()> {
    for side in [size.width, size.height] {
        if !(16..=16_384).contains(&side) {
            return Err(Error::argument("side of a picture", "16 to 16384 pixels", side));
        }
    }
    let dimensions = (size.width, size.height);
    match path.extension().and_then(|e| e.to_str()) {
        Some("svg") => {
            let mut text = String::new();
            draw(&SVGBackend::with_string(&mut text, dimensions).into_drawing_area(), outcome, steps, size).map_err(failed(path))?;
            std::fs::write(path, text).map_err(Error::io(path))
        }
        Some("png") => {
            let mut pixels = vec![0; size.width as usize * size.height as usize * 3];
            let area = BitMapBackend::with_buffer(&mut pixels, dimensions).into_drawing_area();
            draw(&area, outcome, steps, size).map_err(failed(path))?;
            drop(area);
            image::save_buffer_with_format(path, &pixels, size.width, size.height, image::ColorType::Rgb8, image::ImageFormat::Png)
                .map_err(|e| failed(path)(e.to_string()))
        }
        other => Err(Error::argument("ending of a picture's file name", "svg or png", other.unwrap_or("none"))),
    }
}

fn failed(path: &Path) -> impl FnOnce(String) -> Error {
    move |message| Error::io(path)(std::io::Error::other(message))
}

fn draw<B: DrawingBackend>(
    area: &DrawingArea<B, plotters::coord::Shift>,
    outcome: &Outcome,
    steps: usize,
    size: Picture,
) -> std::result::Result<(), String> {
    let text = |e: plotters::drawing::DrawingAreaErrorKind<B::ErrorType>| e.to_string();
    area.fill(&WHITE).map_err(text)?;
    let layers: Vec<_> = outcome.layers.iter().filter(|l| l.spiking).collect();
    let band = f64::from(size.height) / layers.len().max(1) as f64;
    let column = f64::from(size.width) / steps.max(1) as f64;
    for (i, layer) in layers.iter().enumerate() {
        let top = i as f64 * band;
        let color: RGBColor = {
            let (r, g, b) = Palette99::pick(i).rgb();
            RGBColor(r, g, b)
        };
        for (&step, &index) in layer.raster.step.iter().zip(&layer.raster.index) {
            let x = (f64::from(step) * column) as i32;
            let y = (top + 2.0 + (band - 4.0) * f64::from(index) / layer.neurons.max(1) as f64) as i32;
            let dot = Rectangle::new([(x, y), (x + (column as i32).clamp(1, 3), y + 1)], color.filled());
            area.draw(&dot).map_err(text)?;
        }
        if i > 0 {
            area.draw(&PathElement::new([(0, top as i32), (size.width as i32, top as i32)], BLACK.mix(0.3))).map_err(text)?;
        }
    }
    area.present().map_err(text)
}
