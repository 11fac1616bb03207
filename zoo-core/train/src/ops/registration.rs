//! Operations of image registration.

use super::host::{HostKernel, apply2};
use super::{expect_dims, expect_f32, on_host};
use crate::kernels::{LocalNcc, Warp};
use burn::tensor::Tensor;
use std::sync::Arc;
use zoo_core::{Error, Result};

impl HostKernel for Warp {
    fn output_shape(&self) -> Vec<usize> {
        Warp::output_shape(self)
    }

    fn forward(&self, inputs: &[&[f32]], _: bool) -> Result<Vec<f32>> {
        let mut output = vec![0.0; self.image_len()];
        Warp::forward(self, inputs[0], inputs[1], &mut output)?;
        Ok(output)
    }

    fn backward(&self, inputs: &[&[f32]], output_grad: &[f32], needed: &[bool]) -> Result<Vec<Option<Vec<f32>>>> {
        let mut image = needed[0].then(|| vec![0.0; self.image_len()]);
        let mut displacement = needed[1].then(|| vec![0.0; self.displacement_len()]);
        Warp::backward(self, inputs[0], inputs[1], output_grad, image.as_deref_mut(), displacement.as_deref_mut())?;
        Ok(vec![image, displacement])
    }
}

impl HostKernel for LocalNcc {
    fn output_shape(&self) -> Vec<usize> {
        LocalNcc::output_shape(self)
    }

    fn forward(&self, inputs: &[&[f32]], _: bool) -> Result<Vec<f32>> {
        let mut output = vec![0.0; self.len()];
        LocalNcc::forward(self, inputs[0], inputs[1], &mut output)?;
        Ok(output)
    }

    fn backward(&self, inputs: &[&[f32]], output_grad: &[f32], needed: &[bool]) -> Result<Vec<Option<Vec<f32>>>> {
        let mut grads = [needed[0], needed[1]].map(|n| n.then(|| vec![0.0; self.len()]));
        let [a, b] = grads.each_mut().map(|g| g.as_deref_mut());
        LocalNcc::backward(self, inputs[0], inputs[1], output_grad, a, b)?;
        Ok(grads.into())
    }
}

fn expect_host<const D: usize>(what: &str, x: &Tensor<D>) -> Result<()> {
    if on_host(x) {
        return Ok(());
    }
    let hint = "train on the CPU device";
    Err(Error::NotOffered { who: "training engine".into(), what: format!("{what} on another device"), hint: hint.into() })
}

/// `image(p + displacement(p))`, linear between pixels, 0 outside; see [`Warp`].
///
/// # Shapes
/// `image` `[n, c, h, w]`, `displacement` `[n, 2, h, w]` in pixels, x before y; result like `image`.
///
/// # Errors
/// [`Error`] if shapes or element types do not fit, or on a device other than the CPU.
pub fn warp(image: Tensor<4>, displacement: Tensor<4>) -> Result<Tensor<4>> {
    let [n, _, h, w] = image.dims();
    expect_f32("image to warp", &image)?;
    expect_dims("displacement", &displacement, [n, 2, h, w])?;
    expect_host("warping", &image)?;
    let warp = Warp::new(&image.dims())?;
    Ok(apply2(image, displacement, Arc::new(warp)))
}

/// Squared local normalised cross-correlation around every pixel; see [`LocalNcc`].
///
/// # Shapes
/// `a`, `b` and the result `[n, 1, h, w]`.
///
/// # Errors
/// [`Error`] if shapes, window or element types do not fit, or on a device other than the CPU.
pub fn local_ncc(a: Tensor<4>, b: Tensor<4>, window: usize, eps: f64) -> Result<Tensor<4>> {
    expect_f32("image to correlate", &a)?;
    expect_dims("image to correlate with", &b, a.dims())?;
    expect_host("correlating", &a)?;
    let kernel = LocalNcc::new(&a.dims(), window, eps)?;
    Ok(apply2(a, b, Arc::new(kernel)))
}
