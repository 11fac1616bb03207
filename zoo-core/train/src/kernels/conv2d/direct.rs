//! Direct convolution: padded images are read in place, tap by tap, by the register tiles of [`super::simd`].
//!
//! Vectors run over output channels, so weights are packed as `[taps, channels]`, outputs come as
//! `[positions, channels]` and are transposed into place; nothing is lowered to columns in memory.

use super::super::Scratch;
use super::simd::{self, Grid, LANES, VECTORS};
use super::{Conv2d, Conv2dOptions};
use rayon::prelude::*;
use std::ops::Range;

/// Elements of a padded image that a thread keeps at hand: three quarters of a megabyte, for a second-level cache.
const KEPT: usize = 192 * 1024;

/// How one group of a convolution is laid out for the tiles.
pub(super) struct Layout {
    /// Width of a padded row.
    stride: usize,
    /// Output rows that are worked on at once.
    rows: usize,
    /// Padded input rows that so many output rows read.
    padded_rows: usize,
    /// Distance of each tap from its position.
    offsets: Vec<usize>,
    /// Output channels of the group in whole vectors.
    channels: usize,
}

impl Layout {
    /// Elements of a padded image.
    fn padded_len(&self, channels: usize) -> usize {
        channels * self.padded_rows * self.stride
    }
}

impl Conv2d {
    /// Whether the tiles can be used and are worth it: at least half of each vector must be channels.
    pub(super) fn is_direct(&self) -> bool {
        let stride = self.options.stride[1];
        let filled = 2 * self.c_out_group() >= self.c_out_group().next_multiple_of(LANES);
        stride <= 2 && filled && !self.is_pointwise() && !self.is_depthwise() && simd::available()
    }

    /// The convolution that takes the output's gradient to the input's, with weights as [`Self::pack_transposed`] packs
    /// them; only for stride 1 and a padding below the kernel's span.
    pub(super) fn transposed(&self) -> Option<Self> {
        let pad = |kernel: usize, axis: usize| ((kernel - 1) * self.options.dilation[axis]).checked_sub(self.options.padding[axis]);
        let padding = [pad(self.kh, 0)?, pad(self.kw, 1)?];
        if self.options.stride != [1, 1] {
            return None;
        }
        let options = Conv2dOptions { padding, ..self.options };
        Some(Self { c_in: self.c_out, h: self.oh, w: self.ow, c_out: self.c_in, oh: self.h, ow: self.w, options, ..*self })
    }

    pub(super) fn layout(&self) -> Layout {
        let stride = self.w + 2 * self.options.padding[1];
        let span = (self.kh - 1) * self.options.dilation[0] + 1;
        let step = self.options.stride[0];
        let kept = KEPT / (self.c_in_group() * stride);
        let rows = (kept.saturating_sub(span) / step + 1).clamp(1, self.oh);
        let padded_rows = (rows - 1) * step + span;
        let (plane, [dy, dx]) = (padded_rows * stride, self.options.dilation);
        let taps = (0..self.c_in_group()).flat_map(|c| (0..self.kh).flat_map(move |y| (0..self.kw).map(move |x| (c, y, x))));
        let offsets = taps.map(|(c, y, x)| c * plane + y * dy * stride + x * dx).collect();
        Layout { stride, rows, padded_rows, offsets, channels: self.c_out_group().next_multiple_of(LANES) }
    }

    fn grid(&self, layout: &Layout, rows: &Range<usize>) -> Grid {
        let [sy, sx] = self.options.stride;
        Grid { rows: rows.len(), width: self.ow, row: sy * layout.stride, step: sx }
    }

    /// Output rows in the pieces of `layout`.
    fn pieces(&self, layout: &Layout) -> impl Iterator<Item = Range<usize>> + use<> {
        let (rows, all) = (layout.rows, self.oh);
        (0..all).step_by(rows).map(move |start| start..(start + rows).min(all))
    }

