//! Gradients of the convolution.

use super::super::{MatMut, MatRef, Scratch, Threads, expect_len, matmul};
use super::{Conv2d, Conv2dGrads};
use rayon::prelude::*;
use zoo_core::Result;

/// A run of images that one thread takes, with what it writes.
struct Task<'a> {
    input: &'a [f32],
    output_grad: &'a [f32],
    input_grad: Option<&'a mut [f32]>,
    weight_grad: &'a mut [f32],
    columns: &'a mut [f32],
}

impl Conv2d {
    /// Gradients for `output_grad`, the gradient of the output.
    ///
    /// # Errors
    /// [`zoo_core::Error::Shape`] if a slice has the wrong length.
    pub fn backward(
        &self,
        input: &[f32],
        weight: &[f32],
        output_grad: &[f32],
        grads: Conv2dGrads<'_>,
        scratch: &mut Scratch,
    ) -> Result<()> {
        self.check(input.len(), weight.len())?;
        expect_len("gradient of the convolution output", self.output_len(), output_grad.len())?;
        if let Some(bias) = grads.bias {
            expect_len("gradient of the convolution bias", self.c_out, bias.len())?;
            self.bias_backward(output_grad, bias);
        }
        let (mut input_grad, weight_grad) = (grads.input, grads.weight);
        if let Some(grad) = input_grad.as_deref_mut() {
            expect_len("gradient of the convolution input", self.input_len(), grad.len())?;
        }
        if let Some(grad) = weight_grad.as_deref() {
            expect_len("gradient of the convolution weight", self.weight_len(), grad.len())?;
        }
        if self.image_len() == 0 || self.result_len() == 0 || self.n == 0 {
            input_grad.into_iter().chain(weight_grad).for_each(|grad| grad.fill(0.0));
            return Ok(());
        }
        if let Some(transposed) = self.transposed().filter(Self::is_direct)
            && let Some(grad) = input_grad.take()
        {
            transposed.direct_forward(output_grad, weight, true, None, grad, scratch);
        }
        let mut weight_grad = weight_grad;
        if let Some(grad) = weight_grad.as_deref_mut().filter(|_| self.is_direct()) {
            self.weight_backward(input, output_grad, grad, scratch);
            weight_grad = None;
        }
        if input_grad.is_none() && weight_grad.is_none() {
            return Ok(());
        }

        let weight_len = if weight_grad.is_some() { self.weight_len() } else { 0 };
        let per_task = self.images_per_task(weight_len);
        let count = self.n.div_ceil(per_task);
        let column = if self.is_depthwise() || self.is_pointwise() { 0 } else { self.depth() * self.tile_rows() * self.ow };
        let scratch = scratch.take(count * (weight_len + column));
        let (partial, mut columns) = scratch.split_at_mut(count * weight_len);
        partial.fill(0.0);

        let mut tasks = Vec::with_capacity(count);
        let mut partials = &mut *partial;
        for (input, output_grad) in input.chunks(per_task * self.image_len()).zip(output_grad.chunks(per_task * self.result_len())) {
            let (weight_grad, rest) = partials.split_at_mut(weight_len);
            partials = rest;
            let (own, rest) = columns.split_at_mut(column);
            columns = rest;
            let own_grad = input_grad.take().map(|grad| {
                let (own, rest) = grad.split_at_mut(input.len());
                input_grad = Some(rest);
                own
            });
            tasks.push(Task { input, output_grad, input_grad: own_grad, weight_grad, columns: own });
        }
        tasks.into_par_iter().try_for_each(|task| self.backward_images(weight, task))?;
        if let Some(grad) = weight_grad {
            add_up(partial, weight_len);
            grad.copy_from_slice(&partial[..weight_len]);
        }
        Ok(())
    }

    /// The weight gradient by register tiles.
    fn weight_backward(&self, input: &[f32], output_grad: &[f32], grad: &mut [f32], scratch: &mut Scratch) {
        let layout = self.layout();
        let (sums, work) = self.direct_scratch(&layout);
        let per_task = self.images_per_task(sums);
        let count = self.n.div_ceil(per_task);
        let (partial, work_all) = scratch.take(count * (sums + work)).split_at_mut(count * sums);
        partial.fill(0.0);
        let images = input.par_chunks(per_task * self.image_len()).zip(output_grad.par_chunks(per_task * self.result_len()));
        images.zip(partial.par_chunks_mut(sums)).zip(work_all.par_chunks_mut(work)).for_each(|(((input, dy), sums), work)| {
            self.direct_weight_grad(&layout, input, dy, sums, work);
        });
        add_up(partial, sums);
        self.unpack(&layout, &partial[..sums], grad);
    }

