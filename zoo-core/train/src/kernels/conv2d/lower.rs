//! Lowering of image rows to columns (im2col) and its transpose (col2im).

use super::Conv2d;
use std::ops::Range;

impl Conv2d {
    /// Outputs along one axis whose tap at `offset` lies inside `size` inputs.
    pub(super) fn inside(size: usize, outputs: usize, stride: usize, padding: usize, offset: usize) -> Range<usize> {
        // input = o * stride + offset - padding, wanted in 0..size
        let low = padding.saturating_sub(offset).div_ceil(stride).min(outputs);
        let high = if size + padding > offset { ((size + padding - offset - 1) / stride + 1).min(outputs) } else { 0 };
        low..high.max(low)
    }

    /// Writes the columns of output rows `rows` of one group's channels: `[depth, rows * ow]`.
    pub(super) fn im2col(&self, image: &[f32], rows: &Range<usize>, columns: &mut [f32]) {
        let width = rows.len() * self.ow;
        let mut target = columns.chunks_exact_mut(width);
        for channel in image.chunks_exact(self.h * self.w) {
            for ky in 0..self.kh {
                for kx in 0..self.kw {
                    if let Some(target) = target.next() {
                        self.gather(channel, ky, kx, rows, target);
                    }
                }
            }
        }
    }

    fn gather(&self, channel: &[f32], ky: usize, kx: usize, rows: &Range<usize>, target: &mut [f32]) {
        let [sy, sx] = self.options.stride;
        let [py, px] = self.options.padding;
        let (dy, dx) = (ky * self.options.dilation[0], kx * self.options.dilation[1]);
        let ys = Self::inside(self.h, self.oh, sy, py, dy);
        let xs = Self::inside(self.w, self.ow, sx, px, dx);
        for (oy, line) in rows.clone().zip(target.chunks_exact_mut(self.ow)) {
            if !ys.contains(&oy) || xs.is_empty() {
                line.fill(0.0);
                continue;
            }
            let row = &channel[(oy * sy + dy - py) * self.w..][..self.w];
            line[..xs.start].fill(0.0);
            line[xs.end..].fill(0.0);
            let first = xs.start * sx + dx - px;
            if sx == 1 {
                line[xs.clone()].copy_from_slice(&row[first..first + xs.len()]);
            } else {
                for (value, &source) in line[xs.clone()].iter_mut().zip(row[first..].iter().step_by(sx)) {
                    *value = source;
                }
            }
        }
    }

    /// Adds columns `[depth, rows * ow]` back to the pixels of one group's channels they came from.
    pub(super) fn col2im(&self, columns: &[f32], rows: &Range<usize>, image: &mut [f32]) {
        let width = rows.len() * self.ow;
        let mut source = columns.chunks_exact(width);
        for channel in image.chunks_exact_mut(self.h * self.w) {
            for ky in 0..self.kh {
                for kx in 0..self.kw {
                    if let Some(source) = source.next() {
                        self.scatter(source, ky, kx, rows, channel);
                    }
                }
            }
        }
    }

    fn scatter(&self, source: &[f32], ky: usize, kx: usize, rows: &Range<usize>, channel: &mut [f32]) {
        let [sy, sx] = self.options.stride;
        let [py, px] = self.options.padding;
        let (dy, dx) = (ky * self.options.dilation[0], kx * self.options.dilation[1]);
        let ys = Self::inside(self.h, self.oh, sy, py, dy);
        let xs = Self::inside(self.w, self.ow, sx, px, dx);
        if xs.is_empty() {
            return;
        }
        let first = xs.start * sx + dx - px;
        for (oy, line) in rows.clone().zip(source.chunks_exact(self.ow)) {
            if !ys.contains(&oy) {
                continue;
            }
            let row = &mut channel[(oy * sy + dy - py) * self.w..][..self.w];
            let line = &line[xs.clone()];
            if sx == 1 {
                row[first..first + line.len()].iter_mut().zip(line).for_each(|(r, l)| *r += l);
            } else {
                row[first..].iter_mut().step_by(sx).zip(line).for_each(|(r, l)| *r += l);
            }
        }
    }
}
