//! Curves over one axis.

use crate::frame::{FONT, SIZE, Text, axes, colour, failed, label, range};
use plotters::prelude::*;
use std::ops::Range;
use zoo_core::Result;
use zoo_core::model::Figure;

/// A curve, or one of a bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Name in the legend; curves of one name share colour and entry.
    pub name: String,
    /// Points from left to right.
    pub points: Vec<[f64; 2]>,
    /// Drawn thin, as one of many behind a mean, without an entry of its own.
    pub faint: bool,
}

impl Curve {
    /// A curve of its own.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = [f64; 2]>) -> Self {
        Self { name: name.into(), points: points.into_iter().collect(), faint: false }
    }

    /// The same as one of a bundle.
    #[must_use]
    pub fn faint(self) -> Self {
        Self { faint: true, ..self }
    }
}

/// Draws curves.
///
/// # Errors
/// [`zoo_core::Error::Argument`] if there is no finite point.
pub fn curves(text: &Text, curves: &[Curve]) -> Result<Figure> {
    let all = || curves.iter().flat_map(|c| &c.points).filter(|p| p.iter().all(|v| v.is_finite()));
    let (x, y) = (range(&text.title, all().map(|p| p[0]))?, range(&text.title, all().map(|p| p[1]))?);
    let mut names: Vec<&str> = Vec::new();
    for curve in curves {
        if !names.contains(&curve.name.as_str()) {
            names.push(&curve.name);
        }
    }
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let span = x.end - x.start;
        let mut chart = axes(&root, text, [x.clone(), y.clone()], &|v| label(*v, span))?;
        // Bundles first, so that means lie over them.
        for curve in curves.iter().filter(|c| c.faint).chain(curves.iter().filter(|c| !c.faint)) {
            let index = names.iter().position(|n| *n == curve.name).unwrap_or_default();
            let style = if curve.faint { colour(index).mix(0.3).stroke_width(1) } else { colour(index).stroke_width(2) };
            let points = curve.points.iter().filter(|p| p.iter().all(|v| v.is_finite())).map(|&[x, y]| (x, y));
            let drawn = chart.draw_series(LineSeries::new(points, style)).map_err(failed)?;
            if !curve.faint && names.len() > 1 {
                drawn.label(&curve.name).legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour(index).stroke_width(2)));
            }
        }
        if names.len() > 1 {
            chart
                .configure_series_labels()
                .position(quietest(all().copied(), &x, &y))
                .background_style(WHITE.mix(0.85))
                .label_font(("sans-serif", FONT))
                .draw()
                .map_err(failed)?;
        }
        root.present().map_err(failed)?;
    }
    Ok(text.figure(svg))
}

/// The corner with the fewest points, for the legend; of equals the lower right.
fn quietest(points: impl Iterator<Item = [f64; 2]>, x: &Range<f64>, y: &Range<f64>) -> SeriesLabelPosition {
    let mut counts = [0_usize; 4];
    for [a, b] in points {
        let (left, low) = (a < x.start.midpoint(x.end), b < y.start.midpoint(y.end));
        counts[usize::from(left) + 2 * usize::from(!low)] += 1;
    }
    use SeriesLabelPosition::{LowerLeft, LowerRight, UpperLeft, UpperRight};
    let corners = counts.into_iter().zip([LowerRight, LowerLeft, UpperRight, UpperLeft]);
    corners.min_by_key(|(count, _)| *count).map_or(LowerRight, |(_, corner)| corner)
}

#[cfg(test)]
mod tests {
    use super::{SeriesLabelPosition, quietest};

    #[test]
    fn the_legend_gets_out_of_the_way() {
        let at = |points: &[[f64; 2]]| quietest(points.iter().copied(), &(0.0..10.0), &(-1.0..1.0));
        assert!(matches!(at(&[]), SeriesLabelPosition::LowerRight));
        assert!(matches!(at(&[[9.0, -0.9]]), SeriesLabelPosition::LowerLeft));
        assert!(matches!(at(&[[9.0, -0.9], [1.0, -0.9], [1.0, 0.9]]), SeriesLabelPosition::UpperRight));
        assert!(matches!(at(&[[9.0, -0.9], [1.0, -0.9], [9.0, 0.9]]), SeriesLabelPosition::UpperLeft));
    }
}
