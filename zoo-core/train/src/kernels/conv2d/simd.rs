//! Register tiles of the direct convolution for AVX-512. The only unsafe code of the convolution is here.
//!
//! A tile holds a few positions by a few vectors of 16 output channels in vector registers while it walks over all
//! taps. Each function checks its bounds once, then works on pointers.

/// Channels a vector holds.
pub(super) const LANES: usize = 16;
/// Vectors of channels a tile holds at most.
pub(super) const VECTORS: usize = 3;

/// Output positions over a padded image: position `(y, x)` reads from `y * row + x * step` on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    pub(super) rows: usize,
    pub(super) width: usize,
    pub(super) row: usize,
    pub(super) step: usize,
}

impl Grid {
    /// One more than the greatest place that a position reads, before a tap's offset.
    fn reach(&self) -> usize {
        if self.rows == 0 || self.width == 0 { 0 } else { (self.rows - 1) * self.row + (self.width - 1) * self.step + 1 }
    }
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

/// `output[p, j] = bias[j] + sum over taps k of weight[k, j] * x[offsets[k] + p]` for all positions `p` of `grid` and a
/// block of up to [`VECTORS`] vectors of channels `j`.
///
/// Rows of `weight` lie `weight_row` apart; `bias` is the block's; `output` is `[positions, bias.len()]`. Does nothing
/// where [`available`] is false.
pub(super) fn forward(x: &[f32], grid: Grid, offsets: &[usize], weight: (&[f32], usize), bias: &[f32], output: &mut [f32]) {
    let last = offsets.iter().max().copied().unwrap_or(0);
    assert!(x.len() >= last + grid.reach(), "positions leave the padded image");
    assert!(bias.len().is_multiple_of(LANES) && (LANES..=VECTORS * LANES).contains(&bias.len()), "a block of whole vectors");
    assert!(weight.0.len() + weight.1 >= offsets.len() * weight.1 + bias.len(), "weights for every tap");
    assert!(output.len() == grid.rows * grid.width * bias.len(), "an output for every position");
    #[cfg(target_arch = "x86_64")]
    if available() {
        // SAFETY: AVX-512F was just detected. Reads of `x` lie below `last + reach`, those of `weight` below
        // `(taps - 1) * weight_row + bias.len()`, writes below `positions * bias.len()`, all asserted above.
        unsafe { x86::forward(x, grid, offsets, weight, bias, output) };
    }
}

/// Adds `sum over positions p of dy[p, j] * x[offsets[k] + p]` to `grad[k, j]` for all taps `k` and channels `j`.
///
/// `dy` is `[positions, channels]` and `grad` `[taps, channels]`, `channels` a whole number of vectors. Does nothing
/// where [`available`] is false.
pub(super) fn weight_grad(x: &[f32], grid: Grid, offsets: &[usize], dy: &[f32], grad: &mut [f32], channels: usize) {
    let last = offsets.iter().max().copied().unwrap_or(0);
    assert!(x.len() >= last + grid.reach(), "positions leave the padded image");
    assert!(channels > 0 && channels.is_multiple_of(LANES), "a block of whole vectors");
    assert!(dy.len() == grid.rows * grid.width * channels, "a gradient for every position");
    assert!(grad.len() == offsets.len() * channels, "a sum for every tap");
    #[cfg(target_arch = "x86_64")]
    if available() {
        // SAFETY: AVX-512F was just detected, and the assertions above bound every read and write.
        unsafe { x86::weight_grad(x, grid, offsets, dy, grad, channels) };
    }
}

/// `target[c, r] = source[r, c]` for `rows` x `columns` elements; rows of the two lie `source_row` and `target_row`
/// apart. Does nothing where [`available`] is false.
pub(super) fn transpose(source: &[f32], source_row: usize, target: &mut [f32], target_row: usize, rows: usize, columns: usize) {
    if rows == 0 || columns == 0 {
        return;
    }
    assert!(source.len() >= (rows - 1) * source_row + columns, "the source holds the matrix");
    assert!(target.len() >= (columns - 1) * target_row + rows, "the target holds the matrix");
    #[cfg(target_arch = "x86_64")]
    if available() {
        // SAFETY: AVX-512F was just detected; elements are read and written only where the assertions above allow.
        unsafe { x86::transpose(source, source_row, target, target_row, rows, columns) };
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Grid, LANES};
    use std::arch::x86_64::{
        __m512, _mm512_add_ps, _mm512_castpd_ps, _mm512_castps_pd, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_storeu_ps,
        _mm512_maskz_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_shuffle_f32x4, _mm512_storeu_ps, _mm512_unpackhi_pd,
        _mm512_unpackhi_ps, _mm512_unpacklo_pd, _mm512_unpacklo_ps,
    };

    /// Calls `$tile::<P, V, S>` for the number of positions at hand.
    macro_rules! by_positions {
        ($count:expr, $step:expr, $vectors:literal, [$($p:literal)*], $tile:ident $args:tt) => {
            match ($count, $step) {
                $(($p, 1) => $tile::<$p, $vectors, 1> $args, ($p, 2) => $tile::<$p, $vectors, 2> $args,)*
                _ => unreachable!("tiles are cut to the sizes listed"),
            }
        };
    }

    /// # Safety
    /// AVX-512F must be there, and the bounds asserted by [`super::forward`] must hold.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn forward(x: &[f32], grid: Grid, offsets: &[usize], weight: (&[f32], usize), bias: &[f32], output: &mut [f32]) {
        let vectors = bias.len() / LANES;
        // As many positions as leave registers for the weights.
        let most = [14, 12, 8][vectors - 1];
        let parts = grid.width.div_ceil(most);
        let weight = (weight.0.as_ptr(), weight.1);
        let bias_at = bias.as_ptr();
        let mut out = output.as_mut_ptr();
        for y in 0..grid.rows {
            let mut at = 0;
            for part in 0..parts {
                let count = (grid.width - at).div_ceil(parts - part);
                // SAFETY: positions `at..at + count` of row `y` are inside the grid, which the caller's bounds cover; `out`
                // moves by the elements that were written.
                unsafe {
                    let x = x.as_ptr().add(y * grid.row + at * grid.step);
                    match vectors {
                        1 => by_positions!(count, grid.step, 1, [1 2 3 4 5 6 7 8 9 10 11 12 13 14], tile(x, offsets, weight, bias_at, out)),
                        2 => by_positions!(count, grid.step, 2, [1 2 3 4 5 6 7 8 9 10 11 12], tile(x, offsets, weight, bias_at, out)),
                        _ => by_positions!(count, grid.step, 3, [1 2 3 4 5 6 7 8], tile(x, offsets, weight, bias_at, out)),
                    }
                    out = out.add(count * bias.len());
                }
                at += count;
            }
        }
    }

