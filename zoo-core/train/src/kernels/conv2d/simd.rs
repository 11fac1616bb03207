//! Register tiles of the direct convolution for AVX-512. The only unsafe code of the convolution is here.
//!
//! A tile holds a few output channels by a few vectors of 16 positions in vector registers while it walks over all
//! taps; nothing is lowered to columns in memory.

/// Positions a vector holds.
pub(super) const LANES: usize = 16;
/// Output channels of a forward tile; packed weights hold so many for each tap.
pub(super) const CHANNELS: usize = 8;
/// Output channels of a weight-gradient tile.
pub(super) const GRAD_CHANNELS: usize = 4;
/// Taps of a weight-gradient tile.
pub(super) const GRAD_TAPS: usize = 6;

/// Where the lanes of a vector of positions go in the output: which of them are real outputs, and the index of the
/// first. Real lanes are neighbours in the output.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lane {
    pub(super) mask: u16,
    pub(super) start: usize,
}

/// Whether this machine can run the tiles.
pub(super) fn available() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::arch::is_x86_feature_detected!("avx512f")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Convolves one block of up to [`CHANNELS`] output channels.
///
/// Position `p` of the output is `sum over taps k of weight[k] * x[offsets[k] + p]`; `lanes[i]` describes positions
/// `16 i..16 i + 16`. `weight` is `[taps, CHANNELS]`, `output` is `[bias.len(), pixels]`, which starts at `bias`.
/// Does nothing where [`available`] is false.
pub(super) fn forward_block(x: &[f32], offsets: &[usize], weight: &[f32], bias: &[f32], lanes: &[Lane], output: &mut [f32], pixels: usize) {
    let reach = offsets.iter().max().map_or(0, |o| o + lanes.len() * LANES);
    let ends = lanes.iter().all(|lane| lane.start + lane.mask.count_ones() as usize <= pixels);
    assert!(x.len() >= reach && ends, "positions leave the padded image");
    assert!(weight.len() == offsets.len() * CHANNELS && bias.len() <= CHANNELS, "weights are not packed for the taps");
    assert!(output.len() == bias.len() * pixels, "the output is not a block of channels");
    #[cfg(target_arch = "x86_64")]
    if available() {
        // SAFETY: AVX-512F was just detected; every read of `x` lies below `reach`, every read of `weight` below
        // taps * CHANNELS, and every write below `pixels` of one of the `bias.len()` channels, as asserted above.
        unsafe { x86::forward_block(x, offsets, weight, bias, lanes, output, pixels) };
    }
}

/// Adds to `grad` `[channels, taps]` the products `sum over p of dy[c * dy_stride + p] * x[offsets[k] + p]` of `vectors`
/// vectors of positions, for each of `images` pairs of images that lie `dy_image` and `x_image` elements apart.
/// Does nothing where [`available`] is false.
pub(super) fn weight_grad(
    dy: Strided<'_>,
    x: Strided<'_>,
    offsets: &[usize],
    vectors: usize,
    images: usize,
    grad: &mut [f32],
    dy_stride: usize,
) {
    let taps = offsets.len();
    let channels = grad.len().checked_div(taps).unwrap_or(0);
    if channels == 0 || images == 0 {
        return;
    }
    let last = offsets.iter().max().copied().unwrap_or(0);
    assert!(grad.len() == channels * taps, "the gradient is not [channels, taps]");
    assert!(x.data.len() >= (images - 1) * x.image + last + vectors * LANES, "positions leave the padded images");
    assert!(dy.data.len() >= (images - 1) * dy.image + (channels - 1) * dy_stride + vectors * LANES, "positions leave the gradients");
    #[cfg(target_arch = "x86_64")]
    if available() {
        // SAFETY: AVX-512F was just detected, and the assertions above bound every read of `x` and `dy`; `grad` is
        // indexed with bounds checks.
        unsafe { x86::weight_grad(dy, x, offsets, vectors, images, grad, dy_stride) };
    }
}

