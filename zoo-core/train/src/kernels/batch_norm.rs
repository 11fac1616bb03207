//! Batch normalisation over the batch and all pixels of a channel.

use super::lanes::{affine, affine2, sum, sum_products, sum_squares};
use super::{elements, expect_len};
use rayon::prelude::*;
use zoo_core::{Error, Result};

/// Geometry of a normalisation of `[n, channels, inner]`, `inner` being the pixels of a channel (1 for a vector), with
/// the epsilon added to the variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm {
    n: usize,
    channels: usize,
    inner: usize,
    eps: f32,
}

/// Statistics of one batch, per channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchStats {
    /// Mean over batch and pixels.
    pub mean: Vec<f32>,
    /// Biased variance over batch and pixels, which normalises.
    pub variance: Vec<f32>,
    /// Unbiased variance, which enters the running average; the biased one if there is a single value.
    pub unbiased: Vec<f32>,
}

impl BatchNorm {
    /// Checks the sizes.
    ///
    /// # Errors
    /// [`Error::Shape`] if they do not fit memory, [`Error::Argument`] if `eps` is not positive.
    pub fn new(n: usize, channels: usize, inner: usize, eps: f32) -> Result<Self> {
        elements("batch norm input", &[n, channels, inner])?;
        if eps.is_nan() || eps <= 0.0 {
            return Err(Error::argument("batch norm epsilon", "a positive number", eps));
        }
        Ok(Self { n, channels, inner, eps })
    }

    fn len(&self) -> usize {
        self.n * self.channels * self.inner
    }

    /// The planes of one channel, image by image.
    fn planes<'a>(&self, x: &'a [f32], channel: usize) -> impl Iterator<Item = &'a [f32]> + use<'a> {
        let inner = self.inner;
        x.chunks_exact((self.channels * inner).max(1)).map(move |image| &image[channel * inner..][..inner])
    }

    /// Mean and variance of each channel of `x`. Both variances are 0 for an empty batch.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has the wrong length.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "statistics are kept in f32")]
    pub fn statistics(&self, x: &[f32]) -> Result<BatchStats> {
        expect_len("batch norm input", self.len(), x.len())?;
        let count = self.n * self.inner;
        let rows: Vec<(f32, f32, f32)> = (0..self.channels)
            .into_par_iter()
            .map(|channel| {
                let mean = self.planes(x, channel).map(|plane| f64::from(sum(plane))).sum::<f64>() / count.max(1) as f64;
                let mean = mean as f32;
                let squares: f64 = self.planes(x, channel).map(|plane| f64::from(sum_squares(plane, mean))).sum();
                let variance = squares / count.max(1) as f64;
                let unbiased = if count > 1 { squares / (count - 1) as f64 } else { variance };
                (mean, variance as f32, unbiased as f32)
            })
            .collect();
        Ok(BatchStats {
            mean: rows.iter().map(|r| r.0).collect(),
            variance: rows.iter().map(|r| r.1).collect(),
            unbiased: rows.iter().map(|r| r.2).collect(),
        })
    }

    /// `y = gamma * (x - mean) / sqrt(variance + eps) + beta`, with the statistics of the batch (training) or running
    /// ones (evaluation).
    ///
    /// # Errors
    /// [`Error::Shape`] if a slice has the wrong length.
    pub fn normalise(&self, x: &[f32], mean: &[f32], variance: &[f32], gamma: &[f32], beta: &[f32], y: &mut [f32]) -> Result<()> {
        expect_len("batch norm input", self.len(), x.len())?;
        expect_len("batch norm output", self.len(), y.len())?;
        for (what, slice) in
            [("batch norm mean", mean), ("batch norm variance", variance), ("batch norm gamma", gamma), ("batch norm beta", beta)]
        {
            expect_len(what, self.channels, slice.len())?;
        }
        if y.is_empty() {
            return Ok(());
        }
        let image = self.channels * self.inner;
        y.par_chunks_mut(image).zip(x.par_chunks(image)).for_each(|(y, x)| {
            for (channel, (y, x)) in y.chunks_exact_mut(self.inner).zip(x.chunks_exact(self.inner)).enumerate() {
                let scale = gamma[channel] / (variance[channel] + self.eps).sqrt();
                affine(y, x, scale, beta[channel] - mean[channel] * scale);
            }
        });
        Ok(())
    }

    /// Gradients through [`Self::normalise`] with the batch's own `stats` (training) or, with `None` for the statistics'
    /// share, through fixed ones (evaluation). Returns the gradients of gamma and beta; overwrites `x_grad`.
    ///
    /// # Errors
    /// [`Error::Shape`] if a slice has the wrong length.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "gradients are f32")]
    pub fn backward(
        &self,
        x: &[f32],
        stats: (&[f32], &[f32]),
        training: bool,
        gamma: &[f32],
        y_grad: &[f32],
        x_grad: Option<&mut [f32]>,
    ) -> Result<(Vec<f32>, Vec<f32>)> {
        let (mean, variance) = stats;
        expect_len("batch norm input", self.len(), x.len())?;
        expect_len("gradient of the batch norm output", self.len(), y_grad.len())?;
        for (what, slice) in [("batch norm mean", mean), ("batch norm variance", variance), ("batch norm gamma", gamma)] {
            expect_len(what, self.channels, slice.len())?;
        }
        let sums: Vec<(f64, f64)> = (0..self.channels)
            .into_par_iter()
            .map(|channel| {
                let pairs = || self.planes(x, channel).zip(self.planes(y_grad, channel));
                let beta: f64 = pairs().map(|(_, g)| f64::from(sum(g))).sum();
                let gamma: f64 = pairs().map(|(x, g)| f64::from(sum_products(x, g, mean[channel]))).sum();
                (gamma / f64::from(variance[channel] + self.eps).sqrt(), beta)
            })
            .collect();
        if let Some(x_grad) = x_grad {
            expect_len("gradient of the batch norm input", self.len(), x_grad.len())?;
            let image = (self.channels * self.inner).max(1);
            let count = (self.n * self.inner) as f64;
            x_grad.par_chunks_mut(image).zip(x.par_chunks(image)).zip(y_grad.par_chunks(image)).for_each(|((dx, x), g)| {
                let planes = dx.chunks_exact_mut(self.inner).zip(x.chunks_exact(self.inner)).zip(g.chunks_exact(self.inner));
                for (channel, ((dx, x), g)) in planes.enumerate() {
                    let inverse = 1.0 / f64::from(variance[channel] + self.eps).sqrt();
                    let scale = f64::from(gamma[channel]) * inverse;
                    if training {
                        let (dgamma, dbeta) = sums[channel];
                        let slope = -scale * inverse * dgamma / count;
                        let offset = -scale * dbeta / count - slope * f64::from(mean[channel]);
                        affine2(dx, g, x, scale as f32, slope as f32, offset as f32);
                    } else {
                        affine(dx, g, scale as f32, 0.0);
                    }
                }
            });
        }
        Ok((sums.iter().map(|s| s.0 as f32).collect(), sums.iter().map(|s| s.1 as f32).collect()))
    }
}