    #[target_feature(enable = "avx512f")]
    unsafe fn tile<const P: usize, const V: usize, const S: usize>(
        x: *const f32,
        offsets: &[usize],
        (weight, weight_row): (*const f32, usize),
        bias: *const f32,
        output: *mut f32,
    ) {
        // SAFETY: positions, taps and channels are those that the caller's bounds cover.
        unsafe {
            let mut start = [_mm512_setzero_ps(); V];
            for (v, start) in start.iter_mut().enumerate() {
                *start = _mm512_loadu_ps(bias.add(v * LANES));
            }
            let mut sums = [start; P];
            let mut weight = weight;
            for offset in offsets {
                let x = x.add(*offset);
                let mut row = [_mm512_setzero_ps(); V];
                for v in 0..V {
                    row[v] = _mm512_loadu_ps(weight.add(v * LANES));
                }
                for p in 0..P {
                    let value = _mm512_set1_ps(*x.add(p * S));
                    for v in 0..V {
                        sums[p][v] = _mm512_fmadd_ps(value, row[v], sums[p][v]);
                    }
                }
                weight = weight.wrapping_add(weight_row);
            }
            for p in 0..P {
                for v in 0..V {
                    _mm512_storeu_ps(output.add((p * V + v) * LANES), sums[p][v]);
                }
            }
        }
    }

