//! Convolution and fully connected layers.

use super::host::{HostKernel, apply2, apply3, with_scratch};
use super::{expect_dims, expect_f32, on_host};
use crate::kernels::{Conv2d, Conv2dGrads, Conv2dOptions, Linear};
use burn::tensor::{Tensor, module, ops::ConvOptions};
use std::sync::Arc;
use zoo_core::Result;

impl HostKernel for Conv2d {
    fn output_shape(&self) -> Vec<usize> {
        Conv2d::output_shape(self).to_vec()
    }

    fn forward(&self, inputs: &[&[f32]], _: bool) -> Result<Vec<f32>> {
        let mut output = vec![0.0; self.output_len()];
        with_scratch(|scratch| Conv2d::forward(self, inputs[0], inputs[1], inputs.get(2).copied(), &mut output, scratch))?;
        Ok(output)
    }

    fn backward(&self, inputs: &[&[f32]], output_grad: &[f32], needed: &[bool]) -> Result<Vec<Option<Vec<f32>>>> {
        let mut grads: Vec<Option<Vec<f32>>> = inputs.iter().zip(needed).map(|(i, n)| n.then(|| vec![0.0; i.len()])).collect();
        let mut places = grads.iter_mut().map(|grad| grad.as_deref_mut());
        let mut next = || places.next().flatten();
        let places = Conv2dGrads { input: next(), weight: next(), bias: next() };
        with_scratch(|scratch| Conv2d::backward(self, inputs[0], inputs[1], output_grad, places, scratch))?;
        Ok(grads)
    }
}

/// 2-D convolution.
///
/// # Shapes
/// `x` `[n, c_in, h, w]`, `weight` `[c_out, c_in / groups, kh, kw]`, `bias` `[c_out]`; result `[n, c_out, oh, ow]`.
///
/// # Errors
/// [`zoo_core::Error`] if shapes, options or element types do not fit.
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>, options: Conv2dOptions) -> Result<Tensor<4>> {
    expect_f32("convolution input", &x)?;
    expect_f32("convolution weight", &weight)?;
    let conv = Conv2d::new(x.dims(), weight.dims(), options)?;
    if let Some(bias) = &bias {
        expect_dims("convolution bias", bias, [weight.dims()[0]])?;
    }
    if !on_host(&x) {
        let Conv2dOptions { stride, padding, dilation, groups } = options;
        return Ok(module::conv2d(x, weight, bias, ConvOptions::new(stride, padding, dilation, groups)));
    }
    Ok(match bias {
        None => apply2(x, weight, Arc::new(conv)),
        Some(bias) => apply3(x, weight, bias, Arc::new(conv)),
    })
}

/// A transposed convolution of 2 x 2 with stride 2: every pixel becomes its own block.
///
/// # Shapes
/// `x` `[n, c_in, h, w]`, `weight` `[c_in, c_out, 2, 2]`, `bias` `[c_out]`; result `[n, c_out, 2 h, 2 w]`.
///
/// # Errors
/// [`zoo_core::Error`] if shapes or element types do not fit.
pub fn conv_transpose2x2(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>) -> Result<Tensor<4>> {
    let [inputs, outputs, _, _] = weight.dims();
    expect_dims("transposed convolution weight", &weight, [inputs, outputs, 2, 2])?;
    expect_dims("transposed convolution bias", &bias, [outputs])?;
    let [n, _, h, w] = x.dims();
    // A 1 x 1 convolution to four times the channels, whose results are laid out as blocks.
    let weight = weight.reshape([inputs, outputs * 4]).transpose().reshape([outputs * 4, inputs, 1, 1]);
    let y = conv2d(x, weight, None, Conv2dOptions::default())?;
    let y = y.reshape([n, outputs, 2, 2, h, w]).permute([0, 1, 4, 2, 5, 3]).reshape([n, outputs, 2 * h, 2 * w]);
    Ok(y + bias.reshape([1, outputs, 1, 1]))
}

/// A linear kernel with the shape of its output.
#[derive(Debug)]
struct LinearKernel {
    linear: Linear,
    shape: [usize; 2],
}

impl HostKernel for LinearKernel {
    fn output_shape(&self) -> Vec<usize> {
        self.shape.to_vec()
    }

    fn forward(&self, inputs: &[&[f32]], _: bool) -> Result<Vec<f32>> {
        let mut output = vec![0.0; self.shape.iter().product()];
        self.linear.forward(inputs[0], inputs[1], inputs.get(2).copied(), &mut output)?;
        Ok(output)
    }

    fn backward(&self, inputs: &[&[f32]], output_grad: &[f32], needed: &[bool]) -> Result<Vec<Option<Vec<f32>>>> {
        let mut grads: Vec<Option<Vec<f32>>> = inputs.iter().zip(needed).map(|(i, n)| n.then(|| vec![0.0; i.len()])).collect();
        let mut places = grads.iter_mut().map(|grad| grad.as_deref_mut());
        let mut next = || places.next().flatten();
        self.linear.backward(inputs[0], inputs[1], output_grad, next(), next(), next())?;
        Ok(grads)
    }
}

/// Fully connected layer `x weight^T + bias`.
///
/// # Shapes
/// `x` `[n, inputs]`, `weight` `[outputs, inputs]` as PyTorch stores it, `bias` `[outputs]`; result `[n, outputs]`.
///
/// # Errors
/// [`zoo_core::Error`] if shapes or element types do not fit.
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Result<Tensor<2>> {
    let [n, inputs] = x.dims();
    let [outputs, _] = weight.dims();
    expect_f32("linear input", &x)?;
    expect_dims("linear weight", &weight, [outputs, inputs])?;
    if let Some(bias) = &bias {
        expect_dims("linear bias", bias, [outputs])?;
    }
    if !on_host(&x) {
        let y = x.matmul(weight.transpose());
        return Ok(match bias {
            None => y,
            Some(bias) => y + bias.unsqueeze(),
        });
    }
    let kernel = Arc::new(LinearKernel { linear: Linear::new(n, inputs, outputs)?, shape: [n, outputs] });
    Ok(match bias {
        None => apply2(x, weight, kernel),
        Some(bias) => apply3(x, weight, bias, kernel),
    })
}
