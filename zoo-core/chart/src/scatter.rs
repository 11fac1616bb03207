//! Named points with intervals.

use crate::frame::{FONT, SIZE, Text, axes, colour, failed, label, range};
use plotters::prelude::*;
use zoo_core::Result;
use zoo_core::model::Figure;

/// A point with its name beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Dot {
    /// Name.
    pub name: String,
    /// Where.
    pub at: [f64; 2],
    /// Half the width of the vertical interval; 0 for none.
    pub half: f64,
    /// Dots of one series share a colour.
    pub series: usize,
}

/// Draws points, with the horizontal axis in logarithms where `log_x` says so: points at 0 or below are then left out.
///
/// # Errors
/// [`zoo_core::Error::Argument`] if there is no finite point.
pub fn scatter(text: &Text, dots: &[Dot], log_x: bool) -> Result<Figure> {
    let place = |x: f64| if log_x { x.log10() } else { x };
    let good = |dot: &&Dot| place(dot.at[0]).is_finite() && dot.at[1].is_finite();
    let ends = |dot: &Dot| [dot.at[1] - dot.half.max(0.0), dot.at[1] + dot.half.max(0.0)];
    let x = range(&text.title, dots.iter().filter(good).map(|d| place(d.at[0])))?;
    let y = range(&text.title, dots.iter().filter(good).flat_map(ends))?;
    // Room for the names on the right.
    let x = x.start..x.end + 0.12 * (x.end - x.start);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let span = x.end - x.start;
        let x_label = |v: &f64| if log_x { label(10f64.powf(*v), 10f64.powf(*v) / 3.0) } else { label(*v, span) };
        let mut chart = axes(&root, text, [x, y], &x_label)?;
        for dot in dots.iter().filter(good) {
            let (x, [low, high]) = (place(dot.at[0]), ends(dot));
            chart.draw_series([PathElement::new([(x, low), (x, high)], colour(dot.series).stroke_width(1))]).map_err(failed)?;
            chart.draw_series([Circle::new((x, dot.at[1]), 4, colour(dot.series).filled())]).map_err(failed)?;
            let name = EmptyElement::at((x, dot.at[1])) + plotters::element::Text::new(dot.name.clone(), (7, -6), ("sans-serif", FONT));
            chart.draw_series([name]).map_err(failed)?;
        }
        root.present().map_err(failed)?;
    }
    Ok(text.figure(svg))
}
