//! The losses in the training engine; [`crate::loss`] states what they compute.

use crate::config::{LossConfig, LossKind};
use zoo_core::Result;
use zoo_train::burn::tensor::Tensor;
use zoo_train::ops;

/// Cross entropy of the mean over time; `logits` `[steps, batch, classes]`.
///
/// # Errors
/// As [`ops::cross_entropy`].
pub fn sdt(logits: Tensor<3>, labels: &[i64], smoothing: f32) -> Result<Tensor<1>> {
    ops::cross_entropy(logits.mean_dim(0).squeeze_dim(0), labels, smoothing)
}

/// `(1 - lambda)` times the mean over steps of the cross entropy plus `lambda` times the mean of `(O - phi)^2`. A part
/// whose share is 0 is left out.
///
/// # Errors
/// As [`ops::cross_entropy`].
pub fn tet(logits: Tensor<3>, labels: &[i64], smoothing: f32, lambda: f64, phi: f64) -> Result<Tensor<1>> {
    let [steps, batch, classes] = logits.dims();
    let pull = |logits: Tensor<3>| {
        let away = logits - phi;
        (away.clone() * away).mean()
    };
    if lambda >= 1.0 {
        return Ok(pull(logits));
    }
    let by_step = ops::cross_entropy(logits.clone().reshape([steps * batch, classes]), &labels.repeat(steps), smoothing)?;
    Ok(if lambda > 0.0 { by_step * (1.0 - lambda) + pull(logits) * lambda } else { by_step })
}

/// The loss of a configuration at an epoch.
///
/// # Errors
/// As [`ops::cross_entropy`].
pub fn by_config(config: &LossConfig, epoch: u64, logits: Tensor<3>, labels: &[i64]) -> Result<Tensor<1>> {
    if config.kind == LossKind::Sdt || epoch < config.switch_epoch {
        sdt(logits, labels, config.smoothing)
    } else {
        tet(logits, labels, config.smoothing, config.lambda, config.phi)
    }
}
