//! Batch normalisation, with the batch's own statistics or with running ones.

use super::host::{HostKernel, apply3, lock};
use super::{expect_dims, expect_f32, on_host};
use crate::kernels::{BatchNorm, BatchStats};
use burn::tensor::{Tensor, TensorData, module};
use std::sync::{Arc, Mutex};
use zoo_core::Result;

/// Statistics of one batch, outside the graph: what a running average takes in.
#[derive(Clone, Debug)]
pub struct BatchMoments {
    /// Mean of each channel, `[c]`.
    pub mean: Tensor<1>,
    /// Unbiased variance of each channel, `[c]`.
    pub variance: Tensor<1>,
}

#[derive(Debug)]
struct Normalise {
    norm: BatchNorm,
    shape: Vec<usize>,
    training: bool,
    /// Batch statistics once known, or the running ones.
    stats: Mutex<BatchStats>,
}

impl HostKernel for Normalise {
    fn output_shape(&self) -> Vec<usize> {
        self.shape.clone()
    }

    fn forward(&self, inputs: &[&[f32]], _: bool) -> Result<Vec<f32>> {
        let mut stats = lock(&self.stats);
        if self.training {
            *stats = self.norm.statistics(inputs[0])?;
        }
        let mut output = vec![0.0; inputs[0].len()];
        self.norm.normalise(inputs[0], &stats.mean, &stats.variance, inputs[1], inputs[2], &mut output)?;
        Ok(output)
    }

    fn backward(&self, inputs: &[&[f32]], output_grad: &[f32], needed: &[bool]) -> Result<Vec<Option<Vec<f32>>>> {
        let stats = lock(&self.stats);
        let mut grad = needed[0].then(|| vec![0.0; inputs[0].len()]);
        let moments = (stats.mean.as_slice(), stats.variance.as_slice());
        let (gamma, beta) = self.norm.backward(inputs[0], moments, self.training, inputs[1], output_grad, grad.as_deref_mut())?;
        Ok(vec![grad, Some(gamma), Some(beta)])
    }
}

/// Geometry after checking the affine parameters; `x` is `[n, c, ...]`.
fn geometry<const D: usize>(x: &Tensor<D>, gamma: &Tensor<1>, beta: &Tensor<1>, eps: f32) -> Result<(BatchNorm, [usize; D])> {
    expect_f32("batch norm input", x)?;
    let dims = x.dims();
    let channels = dims.get(1).copied().unwrap_or(0);
    expect_dims("batch norm gamma", gamma, [channels])?;
    expect_dims("batch norm beta", beta, [channels])?;
    Ok((BatchNorm::new(dims[0], channels, dims.iter().skip(2).product(), eps)?, dims))
}

/// Normalises each channel by the mean and the biased variance of this batch, differentiating through both, and
/// returns the batch's moments for a running average.
///
/// # Shapes
/// `x` `[n, c, ...]`, `gamma` and `beta` `[c]`; result as `x`.
///
/// # Errors
/// [`zoo_core::Error`] if shapes or element types do not fit.
pub fn batch_norm<const D: usize>(x: Tensor<D>, gamma: Tensor<1>, beta: Tensor<1>, eps: f32) -> Result<(Tensor<D>, BatchMoments)> {
    let (norm, dims) = geometry(&x, &gamma, &beta, eps)?;
    if !on_host(&x) {
        let out = module::batch_norm_train(x, gamma, beta, f64::from(eps));
        let count = dims.iter().product::<usize>() / dims[1].max(1);
        #[allow(clippy::cast_precision_loss, reason = "a count of pixels")]
        let unbias = count as f64 / count.saturating_sub(1).max(1) as f64;
        return Ok((out.output, BatchMoments { mean: out.mean.inner(), variance: out.variance.inner() * unbias }));
    }
    let device = x.device().inner();
    let kernel = Arc::new(Normalise { norm, shape: dims.to_vec(), training: true, stats: Mutex::default() });
    let y = apply3(x, gamma, beta, Arc::clone(&kernel) as Arc<dyn HostKernel>);
    let stats = lock(&kernel.stats);
    let tensor = |values: &[f32]| Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), &device);
    let moments = BatchMoments { mean: tensor(&stats.mean), variance: tensor(&stats.unbiased) };
    drop(stats);
    Ok((y, moments))
}

/// Normalises each channel by given statistics (evaluation).
///
/// # Shapes
/// `x` `[n, c, ...]`, all others `[c]`; result as `x`.
///
/// # Errors
/// [`zoo_core::Error`] if shapes or element types do not fit.
pub fn batch_norm_fixed<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    mean: Tensor<1>,
    variance: Tensor<1>,
    eps: f32,
) -> Result<Tensor<D>> {
    let (norm, dims) = geometry(&x, &gamma, &beta, eps)?;
    expect_dims("batch norm mean", &mean, gamma.dims())?;
    expect_dims("batch norm variance", &variance, gamma.dims())?;
    if !on_host(&x) {
        return Ok(module::batch_norm(x, gamma, beta, mean, variance, f64::from(eps)));
    }
    let read = |t: Tensor<1>| t.into_data().try_into_vec::<f32>().unwrap_or_default();
    let stats = BatchStats { mean: read(mean), variance: read(variance), unbiased: Vec::new() };
    let kernel = Normalise { norm, shape: dims.to_vec(), training: false, stats: Mutex::new(stats) };
    Ok(apply3(x, gamma, beta, Arc::new(kernel)))
}
