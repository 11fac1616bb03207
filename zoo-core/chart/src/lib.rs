//! Charts as SVG for the figures that plugins put into reports ([`zoo_core::model::Figure`]).
//!
//! Three kinds carry the papers of this zoo: [`curves`] over one axis, [`scatter`] of named points with intervals, and
//! [`heatmap`] of a matrix. Values that are not finite are left out; a chart of nothing is an error. The same arguments give
//! the same bytes.

mod curves;
mod frame;
mod heatmap;
mod scatter;

pub use curves::{Curve, curves};
pub use frame::Text;
pub use heatmap::{Matrix, Scale, heatmap};
pub use scatter::{Dot, scatter};
