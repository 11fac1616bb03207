//! Direct convolution of stride 1: padded images are read in place, tap by tap, by the register tiles of
//! [`super::simd`].
//!
//! Output row `y` and column `x` sit at position `y * stride + x`, `stride` being the width of the padded image, so that
//! a tap is a fixed distance from every position. The positions between the end of an output row and the next row
//! are computed and thrown away.

use super::super::Scratch;
use super::simd::{self, CHANNELS, LANES, Lane, Strided};
use super::{Conv2d, Conv2dOptions};
use rayon::prelude::*;
use std::ops::Range;

/// Elements of the padded images that a thread keeps at hand: three quarters of a megabyte, for a second-level cache.
const KEPT: usize = 192 * 1024;

/// How one group of a convolution is laid out for the tiles.
struct Layout {
    /// Width of a padded row.
    stride: usize,
    /// Output rows that are worked on at once.
    rows: usize,
    /// Elements of a padded channel of so many rows.
    plane: usize,
    /// Distance of each tap from its position.
    offsets: Vec<usize>,
}

impl Conv2d {
    /// Whether the tiles can be used and are worth it.
    pub(super) fn is_direct(&self) -> bool {
        let few_lost = self.ow >= 4 && 3 * (self.kw - 1) * self.options.dilation[1] <= 2 * self.ow;
        self.options.stride == [1, 1]
            && !self.is_pointwise()
            && !self.is_depthwise()
            && few_lost
            && self.transposed().is_some()
            && simd::available()
    }

    /// The convolution that takes the output's gradient to the input's, with weights as [`Self::pack_transposed`] packs
    /// them; only for stride 1 and a padding below the kernel's span.
    pub(super) fn transposed(&self) -> Option<Self> {
        let span = |kernel: usize, axis: usize| (kernel - 1) * self.options.dilation[axis];
        let pad = |kernel, axis| span(kernel, axis).checked_sub(self.options.padding[axis]);
        let padding = [pad(self.kh, 0)?, pad(self.kw, 1)?];
        if self.options.stride != [1, 1] {
            return None;
        }
        let options = Conv2dOptions { padding, ..self.options };
        Some(Self { c_in: self.c_out, h: self.oh, w: self.ow, c_out: self.c_in, oh: self.h, ow: self.w, options, ..*self })
    }

    fn layout(&self) -> Layout {
        let stride = self.w + 2 * self.options.padding[1];
        let halo = (self.kh - 1) * self.options.dilation[0];
        let rows = (KEPT / (self.c_in_group() * stride)).saturating_sub(halo).clamp(1, self.oh);
        let plane = (rows + halo) * stride;
        let [dy, dx] = self.options.dilation;
        let taps = (0..self.c_in_group()).flat_map(|c| (0..self.kh).flat_map(move |y| (0..self.kw).map(move |x| (c, y, x))));
        let offsets = taps.map(|(c, y, x)| c * plane + y * dy * stride + x * dx).collect();
        Layout { stride, rows, plane, offsets }
    }

