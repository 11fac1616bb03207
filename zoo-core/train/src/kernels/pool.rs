//! Average and maximum pooling.

use super::{elements, expect_len};
use rayon::prelude::*;
use std::ops::Range;
use zoo_core::{Error, Result};

/// Window, step and padding of a pooling layer; rows first, then columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool2dOptions {
    /// Window size.
    pub kernel: [usize; 2],
    /// Step between windows.
    pub stride: [usize; 2],
    /// Padding on both sides, at most half the window. An average counts it as zeros if asked; a maximum never sees it.
    pub padding: [usize; 2],
    /// Whether an average divides by the window's size also where it hangs over the border.
    pub count_include_pad: bool,
}

impl Pool2dOptions {
    /// Square windows of `kernel` that do not overlap.
    pub fn square(kernel: usize) -> Self {
        Self { kernel: [kernel; 2], stride: [kernel; 2], padding: [0, 0], count_include_pad: true }
    }

    /// The same with another stride.
    #[must_use]
    pub fn stride(self, stride: usize) -> Self {
        Self { stride: [stride; 2], ..self }
    }

    /// The same with another padding.
    #[must_use]
    pub fn padding(self, padding: usize) -> Self {
        Self { padding: [padding; 2], ..self }
    }
}

/// Geometry of a pooling of `[n, c, h, w]` to `[n, c, oh, ow]`; the last window that would leave the padded input is
/// dropped (floor mode).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool2d {
    planes: usize,
    shape: [usize; 4],
    oh: usize,
    ow: usize,
    options: Pool2dOptions,
}

/// Planes one task takes at least, so that small images do not pay for scheduling.
fn planes_per_task(plane: usize) -> usize {
    (16 * 1024 / plane.max(1)).max(1)
}

impl Pool2d {
    /// Checks that input and options fit.
    ///
    /// # Errors
    /// [`Error::Argument`] or [`Error::Shape`] saying what does not fit.
    pub fn new(input: [usize; 4], options: Pool2dOptions) -> Result<Self> {
        let [n, c, h, w] = input;
        elements("pooling input", &input)?;
        if u32::try_from(h.saturating_mul(w)).is_err() {
            return Err(Error::argument("pooling input plane", "at most 2^32 - 1 pixels", format!("{h} x {w}")));
        }
        let side = |size: usize, axis: usize| -> Result<usize> {
            let (kernel, stride, padding) = (options.kernel[axis], options.stride[axis], options.padding[axis]);
            if kernel == 0 || stride == 0 || padding > kernel / 2 {
                return Err(Error::argument(
                    "pooling kernel, stride and padding",
                    "at least 1, at least 1, at most half the kernel",
                    format!("{kernel}, {stride}, {padding}"),
                ));
            }
            match size.checked_add(2 * padding) {
                Some(padded) if padded >= kernel => Ok((padded - kernel) / stride + 1),
                _ => Err(Error::argument("pooling input", format!("at least {kernel} with padding"), size)),
            }
        };
        let (oh, ow) = (side(h, 0)?, side(w, 1)?);
        elements("pooling output", &[n, c, oh, ow])?;
        Ok(Self { planes: n * c, shape: input, oh, ow, options })
    }

    /// Shape of the output.
    pub fn output_shape(&self) -> [usize; 4] {
        [self.shape[0], self.shape[1], self.oh, self.ow]
    }

    /// Elements of the input.
    pub fn input_len(&self) -> usize {
        self.planes * self.shape[2] * self.shape[3]
    }

    /// Elements of the output.
    pub fn output_len(&self) -> usize {
        self.planes * self.oh * self.ow
    }

    /// Input rows or columns that output `o` of an axis covers.
    fn window(&self, axis: usize, o: usize) -> Range<usize> {
        let start = o * self.options.stride[axis];
        let (padding, size) = (self.options.padding[axis], self.shape[2 + axis]);
        start.saturating_sub(padding)..(start + self.options.kernel[axis]).saturating_sub(padding).min(size)
    }

    /// One over the number of elements an average divides by.
    #[allow(clippy::cast_precision_loss, reason = "windows are small")]
    fn weight(&self, rows: &Range<usize>, columns: &Range<usize>) -> f32 {
        let counted = if self.options.count_include_pad { self.options.kernel.iter().product() } else { rows.len() * columns.len() };
        1.0 / counted.max(1) as f32
    }

    /// Whether windows of 2 x 2 tile the input, the common case that has its own loop.
    fn halves(&self) -> bool {
        self.options.kernel == [2, 2] && self.options.stride == [2, 2] && self.options.padding == [0, 0]
    }

    /// Runs `work(plane of a, plane of b)` for all planes; the first is written.
    fn each_plane<B: Sync>(a: &mut [f32], a_len: usize, b: &[B], b_len: usize, work: impl Fn(&mut [f32], &[B]) + Sync) {
        if a_len == 0 || b_len == 0 {
            return a.fill(0.0);
        }
        let count = planes_per_task(a_len.max(b_len));
        a.par_chunks_mut(a_len * count).zip(b.par_chunks(b_len * count)).for_each(|(a, b)| {
            a.chunks_exact_mut(a_len).zip(b.chunks_exact(b_len)).for_each(|(a, b)| work(a, b));
        });
    }

