//! Convolutions with one input channel a group, tap by tap.

use super::Conv2d;

impl Conv2d {
    /// Calls `tap(weight index, output row, input row, first output column, first input column, columns)` for every
    /// kernel tap and output row of one channel that meets the image.
    fn taps(&self, mut tap: impl FnMut(usize, usize, usize, usize, usize, usize)) {
        let [sy, sx] = self.options.stride;
        let [py, px] = self.options.padding;
        let [ly, lx] = self.options.dilation;
        for ky in 0..self.kh {
            let ys = Self::inside(self.h, self.oh, sy, py, ky * ly);
            for kx in 0..self.kw {
                let xs = Self::inside(self.w, self.ow, sx, px, kx * lx);
                if xs.is_empty() {
                    continue;
                }
                for oy in ys.clone() {
                    tap(ky * self.kw + kx, oy, oy * sy + ky * ly - py, xs.start, xs.start * sx + kx * lx - px, xs.len());
                }
            }
        }
    }

    /// Adds the convolution of one image to `result`.
    pub(super) fn depthwise_forward(&self, image: &[f32], weight: &[f32], result: &mut [f32]) {
        let (plane, pixels, taps, sx) = (self.h * self.w, self.pixels(), self.kh * self.kw, self.options.stride[1]);
        let each = self.c_out_group();
        for (channel, (result, weight)) in result.chunks_exact_mut(pixels).zip(weight.chunks_exact(taps)).enumerate() {
            let image = &image[channel / each * plane..][..plane];
            self.taps(|k, oy, iy, ox, ix, count| {
                let out = &mut result[oy * self.ow + ox..][..count];
                let row = &image[iy * self.w..][..self.w][ix..];
                let w = weight[k];
                if sx == 1 {
                    out.iter_mut().zip(row).for_each(|(o, x)| *o += w * x);
                } else {
                    out.iter_mut().zip(row.iter().step_by(sx)).for_each(|(o, x)| *o += w * x);
                }
            });
        }
    }

    /// Gradients of one image: overwrites `input_grad`, adds to `weight_grad` unless it is empty.
    pub(super) fn depthwise_backward(
        &self,
        image: &[f32],
        weight: &[f32],
        output_grad: &[f32],
        mut input_grad: Option<&mut [f32]>,
        weight_grad: &mut [f32],
    ) {
        let (plane, pixels, taps, sx) = (self.h * self.w, self.pixels(), self.kh * self.kw, self.options.stride[1]);
        let each = self.c_out_group();
        if let Some(grad) = input_grad.as_deref_mut() {
            grad.fill(0.0);
        }
        for (channel, output_grad) in output_grad.chunks_exact(pixels).enumerate() {
            let at = channel / each * plane;
            let weight = &weight[channel * taps..][..taps];
            if !weight_grad.is_empty() {
                let weight_grad = &mut weight_grad[channel * taps..][..taps];
                let image = &image[at..][..plane];
                self.taps(|k, oy, iy, ox, ix, count| {
                    let dy = &output_grad[oy * self.ow + ox..][..count];
                    let row = image[iy * self.w..][..self.w][ix..].iter().step_by(sx);
                    weight_grad[k] += dy.iter().zip(row).map(|(g, x)| g * x).sum::<f32>();
                });
            }
            if let Some(grad) = input_grad.as_deref_mut() {
                let grad = &mut grad[at..][..plane];
                self.taps(|k, oy, iy, ox, ix, count| {
                    let dy = &output_grad[oy * self.ow + ox..][..count];
                    let w = weight[k];
                    let row = grad[iy * self.w..][..self.w][ix..].iter_mut().step_by(sx);
                    row.zip(dy).for_each(|(x, g)| *x += w * g);
                });
            }
        }
    }
}