    /// Images in one partial sum of the weight gradient: at most 16 sums of `each` elements, fewer if they would take
    /// over 64 MB. It depends on the shape alone, so that the order of summation does not change with the number of threads.
    fn images_per_task(&self, each: usize) -> usize {
        let sums = (16 * 1024 * 1024 / each.max(1)).clamp(2, 16);
        self.n.div_ceil(sums)
    }

    fn bias_backward(&self, output_grad: &[f32], bias: &mut [f32]) {
        let pixels = self.pixels();
        bias.par_iter_mut().enumerate().for_each(|(channel, bias)| {
            let mut sum = 0.0f64;
            for image in output_grad.chunks_exact(self.result_len().max(1)) {
                sum += f64::from(super::super::lanes::sum(&image[channel * pixels..][..pixels]));
            }
            #[allow(clippy::cast_possible_truncation, reason = "gradients are f32")]
            {
                *bias = sum as f32;
            }
        });
    }

    fn backward_images(&self, weight: &[f32], mut task: Task<'_>) -> Result<()> {
        let images = task.input.chunks_exact(self.image_len()).zip(task.output_grad.chunks_exact(self.result_len()));
        for (index, (image, output_grad)) in images.enumerate() {
            let input_grad = task.input_grad.as_deref_mut().map(|grad| &mut grad[index * self.image_len()..][..self.image_len()]);
            if self.is_depthwise() {
                self.depthwise_backward(image, weight, output_grad, input_grad, task.weight_grad);
            } else {
                self.backward_image(image, weight, output_grad, input_grad, task.weight_grad, task.columns)?;
            }
        }
        Ok(())
    }

    fn backward_image(
        &self,
        image: &[f32],
        weight: &[f32],
        output_grad: &[f32],
        mut input_grad: Option<&mut [f32]>,
        weight_grad: &mut [f32],
        columns: &mut [f32],
    ) -> Result<()> {
        let (depth, pixels, c_out) = (self.depth(), self.pixels(), self.c_out_group());
        let plane = self.c_in_group() * self.h * self.w;
        let step = self.tile_rows();
        if let Some(grad) = input_grad.as_deref_mut() {
            grad.fill(0.0);
        }
        for group in 0..self.options.groups {
            let image = &image[group * plane..][..plane];
            let output_grad = &output_grad[group * c_out * pixels..][..c_out * pixels];
            let weight = MatRef::row_major(&weight[group * c_out * depth..][..c_out * depth], c_out, depth)?;
            for start in (0..self.oh).step_by(step) {
                let rows = start..(start + step).min(self.oh);
                let width = rows.len() * self.ow;
                let dy = MatRef::new(&output_grad[start * self.ow..], c_out, width, pixels, 1)?;
                if !weight_grad.is_empty() {
                    let source = if self.is_pointwise() {
                        image
                    } else {
                        self.im2col(image, &rows, &mut columns[..depth * width]);
                        &columns[..depth * width]
                    };
                    let mut out = MatMut::new(&mut weight_grad[group * c_out * depth..][..c_out * depth], c_out, depth, depth)?;
                    matmul(&mut out, dy, MatRef::row_major(source, depth, width)?.transposed(), true, Threads::One)?;
                }
                if let Some(grad) = input_grad.as_deref_mut() {
                    let grad = &mut grad[group * plane..][..plane];
                    if self.is_pointwise() {
                        matmul(&mut MatMut::new(grad, depth, width, width)?, weight.transposed(), dy, false, Threads::One)?;
                    } else {
                        let columns = &mut columns[..depth * width];
                        matmul(&mut MatMut::new(columns, depth, width, width)?, weight.transposed(), dy, false, Threads::One)?;
                        self.col2im(columns, &rows, grad);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Adds all partial sums of `len` elements to the first, in order.
fn add_up(partial: &mut [f32], len: usize) {
    let (first, rest) = partial.split_at_mut(len);
    for part in rest.chunks_exact(len.max(1)) {
        first.iter_mut().zip(part).for_each(|(g, p)| *g += p);
    }
}