    /// Averages; overwrites `output`.
    ///
    /// # Errors
    /// [`Error::Shape`] if a slice has the wrong length.
    pub fn avg_forward(&self, input: &[f32], output: &mut [f32]) -> Result<()> {
        self.check(input.len(), output.len())?;
        let w = self.shape[3];
        Self::each_plane(output, self.oh * self.ow, input, self.shape[2] * w, |out, plane| {
            for (oy, out) in out.chunks_exact_mut(self.ow).enumerate() {
                if self.halves() {
                    let (a, b) = plane[2 * oy * w..][..2 * w].split_at(w);
                    for (out, (a, b)) in out.iter_mut().zip(a.chunks_exact(2).zip(b.chunks_exact(2))) {
                        *out = 0.25 * ((a[0] + a[1]) + (b[0] + b[1]));
                    }
                    continue;
                }
                let rows = self.window(0, oy);
                for (ox, out) in out.iter_mut().enumerate() {
                    let columns = self.window(1, ox);
                    let sum: f32 = rows.clone().map(|y| plane[y * w..][columns.clone()].iter().sum::<f32>()).sum();
                    *out = sum * self.weight(&rows, &columns);
                }
            }
        });
        Ok(())
    }

    /// Gradient of the averages; overwrites `input_grad`.
    ///
    /// # Errors
    /// [`Error::Shape`] if a slice has the wrong length.
    pub fn avg_backward(&self, output_grad: &[f32], input_grad: &mut [f32]) -> Result<()> {
        self.check(input_grad.len(), output_grad.len())?;
        let w = self.shape[3];
        Self::each_plane(input_grad, self.shape[2] * w, output_grad, self.oh * self.ow, |plane, grads| {
            let tiled = self.halves() && self.shape[2] == 2 * self.oh && w == 2 * self.ow;
            if !tiled {
                plane.fill(0.0);
            }
            for (oy, grads) in grads.chunks_exact(self.ow).enumerate() {
                if tiled {
                    let (a, b) = plane[2 * oy * w..][..2 * w].split_at_mut(w);
                    for (grad, (a, b)) in grads.iter().zip(a.chunks_exact_mut(2).zip(b.chunks_exact_mut(2))) {
                        let share = 0.25 * grad;
                        a.copy_from_slice(&[share; 2]);
                        b.copy_from_slice(&[share; 2]);
                    }
                    continue;
                }
                let rows = self.window(0, oy);
                for (ox, grad) in grads.iter().enumerate() {
                    let columns = self.window(1, ox);
                    let share = grad * self.weight(&rows, &columns);
                    for y in rows.clone() {
                        plane[y * w..][columns.clone()].iter_mut().for_each(|x| *x += share);
                    }
                }
            }
        });
        Ok(())
    }

    /// Maxima; overwrites `output`, and `argmax` with each maximum's place in its input plane. Of equal values the
    /// first in row order wins; a NaN wins over any number.
    ///
    /// # Errors
    /// [`Error::Shape`] if a slice has the wrong length.
    #[allow(clippy::cast_possible_truncation, reason = "the constructor keeps planes below 2^32 pixels")]
    pub fn max_forward(&self, input: &[f32], output: &mut [f32], argmax: &mut [u32]) -> Result<()> {
        self.check(input.len(), output.len())?;
        expect_len("pooling argmax", output.len(), argmax.len())?;
        let (out_len, in_len, w) = (self.oh * self.ow, self.shape[2] * self.shape[3], self.shape[3]);
        if in_len == 0 || out_len == 0 {
            return Ok(());
        }
        let count = planes_per_task(in_len);
        let outs = output.par_chunks_mut(out_len * count).zip(argmax.par_chunks_mut(out_len * count));
        outs.zip(input.par_chunks(in_len * count)).for_each(|((outs, places), planes)| {
            let outs = outs.chunks_exact_mut(out_len).zip(places.chunks_exact_mut(out_len));
            for ((outs, places), plane) in outs.zip(planes.chunks_exact(in_len)) {
                for (index, (out, place)) in outs.iter_mut().zip(places).enumerate() {
                    let (rows, columns) = (self.window(0, index / self.ow), self.window(1, index % self.ow));
                    let mut best = rows.start * w + columns.start;
                    for y in rows {
                        for x in y * w + columns.start..y * w + columns.end {
                            if plane[x] > plane[best] || plane[x].is_nan() {
                                best = x;
                            }
                        }
                    }
                    (*out, *place) = (plane[best], best as u32);
                }
            }
        });
        Ok(())
    }

    /// Gradient of the maxima at the places [`Self::max_forward`] found; overwrites `input_grad`.
    ///
    /// # Errors
    /// [`Error::Shape`] if a slice has the wrong length, [`Error::Argument`] if a place lies outside its plane.
    pub fn max_backward(&self, output_grad: &[f32], argmax: &[u32], input_grad: &mut [f32]) -> Result<()> {
        self.check(input_grad.len(), output_grad.len())?;
        expect_len("pooling argmax", output_grad.len(), argmax.len())?;
        let (out_len, in_len) = (self.oh * self.ow, self.shape[2] * self.shape[3]);
        if let Some(place) = argmax.iter().find(|&&place| place as usize >= in_len) {
            return Err(Error::argument("pooling argmax", format!("below {in_len}"), place));
        }
        input_grad.fill(0.0);
        if in_len == 0 || out_len == 0 {
            return Ok(());
        }
        let count = planes_per_task(in_len);
        let grads = output_grad.par_chunks(out_len * count).zip(argmax.par_chunks(out_len * count));
        input_grad.par_chunks_mut(in_len * count).zip(grads).for_each(|(planes, (grads, places))| {
            let sources = grads.chunks_exact(out_len).zip(places.chunks_exact(out_len));
            for (plane, (grads, places)) in planes.chunks_exact_mut(in_len).zip(sources) {
                grads.iter().zip(places).for_each(|(grad, &place)| plane[place as usize] += grad);
            }
        });
        Ok(())
    }

    fn check(&self, input: usize, output: usize) -> Result<()> {
        expect_len("pooling input", self.input_len(), input)?;
        expect_len("pooling output", self.output_len(), output)
    }
}