    /// Copies the input rows that output rows `rows` need, with their padding, channel by channel.
    fn pad(&self, layout: &Layout, image: &[f32], rows: &Range<usize>, padded: &mut [f32]) {
        let [py, px] = self.options.padding;
        // The last vectors reach beyond the image; a stray NaN there would survive a product with 0.
        padded[self.c_in_group() * layout.plane..].fill(0.0);
        for (channel, target) in image.chunks_exact(self.h * self.w).zip(padded.chunks_exact_mut(layout.plane)) {
            for (row, line) in target.chunks_exact_mut(layout.stride).enumerate() {
                let source = (rows.start + row).checked_sub(py).filter(|&y| y < self.h);
                match source {
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

    /// Elements of a padded image, with the room that the last vectors reach over.
    fn padded_len(&self, layout: &Layout) -> usize {
        self.c_in_group() * layout.plane + LANES
    }

    /// Which positions of `rows` output rows are outputs, vector by vector, and where they go from output `first` on.
    fn lanes(&self, layout: &Layout, rows: usize, first: usize) -> Vec<Lane> {
        let positions = (rows - 1) * layout.stride + self.ow;
        let mut next = first;
        let lane = |vector: usize| {
            let start = next;
            let real = |p: usize| p < positions && p % layout.stride < self.ow;
            let mask = (0..LANES).filter(|l| real(vector * LANES + l)).fold(0u16, |mask, l| mask | 1 << l);
            next += mask.count_ones() as usize;
            Lane { mask, start }
        };
        (0..positions.div_ceil(LANES)).map(lane).collect()
    }

    /// Weights by group, block of output channels, tap and channel of the block.
    fn pack(&self, weight: &[f32], packed: &mut [f32]) {
        let depth = self.depth();
        let groups = weight.chunks_exact(self.c_out_group() * depth).zip(packed.chunks_exact_mut(self.packed_len()));
        for (weight, packed) in groups {
            for (rows, block) in weight.chunks(CHANNELS * depth).zip(packed.chunks_exact_mut(CHANNELS * depth)) {
                block.fill(0.0);
                for (m, row) in rows.chunks_exact(depth).enumerate() {
                    block.iter_mut().skip(m).step_by(CHANNELS).zip(row).for_each(|(b, w)| *b = *w);
                }
            }
        }
    }

    /// As [`Self::pack`] for the transposed convolution `self` of the one that `weight` belongs to: input and output
    /// channels change places and the kernel is turned around.
    fn pack_transposed(&self, weight: &[f32], packed: &mut [f32]) {
        let (taps, c_in, c_out) = (self.kh * self.kw, self.c_in_group(), self.c_out_group());
        packed.fill(0.0);
        let groups = weight.chunks_exact(c_in * c_out * taps).zip(packed.chunks_exact_mut(self.packed_len()));
        for (weight, packed) in groups {
            for (index, w) in weight.iter().enumerate() {
                let (tap, channel, source) = (taps - 1 - index % taps, index / taps % c_out, index / taps / c_out);
                let block = channel / CHANNELS * (CHANNELS * c_in * taps);
                packed[block + (source * taps + tap) * CHANNELS + channel % CHANNELS] = *w;
            }
        }
    }

    /// Elements of a group's packed weights.
    fn packed_len(&self) -> usize {
        self.c_out_group().div_ceil(CHANNELS) * CHANNELS * self.depth()
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
        let threads = rayon::current_num_threads();
        // Few images: one after another, the threads share the output channels. Many: one thread an image.
        let shared = self.n < threads;
        let per_task = if shared { self.n } else { self.n.div_ceil(threads * 4) };
        let padded = self.padded_len(&layout);
        let buffer = scratch.take(groups * self.packed_len() + self.n.div_ceil(per_task) * padded);
        let (packed, buffer) = buffer.split_at_mut(groups * self.packed_len());
        if transposed {
            self.pack_transposed(weight, packed);
        } else {
            self.pack(weight, packed);
        }
        let packed = &*packed;
        let tiles: Vec<(Range<usize>, Vec<Lane>)> = (0..self.oh)
            .step_by(layout.rows)
            .map(|start| {
                let rows = start..(start + layout.rows).min(self.oh);
                let lanes = self.lanes(&layout, rows.len(), start * self.ow);
                (rows, lanes)
            })
            .collect();
        let work = |(result, (image, padded)): (&mut [f32], (&[f32], &mut [f32]))| {
            let plane = self.c_in_group() * self.h * self.w;
            let outputs = self.c_out_group() * self.pixels();
            for group in 0..groups {
                let image = &image[group * plane..][..plane];
                let result = &mut result[group * outputs..][..outputs];
                let packed = &packed[group * self.packed_len()..][..self.packed_len()];
                for (rows, lanes) in &tiles {
                    self.pad(&layout, image, rows, padded);
                    let padded = &*padded;
                    let block = |(index, result): (usize, &mut [f32])| {
                        let count = result.len() / self.pixels();
                        let first = group * self.c_out_group() + index * CHANNELS;
                        let zeros = [0.0; CHANNELS];
                        let bias = bias.map_or(&zeros[..count], |bias| &bias[first..first + count]);
                        let weight = &packed[index * CHANNELS * self.depth()..][..CHANNELS * self.depth()];
                        simd::forward_block(padded, &layout.offsets, weight, bias, lanes, result, self.pixels());
                    };
                    if shared {
                        result.par_chunks_mut(CHANNELS * self.pixels()).enumerate().for_each(block);
                    } else {
                        result.chunks_mut(CHANNELS * self.pixels()).enumerate().for_each(block);
                    }
                }
            }
        };
        let tasks = output.par_chunks_mut(per_task * result_len).zip(input.par_chunks(per_task * image_len));
        tasks.zip(buffer.par_chunks_mut(padded)).for_each(|((results, images), padded)| {
            let images = images.chunks_exact(image_len);
            results.chunks_exact_mut(result_len).zip(images).for_each(|(result, image)| work((result, (image, &mut *padded))));
        });
    }

    /// Elements that [`Self::direct_weight_grad`] works in.
    pub(super) fn direct_scratch(&self) -> usize {
        let layout = self.layout();
        let (padded, wide) = (self.padded_len(&layout), self.wide_len(&layout));
        self.images_kept(padded + wide) * (padded + wide)
    }

    /// Elements of one group's output gradient spread over the positions.
    fn wide_len(&self, layout: &Layout) -> usize {
        self.c_out_group() * (layout.rows * layout.stride).next_multiple_of(LANES)
    }

    /// Images whose tiles are kept at once: the more, the rarer the sums over lanes.
    fn images_kept(&self, each: usize) -> usize {
        (KEPT / each).clamp(1, 16).min(self.n.max(1))
    }

    /// Adds the weight gradient of a run of images to `weight_grad`.
    pub(super) fn direct_weight_grad(&self, input: &[f32], output_grad: &[f32], weight_grad: &mut [f32], buffer: &mut [f32]) {
        let layout = self.layout();
        let (padded, wide) = (self.padded_len(&layout), self.wide_len(&layout));
        let kept = self.images_kept(padded + wide);
        let (padded_all, wide_all) = buffer.split_at_mut(kept * padded);
        let (plane, outputs) = (self.c_in_group() * self.h * self.w, self.c_out_group() * self.pixels());
        let room = wide / self.c_out_group();
        let runs = input.chunks(kept * self.image_len()).zip(output_grad.chunks(kept * self.result_len()));
        for (input, output_grad) in runs {
            let images = input.len() / self.image_len();
            let pieces = weight_grad.chunks_exact_mut(self.c_out_group() * self.depth()).enumerate();
            for (group, weight_grad) in pieces {
                for start in (0..self.oh).step_by(layout.rows) {
                    let rows = start..(start + layout.rows).min(self.oh);
                    let vectors = ((rows.len() - 1) * layout.stride + self.ow).div_ceil(LANES);
                    for (image, padded) in input.chunks_exact(self.image_len()).zip(padded_all.chunks_exact_mut(padded)) {
                        self.pad(&layout, &image[group * plane..][..plane], &rows, padded);
                    }
                    for (grad, wide) in output_grad.chunks_exact(self.result_len()).zip(wide_all.chunks_exact_mut(wide)) {
                        self.spread(&layout, &grad[group * outputs..][..outputs], &rows, &mut wide[..], room);
                    }
                    let dy = Strided { data: wide_all, image: wide };
                    let x = Strided { data: padded_all, image: padded };
                    simd::weight_grad(dy, x, &layout.offsets, vectors, images, weight_grad, room);
                }
            }
        }
    }

    /// Lays the rows of an output gradient at their positions, with zeros between.
    fn spread(&self, layout: &Layout, grad: &[f32], rows: &Range<usize>, wide: &mut [f32], room: usize) {
        for (channel, target) in grad.chunks_exact(self.pixels()).zip(wide.chunks_exact_mut(room)) {
            let (lines, tail) = target.split_at_mut(rows.len() * layout.stride);
            tail.fill(0.0);
            let source = channel[rows.start * self.ow..].chunks_exact(self.ow);
            for (line, row) in lines.chunks_exact_mut(layout.stride).zip(source) {
                line[..self.ow].copy_from_slice(row);
                line[self.ow..].fill(0.0);
            }
        }
    }
}
