//! A linear support-vector machine by dual coordinate descent (Hsieh and others, 2008), as liblinear's: hinge loss, squared
//! norm, and an intercept that is one more weight of a constant feature.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use zoo_core::{Error, Result};

/// Passes before giving up.
const PASSES: usize = 20_000;
/// Greatest violation of optimality at the end.
const TOLERANCE: f64 = 1e-8;

/// A separating plane: positive where `weight . x + intercept` is.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// Normal.
    pub weight: Vec<f64>,
    /// Intercept.
    pub intercept: f64,
}

impl Plane {
    /// Value at a point, not divided by the normal's length.
    pub fn at(&self, x: &[f32]) -> f64 {
        self.weight.iter().zip(x).map(|(w, x)| w * f64::from(*x)).sum::<f64>() + self.intercept
    }

    /// Length of the normal.
    pub fn norm(&self) -> f64 {
        self.weight.iter().map(|w| w * w).sum::<f64>().sqrt()
    }
}

/// Fits `min 1/2 |w|^2 + 1/2 b^2 + c sum max(0, 1 - y (w . x + b))`.
///
/// # Errors
/// [`Error::Argument`] unless there are items of both classes, all of one length and finite.
pub fn fit(items: &[&[f32]], positive: &[bool], c: f64) -> Result<Plane> {
    if items.len() != positive.len() || !positive.contains(&true) || !positive.contains(&false) {
        return Err(Error::argument("items of a support-vector machine", "some of both classes", format!("{} items", items.len())));
    }
    let length = items[0].len();
    if items.iter().any(|x| x.len() != length || x.iter().any(|v| !v.is_finite())) {
        return Err(Error::argument("items of a support-vector machine", format!("{length} finite numbers each"), "others"));
    }
    let sign = |i: usize| if positive[i] { 1.0 } else { -1.0 };
    let squares: Vec<f64> = items.iter().map(|x| x.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() + 1.0).collect();
    let mut plane = Plane { weight: vec![0.0; length], intercept: 0.0 };
    let mut alpha = vec![0.0f64; items.len()];
    let mut order: Vec<usize> = (0..items.len()).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    for _ in 0..PASSES {
        order.shuffle(&mut rng);
        let mut worst = 0.0f64;
        for &i in &order {
            let gradient = sign(i) * plane.at(items[i]) - 1.0;
            let projected = match alpha[i] {
                a if a <= 0.0 => gradient.min(0.0),
                a if a >= c => gradient.max(0.0),
                _ => gradient,
            };
            worst = worst.max(projected.abs());
            if projected != 0.0 {
                let old = alpha[i];
                alpha[i] = (old - gradient / squares[i]).clamp(0.0, c);
                let step = (alpha[i] - old) * sign(i);
                plane.weight.iter_mut().zip(items[i]).for_each(|(w, x)| *w += step * f64::from(*x));
                plane.intercept += step;
            }
        }
        if worst < TOLERANCE {
            break;
        }
    }
    Ok(plane)
}
