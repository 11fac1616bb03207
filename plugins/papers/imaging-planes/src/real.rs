//! Pretext items from real headers: a short-axis image with the planes of the long-axis views, as `dsbcc` gives them.

use crate::config::NetworkConfig;
use crate::geometry::{Plane, Vector, dot};
use crate::heat::heat_map;
use crate::preprocess::{Prepared, prepare};
use zoo_core::{Error, Result, Tensor};

/// Normals are turned towards the head before slices are ordered, however each was stored.
const TOWARDS: Vector = [0.0, 0.0, 1.0];

/// What the pretext learns from one image.
#[derive(Clone, Debug, PartialEq)]
pub struct PretextItem {
    /// Prepared image, `size * size`.
    pub image: Vec<f32>,
    /// Heat maps of the 2- and the 4-chamber view, one after the other.
    pub heat: Vec<f32>,
    /// Relative place in the stack.
    pub location: f64,
}

/// Prepares an item of fields `image` `[rows, columns]`, `plane`, `plane_2c`, `plane_4c` `[12]` and `extent` `[2]`;
/// `None` where a target is missing: a view parallel to the image, or a stack without extent.
///
/// # Errors
/// [`Error::Shape`], [`Error::DType`] or [`Error::Argument`] for fields that do not fit.
pub fn pretext_item(fields: &[Tensor], network: &NetworkConfig) -> Result<Option<PretextItem>> {
    let [image, plane, two, four, extent, ..] = fields else {
        return Err(Error::shape("fields of a pretext item", "image, plane, plane_2c, plane_4c, extent", fields.len()));
    };
    let &[rows, columns] = image.shape() else {
        return Err(Error::shape("field `image`", "[rows, columns]", image.shape()));
    };
    let (plane, views) =
        (Plane::from_array(plane.as_slice()?)?, [Plane::from_array(two.as_slice()?)?, Plane::from_array(four.as_slice()?)?]);
    let &[low, high] = extent.as_slice::<f64>()? else {
        return Err(Error::shape("field `extent`", "[2]", extent.shape()));
    };
    // A stack of one slice has no target.
    if high - low <= 1e-6 {
        return Ok(None);
    }
    let spacing = [plane.row_spacing, plane.column_spacing];
    let Prepared { pixels, map } = prepare(image.as_slice()?, [rows, columns], spacing, network.spacing, network.size)?;
    let mut heat = Vec::with_capacity(2 * network.size * network.size);
    for view in &views {
        let Some(line) = plane.line_of(view) else { return Ok(None) };
        heat.extend(heat_map(&line.moved(&map), network.size, network.size, network.heat.shape(view, network.spacing)?));
    }
    let place = (dot(plane.normal(), plane.position) - low) / (high - low);
    let location = if dot(plane.normal(), TOWARDS) < 0.0 { place } else { 1.0 - place };
    Ok(Some(PretextItem { image: pixels, heat, location }))
}