/// Several images in one slice, `image` elements apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strided<'a> {
    pub(super) data: &'a [f32],
    pub(super) image: usize,
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{CHANNELS, GRAD_CHANNELS, GRAD_TAPS, LANES, Lane, Strided};
    use std::arch::x86_64::{
        __m512, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_storeu_ps, _mm512_maskz_compress_ps, _mm512_reduce_add_ps, _mm512_set1_ps,
        _mm512_setzero_ps,
    };

    /// # Safety
    /// AVX-512F must be there, and the bounds asserted by [`super::forward_block`] must hold.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn forward_block(
        x: &[f32],
        offsets: &[usize],
        weight: &[f32],
        bias: &[f32],
        lanes: &[Lane],
        output: &mut [f32],
        pixels: usize,
    ) {
        // SAFETY: the caller's bounds cover all vectors of `lanes`, which the pieces below are parts of.
        unsafe {
            match bias.len() {
                0 => {}
                1 => by_vectors::<1>(x, offsets, weight, bias, lanes, output, pixels),
                2 => by_vectors::<2>(x, offsets, weight, bias, lanes, output, pixels),
                3 | 4 => by_vectors::<4>(x, offsets, weight, bias, lanes, output, pixels),
                5 | 6 => by_vectors::<6>(x, offsets, weight, bias, lanes, output, pixels),
                _ => by_vectors::<CHANNELS>(x, offsets, weight, bias, lanes, output, pixels),
            }
        }
    }

    #[target_feature(enable = "avx512f")]
    unsafe fn by_vectors<const M: usize>(
        x: &[f32],
        offsets: &[usize],
        weight: &[f32],
        bias: &[f32],
        lanes: &[Lane],
        output: &mut [f32],
        pixels: usize,
    ) {
        let mut at = 0;
        while at < lanes.len() {
            // Three vectors fill the registers; four are better cut in two pairs than in three and one.
            let take = match lanes.len() - at {
                1 => 1,
                2 | 4 => 2,
                _ => 3,
            };
            let part = &lanes[at..at + take];
            // SAFETY: `at * LANES + take * LANES` is at most `lanes.len() * LANES`, which the caller's bounds cover.
            unsafe {
                let x = x.as_ptr().add(at * LANES);
                match take {
                    1 => tile::<M, 1>(x, offsets, weight, bias, part, output, pixels),
                    2 => tile::<M, 2>(x, offsets, weight, bias, part, output, pixels),
                    _ => tile::<M, 3>(x, offsets, weight, bias, part, output, pixels),
                }
            }
            at += take;
        }
    }

    #[target_feature(enable = "avx512f")]
    unsafe fn tile<const M: usize, const V: usize>(
        x: *const f32,
        offsets: &[usize],
        weight: &[f32],
        bias: &[f32],
        lanes: &[Lane],
        output: &mut [f32],
        pixels: usize,
    ) {
        let mut sums = [[_mm512_setzero_ps(); V]; M];
        for (row, bias) in sums.iter_mut().zip(bias) {
            *row = [_mm512_set1_ps(*bias); V];
        }
        let weight = weight.as_ptr();
        for (k, offset) in offsets.iter().enumerate() {
            // SAFETY: `offset + V * LANES` beyond `x` lies inside the image and `k * CHANNELS + M` inside the weights.
            unsafe {
                let x = x.add(*offset);
                let mut values = [_mm512_setzero_ps(); V];
                for v in 0..V {
                    values[v] = _mm512_loadu_ps(x.add(v * LANES));
                }
                let weight = weight.add(k * CHANNELS);
                for m in 0..M {
                    let w = _mm512_set1_ps(*weight.add(m));
                    for v in 0..V {
                        sums[m][v] = _mm512_fmadd_ps(w, values[v], sums[m][v]);
                    }
                }
            }
        }
        for (row, output) in sums.iter().zip(output.chunks_exact_mut(pixels)) {
            for (sum, lane) in row.iter().zip(lanes) {
                let packed = _mm512_maskz_compress_ps(lane.mask, *sum);
                let count = lane.mask.count_ones();
                // SAFETY: exactly `count` elements from `start` are written, which lie below `pixels`.
                unsafe { _mm512_mask_storeu_ps(output.as_mut_ptr().add(lane.start), ((1u32 << count) - 1) as u16, packed) };
            }
        }
    }

    /// # Safety
    /// AVX-512F must be there, and the bounds asserted by [`super::weight_grad`] must hold.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn weight_grad(
        dy: Strided<'_>,
        x: Strided<'_>,
        offsets: &[usize],
        vectors: usize,
        images: usize,
        grad: &mut [f32],
        dy_stride: usize,
    ) {
        let taps = offsets.len();
        let channels = grad.len() / taps;
        let mut channel = 0;
        while channel < channels {
            let rows = match channels - channel {
                1 => 1,
                2 | 3 => 2,
                _ => GRAD_CHANNELS,
            };
            let mut tap = 0;
            while tap < taps {
                let columns = match taps - tap {
                    1 | 2 => 1,
                    3..=5 => 3,
                    _ => GRAD_TAPS,
                };
                let place = &mut grad[channel * taps + tap..];
                let offsets = &offsets[tap..tap + columns];
                // SAFETY: `channel + rows` is at most `channels`, so the caller's bounds cover the block.
                unsafe {
                    let dy = (dy.data.as_ptr().add(channel * dy_stride), dy.image, dy_stride);
                    let x = (x.data.as_ptr(), x.image);
                    match (rows, columns) {
                        (1, 1) => grad_tile::<1, 1>(dy, x, offsets, vectors, images, place, taps),
                        (1, 3) => grad_tile::<1, 3>(dy, x, offsets, vectors, images, place, taps),
                        (1, _) => grad_tile::<1, GRAD_TAPS>(dy, x, offsets, vectors, images, place, taps),
                        (2, 1) => grad_tile::<2, 1>(dy, x, offsets, vectors, images, place, taps),
                        (2, 3) => grad_tile::<2, 3>(dy, x, offsets, vectors, images, place, taps),
                        (2, _) => grad_tile::<2, GRAD_TAPS>(dy, x, offsets, vectors, images, place, taps),
                        (_, 1) => grad_tile::<GRAD_CHANNELS, 1>(dy, x, offsets, vectors, images, place, taps),
                        (_, 3) => grad_tile::<GRAD_CHANNELS, 3>(dy, x, offsets, vectors, images, place, taps),
                        (_, _) => grad_tile::<GRAD_CHANNELS, GRAD_TAPS>(dy, x, offsets, vectors, images, place, taps),
                    }
                }
                tap += columns;
            }
            channel += rows;
        }
    }

    #[target_feature(enable = "avx512f")]
    unsafe fn grad_tile<const M: usize, const K: usize>(
        (dy, dy_image, dy_stride): (*const f32, usize, usize),
        (x, x_image): (*const f32, usize),
        offsets: &[usize],
        vectors: usize,
        images: usize,
        grad: &mut [f32],
        taps: usize,
    ) {
        let mut sums = [[_mm512_setzero_ps(); K]; M];
        let mut starts = [0; K];
        starts.copy_from_slice(offsets);
        for image in 0..images {
            for vector in 0..vectors {
                // SAFETY: image, channel, tap and vector are below the numbers that the caller's bounds cover.
                unsafe {
                    let dy = dy.add(image * dy_image + vector * LANES);
                    let x = x.add(image * x_image + vector * LANES);
                    let mut rows: [__m512; M] = [_mm512_setzero_ps(); M];
                    for m in 0..M {
                        rows[m] = _mm512_loadu_ps(dy.add(m * dy_stride));
                    }
                    for k in 0..K {
                        let value = _mm512_loadu_ps(x.add(starts[k]));
                        for m in 0..M {
                            sums[m][k] = _mm512_fmadd_ps(rows[m], value, sums[m][k]);
                        }
                    }
                }
            }
        }
        for (m, row) in sums.iter().enumerate() {
            for (k, sum) in row.iter().enumerate() {
                grad[m * taps + k] += _mm512_reduce_add_ps(*sum);
            }
        }
    }
}
