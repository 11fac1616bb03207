//! The convolution itself.

use super::super::{MatMut, MatRef, Scratch, Threads, expect_len, matmul};
use super::Conv2d;
use rayon::prelude::*;
use zoo_core::Result;

impl Conv2d {
    /// Convolves `input` with `weight`, adds `bias` (one value an output channel) and overwrites `output`.
    ///
    /// # Errors
    /// [`zoo_core::Error::Shape`] if a slice has the wrong length.
    pub fn forward(&self, input: &[f32], weight: &[f32], bias: Option<&[f32]>, output: &mut [f32], scratch: &mut Scratch) -> Result<()> {
        self.check(input.len(), weight.len())?;
        expect_len("convolution output", self.output_len(), output.len())?;
        if let Some(bias) = bias {
            expect_len("convolution bias", self.c_out, bias.len())?;
        }
        if self.image_len() == 0 || self.result_len() == 0 {
            self.fill(output, bias);
            return Ok(());
        }
        if self.is_direct() {
            self.direct_forward(input, weight, false, bias, output, scratch);
            return Ok(());
        }
        // Few images: one after another, each product on all threads. Many: one thread an image.
        let threads = rayon::current_num_threads();
        let shared = self.n < threads;
        let per_task = if shared { self.n } else { self.n.div_ceil(threads * 4) };
        let tasks = self.n.div_ceil(per_task);
        let column = if self.is_depthwise() || self.is_pointwise() { 1 } else { self.depth() * self.tile_rows() * self.ow };
        let scratch = scratch.take(tasks * column);
        output
            .par_chunks_mut(per_task * self.result_len())
            .zip(input.par_chunks(per_task * self.image_len()))
            .zip(scratch.par_chunks_mut(column))
            .try_for_each(|((output, input), columns)| {
                let images = input.chunks_exact(self.image_len());
                for (image, result) in images.zip(output.chunks_exact_mut(self.result_len())) {
                    self.forward_image(image, weight, bias, result, columns, if shared { Threads::Pool } else { Threads::One })?;
                }
                Ok(())
            })
    }

    fn forward_image(
        &self,
        image: &[f32],
        weight: &[f32],
        bias: Option<&[f32]>,
        result: &mut [f32],
        columns: &mut [f32],
        threads: Threads,
    ) -> Result<()> {
        self.fill(result, bias);
        if self.is_depthwise() {
            self.depthwise_forward(image, weight, result);
            return Ok(());
        }
        let (depth, pixels, c_out) = (self.depth(), self.pixels(), self.c_out_group());
        let groups = image.chunks_exact(self.c_in_group() * self.h * self.w).zip(weight.chunks_exact(c_out * depth));
        for ((image, weight), result) in groups.zip(result.chunks_exact_mut(c_out * pixels)) {
            let weight = MatRef::row_major(weight, c_out, depth)?;
            let step = self.tile_rows();
            for start in (0..self.oh).step_by(step) {
                let rows = start..(start + step).min(self.oh);
                let width = rows.len() * self.ow;
                let source = if self.is_pointwise() {
                    image
                } else {
                    self.im2col(image, &rows, &mut columns[..depth * width]);
                    &columns[..depth * width]
                };
                let mut out = MatMut::new(&mut result[start * self.ow..], c_out, width, pixels)?;
                matmul(&mut out, weight, MatRef::row_major(source, depth, width)?, true, threads)?;
            }
        }
        Ok(())
    }

    /// Starts every output at its channel's bias.
    fn fill(&self, output: &mut [f32], bias: Option<&[f32]>) {
        match bias {
            None => output.fill(0.0),
            Some(bias) => {
                for (plane, bias) in output.chunks_exact_mut(self.pixels().max(1)).zip(bias.iter().cycle()) {
                    plane.fill(*bias);
                }
            }
        }
    }
}