    /// # Safety
    /// AVX-512F must be there, and the bounds asserted by [`super::weight_grad`] must hold.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn weight_grad(x: &[f32], grid: Grid, offsets: &[usize], dy: &[f32], grad: &mut [f32], channels: usize) {
        // Three neighbouring taps share a pointer.
        let triples = offsets.len().is_multiple_of(3) && offsets.chunks_exact(3).all(|t| t[1] == t[0] + 1 && t[2] == t[0] + 2);
        let mut first = 0;
        while first < channels {
            let vectors = match (channels - first) / LANES {
                1 => 1,
                2 | 4 => 2,
                _ => 3,
            };
            // SAFETY: the block `first..first + vectors * LANES` of channels is inside the caller's bounds.
            unsafe {
                let (x, dy, grad) = (x.as_ptr(), dy.as_ptr().add(first), grad.as_mut_ptr().add(first));
                match (vectors, triples) {
                    (1, true) => blocks::<8, 3, 1>(x, grid, offsets, dy, grad, channels),
                    (2, true) => blocks::<4, 3, 2>(x, grid, offsets, dy, grad, channels),
                    (_, true) => blocks::<3, 3, 3>(x, grid, offsets, dy, grad, channels),
                    (1, false) => blocks::<8, 1, 1>(x, grid, offsets, dy, grad, channels),
                    (2, false) => blocks::<8, 1, 2>(x, grid, offsets, dy, grad, channels),
                    (_, false) => blocks::<8, 1, 3>(x, grid, offsets, dy, grad, channels),
                }
            }
            first += vectors * LANES;
        }
    }

    /// All taps, `R` groups of `W` neighbours at a time and the rest group by group.
    #[target_feature(enable = "avx512f")]
    unsafe fn blocks<const R: usize, const W: usize, const V: usize>(
        x: *const f32,
        grid: Grid,
        offsets: &[usize],
        dy: *const f32,
        grad: *mut f32,
        channels: usize,
    ) {
        let mut tap = 0;
        while tap < offsets.len() {
            let whole = offsets.len() - tap >= R * W;
            // SAFETY: taps `tap..tap + R * W`, or `tap..tap + W`, are inside the caller's bounds.
            unsafe {
                let grad = grad.add(tap * channels);
                if whole {
                    grad_tile::<R, W, V>(x, grid, &offsets[tap..], dy, grad, channels);
                } else {
                    grad_tile::<1, W, V>(x, grid, &offsets[tap..], dy, grad, channels);
                }
            }
            tap += if whole { R * W } else { W };
        }
    }

    #[target_feature(enable = "avx512f")]
    unsafe fn grad_tile<const R: usize, const W: usize, const V: usize>(
        x: *const f32,
        grid: Grid,
        offsets: &[usize],
        dy: *const f32,
        grad: *mut f32,
        channels: usize,
    ) {
        let mut sums = [[[_mm512_setzero_ps(); V]; W]; R];
        let mut starts = [x; R];
        for (r, start) in starts.iter_mut().enumerate() {
            *start = x.wrapping_add(offsets[r * W]);
        }
        let mut dy = dy;
        for y in 0..grid.rows {
            let mut at = y * grid.row;
            for _ in 0..grid.width {
                // SAFETY: the position and the taps are inside the caller's bounds, `dy` is at the position's gradients.
                unsafe {
                    let mut row = [_mm512_setzero_ps(); V];
                    for v in 0..V {
                        row[v] = _mm512_loadu_ps(dy.add(v * LANES));
                    }
                    for r in 0..R {
                        for w in 0..W {
                            let value = _mm512_set1_ps(*starts[r].add(at + w));
                            for v in 0..V {
                                sums[r][w][v] = _mm512_fmadd_ps(value, row[v], sums[r][w][v]);
                            }
                        }
                    }
                }
                at += grid.step;
                dy = dy.wrapping_add(channels);
            }
        }
        for r in 0..R {
            for w in 0..W {
                for v in 0..V {
                    // SAFETY: tap `r * W + w` and vector `v` are inside the caller's bounds.
                    unsafe {
                        let place = grad.add((r * W + w) * channels + v * LANES);
                        _mm512_storeu_ps(place, _mm512_add_ps(_mm512_loadu_ps(place), sums[r][w][v]));
                    }
                }
            }
        }
    }

    /// # Safety
    /// AVX-512F must be there, and the bounds asserted by [`super::transpose`] must hold.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn transpose(source: &[f32], source_row: usize, target: &mut [f32], target_row: usize, rows: usize, columns: usize) {
        let mask = |count: usize| ((1u32 << count.min(LANES)) - 1) as u16;
        for row in (0..rows).step_by(LANES) {
            for column in (0..columns).step_by(LANES) {
                let (high, wide) = ((rows - row).min(LANES), (columns - column).min(LANES));
                let mut square = [_mm512_setzero_ps(); LANES];
                for (r, line) in square.iter_mut().enumerate().take(high) {
                    // SAFETY: `wide` elements of row `row + r` from `column` on are inside the source.
                    *line = unsafe { _mm512_maskz_loadu_ps(mask(wide), source.as_ptr().add((row + r) * source_row + column)) };
                }
                let square = turn(square);
                for (c, line) in square.iter().enumerate().take(wide) {
                    // SAFETY: `high` elements of row `column + c` from `row` on are inside the target.
                    unsafe { _mm512_mask_storeu_ps(target.as_mut_ptr().add((column + c) * target_row + row), mask(high), *line) };
                }
            }
        }
    }

    /// Transposes 16 x 16 elements: pairs, then quadruples within 128-bit parts, then the parts.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn turn(a: [__m512; LANES]) -> [__m512; LANES] {
        let zero = _mm512_setzero_ps();
        let (mut b, mut c) = ([zero; LANES], [zero; LANES]);
        for i in 0..8 {
            b[2 * i] = _mm512_unpacklo_ps(a[2 * i], a[2 * i + 1]);
            b[2 * i + 1] = _mm512_unpackhi_ps(a[2 * i], a[2 * i + 1]);
        }
        for i in 0..4 {
            for j in 0..2 {
                let (low, high) = (_mm512_castps_pd(b[4 * i + j]), _mm512_castps_pd(b[4 * i + j + 2]));
                c[4 * i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
                c[4 * i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
            }
        }
        // Vector 4 i + j now holds, in part p, column 4 p + j of rows 4 i to 4 i + 3.
        let mut out = [zero; LANES];
        for j in 0..4 {
            let low = _mm512_shuffle_f32x4::<0b10_00_10_00>(c[j], c[4 + j]);
            let low_odd = _mm512_shuffle_f32x4::<0b11_01_11_01>(c[j], c[4 + j]);
            let high = _mm512_shuffle_f32x4::<0b10_00_10_00>(c[8 + j], c[12 + j]);
            let high_odd = _mm512_shuffle_f32x4::<0b11_01_11_01>(c[8 + j], c[12 + j]);
            out[j] = _mm512_shuffle_f32x4::<0b10_00_10_00>(low, high);
            out[4 + j] = _mm512_shuffle_f32x4::<0b10_00_10_00>(low_odd, high_odd);
            out[8 + j] = _mm512_shuffle_f32x4::<0b11_01_11_01>(low, high);
            out[12 + j] = _mm512_shuffle_f32x4::<0b11_01_11_01>(low_odd, high_odd);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn transposition_of_any_size() {
        if !super::available() {
            return;
        }
        for (rows, columns) in [(1, 1), (16, 16), (17, 3), (5, 40), (33, 31)] {
            let source: Vec<f32> = (0..rows * columns).map(|i| i as f32).collect();
            let mut target = vec![-1.0; columns * (rows + 1)];
            super::transpose(&source, columns, &mut target, rows + 1, rows, columns);
            for (i, value) in target.iter().enumerate() {
                let (c, r) = (i / (rows + 1), i % (rows + 1));
                let expected = if r == rows { -1.0 } else { source[r * columns + c] };
                assert_eq!(*value, expected, "{rows} x {columns}, element {c}, {r}");
            }
        }
    }
}
