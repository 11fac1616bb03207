//! Squared local normalised cross-correlation.

use super::{elements, expect_len};
use rayon::prelude::*;
use zoo_core::{Error, Result};

/// `(cross^2 + eps) / (variance_a * variance_b + eps)` in a window around every sample, for images of one channel:
/// near 1 where the images are alike up to a factor of either sign and an offset, and 1 where both are flat.
///
/// Sums go over cubic windows, what lies outside counts as 0, and means divide by the whole window. They are taken in double
/// precision: differences of sums would lose a flat region's variance otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalNcc {
    items: usize,
    /// Slowest axis first.
    grid: Vec<usize>,
    radius: usize,
    count: f64,
    eps: f64,
}

/// Window sums of one item.
struct Sums {
    a: Vec<f64>,
    b: Vec<f64>,
    cross: Vec<f64>,
    variance_a: Vec<f64>,
    variance_b: Vec<f64>,
}

impl LocalNcc {
    /// Checks the shape of images `[n, 1, (depth,) height, width]`, and an odd window.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Argument`].
    pub fn new(image: &[usize], window: usize, eps: f64) -> Result<Self> {
        let &[items, 1, ref grid @ ..] = image else {
            return Err(Error::shape("images to correlate", "[n, 1, (depth,) height, width]", image));
        };
        if !(2..=3).contains(&grid.len()) {
            return Err(Error::shape("images to correlate", "[n, 1, (depth,) height, width]", image));
        }
        elements("images to correlate", image)?;
        if window.is_multiple_of(2) || window > 1 << 10 || eps <= 0.0 || eps.is_nan() {
            return Err(Error::argument("window and eps", "an odd number below 1024, and a number above 0", format!("{window} and {eps}")));
        }
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a window and two or three axes")]
        let count = (window as f64).powi(grid.len() as i32);
        Ok(Self { items, grid: grid.to_vec(), radius: window / 2, count, eps })
    }

    /// Samples of an image.
    fn plane(&self) -> usize {
        self.grid.iter().product()
    }

    /// Elements of either input and of the result.
    pub fn len(&self) -> usize {
        self.items * self.plane()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shape of the result: that of the inputs.
    pub fn output_shape(&self) -> Vec<usize> {
        [&[self.items, 1], self.grid.as_slice()].concat()
    }

    /// Sums over the window around every sample, one axis after another.
    fn boxed(&self, mut values: Vec<f64>) -> Vec<f64> {
        let mut stride = 1;
        for &length in self.grid.iter().rev() {
            let mut line = vec![0.0; length];
            for start in (0..values.len()).filter(|i| i / stride % length == 0) {
                let mut sum: f64 = (0..self.radius.min(length)).map(|i| values[start + i * stride]).sum();
                for (i, place) in line.iter_mut().enumerate() {
                    if i + self.radius < length {
                        sum += values[start + (i + self.radius) * stride];
                    }
                    if i > self.radius {
                        sum -= values[start + (i - self.radius - 1) * stride];
                    }
                    *place = sum;
                }
                line.iter().enumerate().for_each(|(i, sum)| values[start + i * stride] = *sum);
            }
            stride *= length;
        }
        values
    }

    fn sums(&self, a: &[f32], b: &[f32]) -> Sums {
        let products = |x: &[f32], y: &[f32]| self.boxed(x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).collect());
        let plain = |x: &[f32]| self.boxed(x.iter().map(|v| f64::from(*v)).collect());
        let (sum_a, sum_b) = (plain(a), plain(b));
        let centred = |mut products: Vec<f64>, x: &[f64], y: &[f64]| {
            products.iter_mut().zip(x.iter().zip(y)).for_each(|(p, (x, y))| *p -= x * y / self.count);
            products
        };
        Sums {
            cross: centred(products(a, b), &sum_a, &sum_b),
            variance_a: centred(products(a, a), &sum_a, &sum_a),
            variance_b: centred(products(b, b), &sum_b, &sum_b),
            a: sum_a,
            b: sum_b,
        }
    }

