//! Losses.

use super::expect_f32;
use burn::tensor::{Int, Tensor, TensorData, activation};
use zoo_core::{Error, Result};

/// Cross entropy of `logits` `[n, classes]` against class indices, the mean over the batch (`[1]`).
///
/// `smoothing` in `0..1` mixes the target with the uniform distribution, as PyTorch's `label_smoothing` does.
///
/// # Errors
/// [`Error::Shape`] if there is not one label a row, [`Error::Argument`] if a label is no class.
pub fn cross_entropy(logits: Tensor<2>, labels: &[i64], smoothing: f32) -> Result<Tensor<1>> {
    expect_f32("logits", &logits)?;
    let [rows, classes] = logits.dims();
    if labels.len() != rows {
        return Err(Error::shape("labels", [rows], [labels.len()]));
    }
    if let Some(label) = labels.iter().find(|&&label| usize::try_from(label).map_or(true, |label| label >= classes)) {
        return Err(Error::argument("label", format!("a class in 0..{classes}"), label));
    }
    let index = Tensor::<2, Int>::from_data(TensorData::new(labels.to_vec(), [rows, 1]), &logits.device());
    let log = activation::log_softmax(logits, 1);
    let hard = log.clone().gather(1, index).mean().neg();
    Ok(if smoothing > 0.0 { hard * (1.0 - smoothing) + log.mean().neg() * smoothing } else { hard })
}

/// Mean of the squared differences of two tensors of one shape (`[1]`).
///
/// # Errors
/// [`Error::Shape`] if the shapes differ.
pub fn mean_squared_error<const D: usize>(x: Tensor<D>, target: Tensor<D>) -> Result<Tensor<1>> {
    super::expect_dims("target", &target, x.dims())?;
    let difference = x - target;
    Ok((difference.clone() * difference).mean())
}

/// How many rows of `logits` `[n, classes]` have their greatest value (the first of equals) at the label.
///
/// # Errors
/// [`Error::Shape`] if there is not one label a row.
pub fn count_correct(logits: &Tensor<2>, labels: &[i64]) -> Result<usize> {
    let [rows, classes] = logits.dims();
    if labels.len() != rows {
        return Err(Error::shape("labels", [rows], [labels.len()]));
    }
    let values = crate::params::to_host(logits.clone());
    let best = |row: &[f32]| row.iter().enumerate().fold(0, |best, (i, x)| if *x > row[best] { i } else { best });
    Ok(values.chunks(classes.max(1)).zip(labels).filter(|(row, label)| usize::try_from(**label) == Ok(best(row))).count())
}
