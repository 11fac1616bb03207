//! What all charts share: size, colours, words and the range of an axis.

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::ops::Range;
use zoo_core::model::Figure;
use zoo_core::{Error, Result};

/// Width and height in pixels.
pub(crate) const SIZE: (u32, u32) = (640, 400);
/// Size of the text in pixels.
pub(crate) const FONT: u32 = 13;
/// Colours that stay apart for colour-blind readers (Okabe and Ito).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(80, 80, 80),
];

/// The words of a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// Title under the picture.
    pub title: String,
    /// What the picture shows, for those who can't see it.
    pub alt: String,
    /// The horizontal axis, with its unit.
    pub x: String,
    /// The vertical axis, with its unit.
    pub y: String,
}

impl Text {
    /// Words of a chart.
    pub fn new(title: impl Into<String>, alt: impl Into<String>, x: impl Into<String>, y: impl Into<String>) -> Self {
        Self { title: title.into(), alt: alt.into(), x: x.into(), y: y.into() }
    }

    pub(crate) fn figure(&self, svg: String) -> Figure {
        Figure { title: self.title.clone(), alt: self.alt.clone(), mime: "image/svg+xml".into(), bytes: svg.into_bytes() }
    }
}

/// The colour of series `index`.
pub(crate) fn colour(index: usize) -> RGBColor {
    COLOURS[index % COLOURS.len()]
}

/// From the least to the greatest finite value and a twentieth beyond, or a unit around the only one.
///
/// # Errors
/// [`Error::Argument`] if none is finite.
pub(crate) fn range(title: &str, values: impl Iterator<Item = f64>) -> Result<Range<f64>> {
    let finite = values.filter(|v| v.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        return Err(Error::argument(format!("chart `{title}`"), "at least one finite value", "none"));
    }
    let margin = if high > low { 0.05 * (high - low) } else { 0.5 * low.abs().max(1.0) };
    Ok(low - margin..high + margin)
}

/// Axes with their words, over a white ground.
///
/// # Errors
/// As [`failed`].
pub(crate) fn axes<'a, 'b>(
    root: &DrawingArea<SVGBackend<'a>, plotters::coord::Shift>,
    text: &Text,
    [x, y]: [Range<f64>; 2],
    x_label: &dyn Fn(&f64) -> String,
) -> Result<ChartContext<'b, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>> {
    root.fill(&WHITE).map_err(failed)?;
    let span = y.end - y.start;
    let mut chart = ChartBuilder::on(root)
        .margin(12)
        .set_label_area_size(LabelAreaPosition::Left, 56)
        .set_label_area_size(LabelAreaPosition::Bottom, 40)
        .build_cartesian_2d(x, y)
        .map_err(failed)?;
    chart
        .configure_mesh()
        .x_desc(&text.x)
        .y_desc(&text.y)
        .x_label_formatter(&x_label)
        .y_label_formatter(&|v| label(*v, span))
        .label_style(("sans-serif", FONT))
        .light_line_style(WHITE)
        .draw()
        .map_err(failed)?;
    Ok(chart)
}

/// Labels of an axis: as many digits as its span asks for.
pub(crate) fn label(value: f64, span: f64) -> String {
    let digits = if span >= 20.0 { 0 } else { (1.3 - span.max(1e-12).log10()).ceil().clamp(0.0, 12.0) as usize };
    let text = format!("{value:.digits$}");
    if text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.')) { text.trim_start_matches('-').into() } else { text }
}

/// Drawing into a string can't fail but for a mistake of this crate.
pub(crate) fn failed(error: impl std::fmt::Display) -> Error {
    Error::artifact("chart", "SVG", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_by_hand() {
        assert_eq!(range("r", [0.0, f64::NAN, 10.0].into_iter()).unwrap(), -0.5..10.5);
        assert_eq!(range("r", [4.0].into_iter()).unwrap(), 2.0..6.0);
        assert!(range("empty", [f64::NAN].into_iter()).unwrap_err().to_string().contains("empty"));
    }

    #[test]
    fn labels_by_hand() {
        assert_eq!((label(95.0, 40.0), label(0.25, 1.0), label(-0.0, 100.0)), ("95".into(), "0.25".into(), "0".into()));
    }
}