    /// Copies the input rows that output rows `rows` need, with their padding, channel by channel.
    fn pad(&self, layout: &Layout, image: &[f32], rows: &Range<usize>, padded: &mut [f32]) {
        let [py, px] = self.options.padding;
        let first = rows.start * self.options.stride[0];
        let planes = padded.chunks_exact_mut(layout.padded_rows * layout.stride);
        for (channel, target) in image.chunks_exact(self.h * self.w).zip(planes) {
            for (row, line) in target.chunks_exact_mut(layout.stride).enumerate() {
                match (first + row).checked_sub(py).filter(|&y| y < self.h) {
                    Some(y) => {
                        line[..px].fill(0.0);
                        line[px..px + self.w].copy_from_slice(&channel[y * self.w..][..self.w]);
                        line[px + self.w..].fill(0.0);
                    }
                    None => line.fill(0.0),
                }
            }
        }
    }

    /// Weights as `[groups, taps, channels]`, the channels filled up with zeros.
    fn pack(&self, layout: &Layout, weight: &[f32], packed: &mut [f32]) {
        let (depth, c_out, channels) = (self.depth(), self.c_out_group(), layout.channels);
        packed.fill(0.0);
        for (weight, packed) in weight.chunks_exact(c_out * depth).zip(packed.chunks_exact_mut(depth * channels)) {
            simd::transpose(weight, depth, packed, channels, c_out, depth);
        }
    }

    /// As [`Self::pack`] for the transposed convolution `self` of the one that `weight` belongs to: input and output
    /// channels change places and the kernel is turned around.
    fn pack_transposed(&self, layout: &Layout, weight: &[f32], packed: &mut [f32]) {
        let (taps, c_in, c_out, channels) = (self.kh * self.kw, self.c_in_group(), self.c_out_group(), layout.channels);
        packed.fill(0.0);
        for (weight, packed) in weight.chunks_exact(c_in * c_out * taps).zip(packed.chunks_exact_mut(self.depth() * channels)) {
            for (source, weight) in weight.chunks_exact(c_out * taps).enumerate() {
                for (channel, kernel) in weight.chunks_exact(taps).enumerate() {
                    let place = packed[source * taps * channels + channel..].iter_mut().step_by(channels);
                    place.zip(kernel.iter().rev()).for_each(|(place, w)| *place = *w);
                }
            }
        }
    }