    /// Computes the correlation around every sample.
    ///
    /// # Errors
    /// [`Error::Shape`] if a slice has another length.
    pub fn forward(&self, a: &[f32], b: &[f32], output: &mut [f32]) -> Result<()> {
        [a.len(), b.len(), output.len()].into_iter().try_for_each(|n| expect_len("images to correlate", self.len(), n))?;
        let plane = self.plane().max(1);
        let items = output.par_chunks_mut(plane).zip(a.par_chunks(plane).zip(b.par_chunks(plane)));
        items.for_each(|(out, (a, b))| {
            let sums = self.sums(a, b);
            for (i, out) in out.iter_mut().enumerate() {
                let value = (sums.cross[i].powi(2) + self.eps) / (sums.variance_a[i] * sums.variance_b[i] + self.eps);
                #[allow(clippy::cast_possible_truncation, reason = "results are f32")]
                {
                    *out = value as f32;
                }
            }
        });
        Ok(())
    }

    /// Adds the gradients with respect to both images, where asked for.
    ///
    /// # Errors
    /// [`Error::Shape`] if a slice has another length.
    pub fn backward(
        &self,
        a: &[f32],
        b: &[f32],
        output_grad: &[f32],
        a_grad: Option<&mut [f32]>,
        b_grad: Option<&mut [f32]>,
    ) -> Result<()> {
        let lengths = [a.len(), b.len(), output_grad.len()];
        let given = a_grad.as_deref().into_iter().chain(b_grad.as_deref()).map(<[f32]>::len);
        lengths.into_iter().chain(given).try_for_each(|n| expect_len("images to correlate", self.len(), n))?;
        let plane = self.plane().max(1);
        let wanted = [a_grad.is_some(), b_grad.is_some()];
        let found: Vec<[Vec<f32>; 2]> = (0..self.items)
            .into_par_iter()
            .map(|item| {
                let of = |all: &[f32]| all[item * plane..][..plane].to_vec();
                self.item_grads(&of(a), &of(b), &of(output_grad), wanted)
            })
            .collect();
        for (grad, which) in [(a_grad, 0), (b_grad, 1)] {
            let Some(grad) = grad else { continue };
            for (own, found) in grad.chunks_mut(plane).zip(&found) {
                own.iter_mut().zip(&found[which]).for_each(|(g, f)| *g += f);
            }
        }
        Ok(())
    }

    fn item_grads(&self, a: &[f32], b: &[f32], grad: &[f32], wanted: [bool; 2]) -> [Vec<f32>; 2] {
        let sums = self.sums(a, b);
        // Slopes of the value along the cross sum, and along either variance.
        let (mut to_cross, mut to_product) = (Vec::with_capacity(a.len()), Vec::with_capacity(a.len()));
        for (i, g) in grad.iter().enumerate() {
            let over = sums.variance_a[i] * sums.variance_b[i] + self.eps;
            to_cross.push(f64::from(*g) * 2.0 * sums.cross[i] / over);
            to_product.push(-f64::from(*g) * (sums.cross[i].powi(2) + self.eps) / (over * over));
        }
        let scaled = |x: &[f64], y: &[f64]| self.boxed(x.iter().zip(y).map(|(x, y)| x * y).collect());
        let of_cross = self.boxed(to_cross.clone());
        let one = |own: &[f32], other: &[f32], own_sum: &[f64], other_sum: &[f64], other_variance: &[f64]| -> Vec<f32> {
            let to_own: Vec<f64> = to_product.iter().zip(other_variance).map(|(p, v)| p * v).collect();
            let mean_other = scaled(&to_cross, other_sum);
            let of_own = self.boxed(to_own.clone());
            let mean_own = scaled(&to_own, own_sum);
            let value = |i: usize| {
                let cross = f64::from(other[i]) * of_cross[i] - mean_other[i] / self.count;
                cross + 2.0 * (f64::from(own[i]) * of_own[i] - mean_own[i] / self.count)
            };
            #[allow(clippy::cast_possible_truncation, reason = "gradients are f32")]
            (0..own.len()).map(|i| value(i) as f32).collect()
        };
        let empty = Vec::new;
        [
            if wanted[0] { one(a, b, &sums.a, &sums.b, &sums.variance_b) } else { empty() },
            if wanted[1] { one(b, a, &sums.b, &sums.a, &sums.variance_a) } else { empty() },
        ]
    }
}
