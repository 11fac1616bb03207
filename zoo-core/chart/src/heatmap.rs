//! A matrix as coloured cells.

use crate::frame::{FONT, SIZE, Text, failed, label};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use zoo_core::model::Figure;
use zoo_core::{Error, Result};

/// How values become colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// From white at the first value to blue at the second.
    Sequential(f64, f64),
    /// From blue at minus the value over white at 0 to red at the value.
    Diverging(f64),
    /// Each whole number has a colour of its own: labels of groups.
    Groups,
}

/// A matrix, row by row from above.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Matrix<'a> {
    /// `[rows, columns]`.
    pub shape: [usize; 2],
    /// Row-major values; those that are not finite are grey.
    pub values: &'a [f64],
    /// Names of rows, or none.
    pub rows: &'a [String],
    /// Names of columns, or none.
    pub columns: &'a [String],
    /// Whether each cell says its value.
    pub labelled: bool,
}

/// Draws a matrix.
///
/// # Errors
/// [`Error::Shape`] if values or names do not fit the shape, or there are none.
pub fn heatmap(text: &Text, matrix: &Matrix<'_>, scale: Scale) -> Result<Figure> {
    let [rows, columns] = matrix.shape;
    if matrix.values.is_empty() || rows.checked_mul(columns) != Some(matrix.values.len()) {
        return Err(Error::shape(format!("chart `{}`", text.title), format!("{rows} x {columns} values"), matrix.values.len()));
    }
    for (names, count) in [(matrix.rows, rows), (matrix.columns, columns)] {
        if !names.is_empty() && names.len() != count {
            return Err(Error::shape(format!("names of chart `{}`", text.title), count, names.len()));
        }
    }
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        let longest = matrix.rows.iter().map(|name| name.chars().count()).max().unwrap_or(0) as i32;
        let (left, top) = (28 + longest.min(24) * 7, 12);
        let (width, height) = (SIZE.0 as i32 - left - 12, SIZE.1 as i32 - top - 48);
        let x = |column: usize| left + (column as i64 * i64::from(width) / columns as i64) as i32;
        let y = |row: usize| top + (row as i64 * i64::from(height) / rows as i64) as i32;
        for row in 0..rows {
            for column in 0..columns {
                let value = matrix.values[row * columns + column];
                let colour = colour(value, scale);
                let corners = [(x(column), y(row)), (x(column + 1), y(row + 1))];
                root.draw(&Rectangle::new(corners, colour.filled())).map_err(failed)?;
                if matrix.labelled && value.is_finite() {
                    let dark = u32::from(colour.0) + u32::from(colour.1) + u32::from(colour.2) < 384;
                    let ink = if dark { WHITE } else { BLACK };
                    let middle = (x(column).midpoint(x(column + 1)), y(row).midpoint(y(row + 1)));
                    write(&root, &label(value, span(scale)), middle, HPos::Center, ink)?;
                }
            }
        }
        for (row, name) in matrix.rows.iter().enumerate() {
            write(&root, name, (left - 6, y(row).midpoint(y(row + 1))), HPos::Right, BLACK)?;
        }
        for (column, name) in matrix.columns.iter().enumerate() {
            write(&root, name, (x(column).midpoint(x(column + 1)), top + height + 12), HPos::Center, BLACK)?;
        }
        write(&root, &text.x, (left + width / 2, top + height + 32), HPos::Center, BLACK)?;
        let sideways =
            ("sans-serif", FONT).into_font().transform(FontTransform::Rotate270).color(&BLACK).pos(Pos::new(HPos::Center, VPos::Top));
        root.draw_text(&text.y, &sideways, (4, top + height / 2)).map_err(failed)?;
        root.present().map_err(failed)?;
    }
    Ok(text.figure(svg))
}

fn write<D: DrawingBackend>(
    root: &DrawingArea<D, plotters::coord::Shift>,
    text: &str,
    at: (i32, i32),
    side: HPos,
    ink: RGBColor,
) -> Result<()> {
    let style = ("sans-serif", FONT).into_font().color(&ink).pos(Pos::new(side, VPos::Center));
    root.draw_text(text, &style, at).map_err(failed)
}

fn span(scale: Scale) -> f64 {
    match scale {
        Scale::Sequential(low, high) => high - low,
        Scale::Diverging(most) => 2.0 * most,
        Scale::Groups => f64::INFINITY,
    }
}

fn colour(value: f64, scale: Scale) -> RGBColor {
    const GREY: RGBColor = RGBColor(200, 200, 200);
    const BLUE: [f64; 3] = [0.0, 90.0, 160.0];
    const RED: [f64; 3] = [190.0, 50.0, 30.0];
    let towards = |end: [f64; 3], share: f64| {
        let part = |c: f64| (255.0 + (c - 255.0) * share.clamp(0.0, 1.0)).round() as u8;
        RGBColor(part(end[0]), part(end[1]), part(end[2]))
    };
    if !value.is_finite() {
        return GREY;
    }
    match scale {
        Scale::Sequential(low, high) if high > low => towards(BLUE, (value - low) / (high - low)),
        Scale::Diverging(most) if most > 0.0 => towards(if value < 0.0 { BLUE } else { RED }, value.abs() / most),
        Scale::Sequential(..) | Scale::Diverging(_) => towards(BLUE, 0.0),
        Scale::Groups => crate::frame::colour(value.max(0.0) as usize),
    }
}
