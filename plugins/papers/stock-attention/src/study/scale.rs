//! Scaling of features, fitted on training samples alone.

use crate::head::{CREDIBILITY_FEATURES, PRICE_FEATURES};
use zoo_core::{Result, Tensor, Weights};

/// Means and standard deviations.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaler {
    /// Mean of each price feature.
    pub price_mean: Vec<f32>,
    /// Standard deviation of each price feature.
    pub price_std: Vec<f32>,
    /// Mean of each credibility feature.
    pub credibility_mean: Vec<f32>,
    /// Standard deviation of each credibility feature.
    pub credibility_std: Vec<f32>,
}

/// A feature that hardly varies is left at its scale.
const LEAST_STD: f64 = 1e-6;

impl Scaler {
    /// Fits to rows of price features and rows of credibility features.
    pub fn fit<'a>(price: impl Iterator<Item = &'a [f32]>, credibility: impl Iterator<Item = &'a [f32]>) -> Self {
        let (price_mean, price_std) = moments(price, PRICE_FEATURES);
        let (credibility_mean, credibility_std) = moments(credibility, CREDIBILITY_FEATURES);
        Self { price_mean, price_std, credibility_mean, credibility_std }
    }

    /// Reads `scale.price.mean`, `scale.price.std`, `scale.cred.mean` and `scale.cred.std`.
    ///
    /// # Errors
    /// [`zoo_core::Error::Keys`], [`zoo_core::Error::Shape`] or [`zoo_core::Error::DType`].
    pub fn from_weights(weights: &Weights) -> Result<Self> {
        let get = |name: &str, n: usize| Ok::<_, zoo_core::Error>(weights.f32(&format!("scale.{name}"), &[n])?.to_vec());
        Ok(Self {
            price_mean: get("price.mean", PRICE_FEATURES)?,
            price_std: get("price.std", PRICE_FEATURES)?,
            credibility_mean: get("cred.mean", CREDIBILITY_FEATURES)?,
            credibility_std: get("cred.std", CREDIBILITY_FEATURES)?,
        })
    }

    /// The tensors that [`Scaler::from_weights`] reads.
    ///
    /// # Errors
    /// None in practice.
    pub fn tensors(&self) -> Result<Vec<(String, Tensor)>> {
        let named = [
            ("price.mean", &self.price_mean),
            ("price.std", &self.price_std),
            ("cred.mean", &self.credibility_mean),
            ("cred.std", &self.credibility_std),
        ];
        named.into_iter().map(|(name, values)| Ok((format!("scale.{name}"), Tensor::from_vec([values.len()], values.clone())?))).collect()
    }

    /// One day's price features, scaled.
    pub fn price(&self, day: &[f32]) -> Vec<f32> {
        scaled(day, &self.price_mean, &self.price_std)
    }

    /// One post's credibility features, scaled.
    pub fn credibility(&self, post: &[f32]) -> Vec<f32> {
        scaled(post, &self.credibility_mean, &self.credibility_std)
    }
}

fn scaled(x: &[f32], mean: &[f32], std: &[f32]) -> Vec<f32> {
    x.iter().zip(mean).zip(std).map(|((x, m), s)| (x - m) / s).collect()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "features are f32")]
fn moments<'a>(rows: impl Iterator<Item = &'a [f32]>, width: usize) -> (Vec<f32>, Vec<f32>) {
    let (mut sum, mut square, mut count) = (vec![0f64; width], vec![0f64; width], 0u64);
    for row in rows {
        count += 1;
        for (i, &x) in row.iter().enumerate().take(width) {
            sum[i] += f64::from(x);
            square[i] += f64::from(x).powi(2);
        }
    }
    let n = count.max(1) as f64;
    let mean: Vec<f64> = sum.iter().map(|s| s / n).collect();
    let std = square.iter().zip(&mean).map(|(q, m)| (q / n - m * m).max(0.0).sqrt());
    let std = std.map(|s| if s > LEAST_STD { s as f32 } else { 1.0 }).collect();
    (mean.iter().map(|m| *m as f32).collect(), std)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_by_hand() {
        let rows: [&[f32]; 3] = [&[1.0, 5.0], &[2.0, 5.0], &[6.0, 5.0]];
        let (mean, std) = moments(rows.into_iter(), 2);
        assert_eq!(mean, [3.0, 5.0]);
        assert!((std[0] - (14f32 / 3.0).sqrt()).abs() < 1e-6 && std[1] == 1.0, "{std:?}");
    }
}