    /// The convolution; `transposed` says that `weight` is that of the convolution `self` is the transposed of.
    pub(super) fn direct_forward(
        &self,
        input: &[f32],
        weight: &[f32],
        transposed: bool,
        bias: Option<&[f32]>,
        output: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let layout = self.layout();
        let (image_len, result_len, groups) = (self.image_len(), self.result_len(), self.options.groups);
        let (depth, channels, pixels) = (self.depth(), layout.channels, self.pixels());
        let threads = rayon::current_num_threads();
        // Few images: one after another, the threads share the output channels. Many: one thread a run of images.
        let shared = self.n < threads;
        let per_task = if shared { self.n } else { self.n.div_ceil(threads * 4) };
        let (padded, tile) = (layout.padded_len(self.c_in_group()), layout.rows * self.ow * channels);
        let fixed = groups * (depth + 1) * channels;
        let buffer = scratch.take(fixed + self.n.div_ceil(per_task) * (padded + tile));
        let (fixed, buffer) = buffer.split_at_mut(fixed);
        let (packed, biases) = fixed.split_at_mut(groups * depth * channels);
        if transposed {
            self.pack_transposed(&layout, weight, packed);
        } else {
            self.pack(&layout, weight, packed);
        }
        biases.fill(0.0);
        if let Some(bias) = bias {
            let places = biases.chunks_exact_mut(channels).zip(bias.chunks_exact(self.c_out_group()));
            places.for_each(|(place, bias)| place[..bias.len()].copy_from_slice(bias));
        }
        let (packed, biases) = (&*packed, &*biases);

        let image = |image: &[f32], result: &mut [f32], buffer: &mut [f32]| {
            let (padded, tile) = buffer.split_at_mut(padded);
            let images = image.chunks_exact(self.c_in_group() * self.h * self.w);
            for (group, (image, result)) in images.zip(result.chunks_exact_mut(self.c_out_group() * pixels)).enumerate() {
                let packed = &packed[group * depth * channels..][..depth * channels];
                let biases = &biases[group * channels..][..channels];
                for rows in self.pieces(&layout) {
                    self.pad(&layout, image, &rows, padded);
                    let (padded, grid) = (&*padded, self.grid(&layout, &rows));
                    let count = rows.len() * self.ow;
                    let block = |index: usize, result: &mut [f32], tile: &mut [f32]| {
                        let first = index * VECTORS * LANES;
                        let wide = (channels - first).min(VECTORS * LANES);
                        let tile = &mut tile[..count * wide];
                        simd::forward(padded, grid, &layout.offsets, (&packed[first..], channels), &biases[first..][..wide], tile);
                        let real = result.len() / pixels;
                        simd::transpose(tile, wide, &mut result[rows.start * self.ow..], pixels, count, real);
                    };
                    let results = VECTORS * LANES * pixels;
                    let tiles = layout.rows * self.ow * VECTORS * LANES;
                    if shared {
                        let blocks = result.par_chunks_mut(results).zip(tile.par_chunks_mut(tiles)).enumerate();
                        blocks.for_each(|(index, (result, tile))| block(index, result, tile));
                    } else {
                        result.chunks_mut(results).enumerate().for_each(|(index, result)| block(index, result, tile));
                    }
                }
            }
        };
        let tasks = output.par_chunks_mut(per_task * result_len).zip(input.par_chunks(per_task * image_len));
        tasks.zip(buffer.par_chunks_mut(padded + tile)).for_each(|((results, images), buffer)| {
            let images = images.chunks_exact(image_len);
            results.chunks_exact_mut(result_len).zip(images).for_each(|(result, input)| image(input, result, buffer));
        });
    }

    /// Elements of a partial sum of [`Self::direct_weight_grad`], and those it works in.
    pub(super) fn direct_scratch(&self, layout: &Layout) -> (usize, usize) {
        let sums = self.options.groups * self.depth() * layout.channels;
        (sums, layout.padded_len(self.c_in_group()) + layout.rows * self.ow * layout.channels)
    }

    /// Adds the weight gradient of a run of images to `sums`, `[groups, taps, channels]`.
    pub(super) fn direct_weight_grad(&self, layout: &Layout, input: &[f32], output_grad: &[f32], sums: &mut [f32], buffer: &mut [f32]) {
        let (padded, turned) = buffer.split_at_mut(layout.padded_len(self.c_in_group()));
        let (c_out, channels, pixels) = (self.c_out_group(), layout.channels, self.pixels());
        // The channels that fill up the vectors stay 0; what they add to is never read.
        turned.fill(0.0);
        for (image, output_grad) in input.chunks_exact(self.image_len()).zip(output_grad.chunks_exact(self.result_len())) {
            let groups = image.chunks_exact(self.c_in_group() * self.h * self.w).zip(output_grad.chunks_exact(c_out * pixels));
            for ((image, output_grad), sums) in groups.zip(sums.chunks_exact_mut(self.depth() * channels)) {
                for rows in self.pieces(layout) {
                    self.pad(layout, image, &rows, padded);
                    let count = rows.len() * self.ow;
                    simd::transpose(&output_grad[rows.start * self.ow..], pixels, turned, channels, c_out, count);
                    simd::weight_grad(padded, self.grid(layout, &rows), &layout.offsets, &turned[..count * channels], sums, channels);
                }
            }
        }
    }

    /// Brings sums `[groups, taps, channels]` to the shape of the weight.
    pub(super) fn unpack(&self, layout: &Layout, sums: &[f32], grad: &mut [f32]) {
        let (depth, c_out, channels) = (self.depth(), self.c_out_group(), layout.channels);
        for (sums, grad) in sums.chunks_exact(depth * channels).zip(grad.chunks_exact_mut(c_out * depth)) {
            simd::transpose(sums, channels, grad, depth, depth, c_out);
        }
    }
}
