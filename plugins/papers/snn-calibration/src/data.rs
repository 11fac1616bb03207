//! From data set items to the images that networks and calibration take.

use crate::config::NetworkConfig;
use crate::kernel::channels_last;
use zoo_core::metric::labels;
use zoo_core::{DType, Dataset, Error, Result, Tensor};

/// Name of the image field.
pub const IMAGE: &str = "image";
/// Name of the label field.
pub const LABEL: &str = "label";

/// Standardises raw pixels: `(pixel / 255 - mean) / std`, per channel.
///
/// # Shapes
/// `[batch, channels, rows, columns]` of `u8` to the same of `f32`.
///
/// # Errors
/// [`Error::DType`] or [`Error::Shape`] for another kind of tensor.
pub fn standardise(images: &Tensor, network: &NetworkConfig) -> Result<Tensor> {
    let [c, h, w] = network.input;
    images.expect("field `image`", DType::U8, &[None, Some(c), Some(h), Some(w)])?;
    let tables = pixel_tables(network);
    let pixels = images.as_slice::<u8>()?;
    let mut out = Vec::with_capacity(pixels.len());
    for (plane, pixels) in pixels.chunks_exact(h * w).enumerate() {
        let table = &tables[plane % c];
        out.extend(pixels.iter().map(|&p| table[usize::from(p)]));
    }
    Tensor::from_vec(images.shape(), out)
}

/// The standardised value of each of the 256 pixel values, per channel.
fn pixel_tables(network: &NetworkConfig) -> Vec<[f32; 256]> {
    let table = |(mean, std): (&f32, &f32)| std::array::from_fn(|p| (p as f32 / 255.0 - mean) / std);
    network.mean.iter().zip(&network.std).map(table).collect()
}

/// Standardised images of some items, (row, column, channel). Labels stay where they are.
///
/// # Errors
/// [`Error::Argument`] for an index out of range, and whatever reading finds.
pub fn images(dataset: &dyn Dataset, indices: impl IntoIterator<Item = usize>, network: &NetworkConfig) -> Result<Vec<Vec<f32>>> {
    let at = field(dataset, IMAGE)?;
    let mut images = Vec::new();
    for index in indices {
        let item = item(dataset, index)?;
        let [c, h, w] = network.input;
        let one = standardise(&item[at].reshape([&[1], item[at].shape()].concat())?, network)?;
        images.push(channels_last([c, h, w], one.as_slice()?));
    }
    Ok(images)
}

/// Class indices of some items.
///
/// # Errors
/// As [`images`].
pub fn classes(dataset: &dyn Dataset, indices: impl IntoIterator<Item = usize>) -> Result<Vec<usize>> {
    let at = field(dataset, LABEL)?;
    let one = |index| {
        let label = labels(&item(dataset, index)?[at])?;
        match label[..] {
            [label] => usize::try_from(label).map_err(|_| Error::argument(format!("label of item {index}"), "a class index", label)),
            _ => Err(Error::shape(format!("label of item {index}"), [1], [label.len()])),
        }
    };
    indices.into_iter().map(one).collect()
}

fn item(dataset: &dyn Dataset, index: usize) -> Result<Vec<Tensor>> {
    if index >= dataset.len() {
        return Err(Error::argument(format!("item of split `{}`", dataset.split()), format!("below {}", dataset.len()), index));
    }
    dataset.get(index)
}

fn field(dataset: &dyn Dataset, name: &str) -> Result<usize> {
    let features = &dataset.info().features;
    features.iter().position(|f| f.name == name).ok_or_else(|| Error::Unknown {
        kind: "data set field",
        name: name.into(),
        hint: format!("fields are {}", features.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(", ")),
    })
}

/// Index of the greatest logit; the first one wins a tie.
pub fn argmax(logits: &[f32]) -> usize {
    logits.iter().enumerate().fold((0, f32::NEG_INFINITY), |best, (i, &v)| if v > best.1 { (i, v) } else { best }).0
}
