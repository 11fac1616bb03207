//! From data set items to the frames a network takes.

use zoo_core::{DType, Dataset, Error, Result, Tensor};

/// Field of event data: f32 `[T, 2, rows, columns]`, channel 0 darker and channel 1 brighter.
pub const FRAMES: &str = "frames";
/// Field of still data: u8 `[channels, rows, columns]`.
pub const IMAGE: &str = "image";
/// Field of classes.
pub const LABEL: &str = "label";

/// Mean and standard deviation of MNIST's training pixels in `[0, 1]`, by which still images are standardised.
const PIXELS: (f32, f32) = (0.1307, 0.3081);

/// Cuts planes of `from` rows and columns to their centre of `to`; any leading axes.
///
/// # Errors
/// [`Error::Shape`] if the planes are smaller than what is asked for, or do not fill `values`.
pub fn centre(values: &[f32], from: [usize; 2], to: [usize; 2]) -> Result<Vec<f32>> {
    let plane = from[0] * from[1];
    if plane == 0 || to[0] > from[0] || to[1] > from[1] || !values.len().is_multiple_of(plane) {
        return Err(Error::shape("frames", format!("planes of at least {to:?}"), from));
    }
    if from == to {
        return Ok(values.to_vec());
    }
    let (top, left) = ((from[0] - to[0]) / 2, (from[1] - to[1]) / 2);
    let rows = values.chunks_exact(plane).flat_map(|plane| plane.chunks_exact(from[1]).skip(top).take(to[0]));
    Ok(rows.flat_map(|row| row[left..left + to[1]].iter().copied()).collect())
}

/// Frames of events `[batch, T, channels, rows, columns]`, cut to the network's input.
///
/// # Errors
/// [`Error::DType`] or [`Error::Shape`] for another kind of tensor.
pub fn frames(frames: &Tensor, [c, h, w]: [usize; 3]) -> Result<Tensor> {
    frames.expect("field `frames`", DType::F32, &[None, None, Some(c), None, None])?;
    let shape = frames.shape();
    let cut = centre(frames.as_slice()?, [shape[3], shape[4]], [h, w])?;
    Tensor::from_vec([shape[0], shape[1], c, h, w], cut)
}

/// Still images `[batch, channels, rows, columns]` of u8, standardised.
///
/// # Errors
/// [`Error::DType`] or [`Error::Shape`] for another kind of tensor.
pub fn images(images: &Tensor, [c, h, w]: [usize; 3]) -> Result<Tensor> {
    images.expect("field `image`", DType::U8, &[None, Some(c), Some(h), Some(w)])?;
    let values = images.as_slice::<u8>()?.iter().map(|&p| standardise(f32::from(p))).collect();
    Tensor::from_vec(images.shape(), values)
}

/// A pixel of 0 to 255, standardised.
pub fn standardise(pixel: f32) -> f32 {
    (pixel / 255.0 - PIXELS.0) / PIXELS.1
}

/// Place of a field among a data set's features.
///
/// # Errors
/// [`Error::Unknown`] listing the fields there are.
pub fn field(dataset: &dyn Dataset, name: &str) -> Result<usize> {
    let features = &dataset.info().features;
    features.iter().position(|f| f.name == name).ok_or_else(|| Error::Unknown {
        kind: "data set field",
        name: name.into(),
        hint: format!("fields are {}", features.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_centre_by_hand() {
        let plane: Vec<f32> = (0..20u8).map(f32::from).collect();
        // 4 x 5 to 2 x 3: rows 1 and 2, columns 1 to 3.
        let two = [plane.clone(), plane].concat();
        let expected = [6.0, 7.0, 8.0, 11.0, 12.0, 13.0];
        assert_eq!(centre(&two, [4, 5], [2, 3]).unwrap(), [expected, expected].concat());
        assert!(centre(&two, [4, 5], [5, 5]).is_err());
        assert!(centre(&two[1..], [4, 5], [2, 3]).is_err());
    }
}
