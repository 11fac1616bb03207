//! Pooling layers.

use super::host::{HostKernel, apply1, lock};
use super::{expect_f32, on_host};
use crate::kernels::{Pool2d, Pool2dOptions};
use burn::tensor::{
    Tensor, module,
    ops::{AvgPoolOptions, MaxPoolOptions},
};
use std::sync::{Arc, Mutex};
use zoo_core::Result;

#[derive(Debug)]
struct Average(Pool2d);

impl HostKernel for Average {
    fn output_shape(&self) -> Vec<usize> {
        self.0.output_shape().to_vec()
    }

    fn forward(&self, inputs: &[&[f32]], _: bool) -> Result<Vec<f32>> {
        let mut output = vec![0.0; self.0.output_len()];
        self.0.avg_forward(inputs[0], &mut output)?;
        Ok(output)
    }

    fn backward(&self, _: &[&[f32]], output_grad: &[f32], _: &[bool]) -> Result<Vec<Option<Vec<f32>>>> {
        let mut grad = vec![0.0; self.0.input_len()];
        self.0.avg_backward(output_grad, &mut grad)?;
        Ok(vec![Some(grad)])
    }

    fn reads_inputs(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct Maximum {
    pool: Pool2d,
    places: Mutex<Vec<u32>>,
}

impl HostKernel for Maximum {
    fn output_shape(&self) -> Vec<usize> {
        self.pool.output_shape().to_vec()
    }

    fn forward(&self, inputs: &[&[f32]], _: bool) -> Result<Vec<f32>> {
        let mut output = vec![0.0; self.pool.output_len()];
        let mut places = vec![0; output.len()];
        self.pool.max_forward(inputs[0], &mut output, &mut places)?;
        *lock(&self.places) = places;
        Ok(output)
    }

    fn backward(&self, _: &[&[f32]], output_grad: &[f32], _: &[bool]) -> Result<Vec<Option<Vec<f32>>>> {
        let mut grad = vec![0.0; self.pool.input_len()];
        self.pool.max_backward(output_grad, &lock(&self.places), &mut grad)?;
        Ok(vec![Some(grad)])
    }

    fn reads_inputs(&self) -> bool {
        false
    }
}

/// Average pooling in floor mode.
///
/// # Shapes
/// `x` `[n, c, h, w]`; result `[n, c, oh, ow]`.
///
/// # Errors
/// [`zoo_core::Error`] if the window does not fit or the elements are not `f32`.
pub fn avg_pool2d(x: Tensor<4>, options: Pool2dOptions) -> Result<Tensor<4>> {
    expect_f32("pooling input", &x)?;
    let pool = Pool2d::new(x.dims(), options)?;
    if on_host(&x) {
        return Ok(apply1(x, Arc::new(Average(pool))));
    }
    let [py, px] = options.padding;
    Ok(module::avg_pool2d(
        x,
        AvgPoolOptions {
            kernel_size: options.kernel,
            stride: options.stride,
            padding: [(py, py), (px, px)],
            count_include_pad: options.count_include_pad,
            ceil_mode: false,
        },
    ))
}

/// Maximum pooling in floor mode; of equal values the first in row order takes the gradient.
///
/// # Shapes
/// `x` `[n, c, h, w]`; result `[n, c, oh, ow]`.
///
/// # Errors
/// [`zoo_core::Error`] if the window does not fit or the elements are not `f32`.
pub fn max_pool2d(x: Tensor<4>, options: Pool2dOptions) -> Result<Tensor<4>> {
    expect_f32("pooling input", &x)?;
    let pool = Pool2d::new(x.dims(), options)?;
    if on_host(&x) {
        return Ok(apply1(x, Arc::new(Maximum { pool, places: Mutex::default() })));
    }
    let [py, px] = options.padding;
    Ok(module::max_pool2d(
        x,
        MaxPoolOptions {
            kernel_size: options.kernel,
            stride: options.stride,
            padding: [(py, py), (px, px)],
            dilation: [1, 1],
            ceil_mode: false,
        },
    ))
}
