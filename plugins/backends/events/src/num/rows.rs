//! Additions of rows of weights to rows of currents.
//!
//! Every current takes its products one after another in the order of the offsets, in one register, so that results do not
//! depend on the width of the vectors.

use super::{Num, lanes};
use pulp::Simd;

/// Vectors of a row that are held in registers at once.
const HELD: usize = 8;

/// `target[i] += weights[offsets[j] + i]` for each `j` in order.
#[inline(always)]
pub fn add_rows<N: Num, S: Simd>(simd: S, target: &mut [N], weights: &[N], offsets: &[u32]) {
    rows::<N, S, Ones>(simd, target, weights, offsets, &[]);
}

/// `target[i] += weights[offsets[j] + i] * values[j]` for each `j` in order.
#[inline(always)]
pub fn add_rows_times<N: Num, S: Simd>(simd: S, target: &mut [N], weights: &[N], offsets: &[u32], values: &[f32]) {
    rows::<N, S, Counts>(simd, target, weights, offsets, &values[..offsets.len()]);
}

/// What a weight is multiplied by.
trait Factor {
    const ONE: bool;
}

struct Ones;
struct Counts;

impl Factor for Ones {
    const ONE: bool = true;
}

impl Factor for Counts {
    const ONE: bool = false;
}

#[inline(always)]
fn rows<N: Num, S: Simd, F: Factor>(simd: S, target: &mut [N], weights: &[N], offsets: &[u32], values: &[f32]) {
    let place = [Place { target: 0, weights: 0 }];
    let length = target.len();
    lines::<N, S, F>(simd, target, weights, &place, Place { target: 0, weights: 0 }, length, offsets, values);
}

/// Where one row of currents and its weights begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Offset into the currents.
    pub target: usize,
    /// Offset into the weights.
    pub weights: usize,
}

/// For each `place`, moved by `shift`: [`add_rows`] (or, with `values`, [`add_rows_times`]) of `length` currents.
///
/// Calls with the same currents begin at multiples of `grain` numbers. Vectors wider than that would read what an earlier
/// call has just written in two pieces, and the processor would have to wait until both have left it.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "two arrays, where in them, and what to add")]
pub fn add_lines<N: Num, S: Simd>(
    simd: S,
    target: &mut [N],
    weights: &[N],
    places: &[Place],
    shift: Place,
    length: usize,
    grain: usize,
    offsets: &[u32],
    values: Option<&[f32]>,
) {
    if !grain.is_multiple_of(lanes::<N, S>()) {
        return match values {
            None => narrow::<N, Ones>(target, weights, places, shift, length, grain, offsets, &[]),
            Some(values) => narrow::<N, Counts>(target, weights, places, shift, length, grain, offsets, values),
        };
    }
    match values {
        None => lines::<N, S, Ones>(simd, target, weights, places, shift, length, offsets, &[]),
        Some(values) => lines::<N, S, Counts>(simd, target, weights, places, shift, length, offsets, &values[..offsets.len()]),
    }
}

/// The number of vectors is looked at once for all places.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "as above")]
fn lines<N: Num, S: Simd, F: Factor>(
    simd: S,
    target: &mut [N],
    weights: &[N],
    places: &[Place],
    shift: Place,
    length: usize,
    offsets: &[u32],
    values: &[f32],
) {
    let lanes = lanes::<N, S>();
    let (mut shift, mut vectors) = (shift, length / lanes);
    while vectors > HELD {
        held::<N, S, F, HELD>(simd, target, weights, places, shift, offsets, values);
        vectors -= HELD;
        shift = shift.on(HELD * lanes);
    }
    match vectors {
        1 => held::<N, S, F, 1>(simd, target, weights, places, shift, offsets, values),
        2 => held::<N, S, F, 2>(simd, target, weights, places, shift, offsets, values),
        3 => held::<N, S, F, 3>(simd, target, weights, places, shift, offsets, values),
        4 => held::<N, S, F, 4>(simd, target, weights, places, shift, offsets, values),
        5 => held::<N, S, F, 5>(simd, target, weights, places, shift, offsets, values),
        6 => held::<N, S, F, 6>(simd, target, weights, places, shift, offsets, values),
        7 => held::<N, S, F, 7>(simd, target, weights, places, shift, offsets, values),
        8 => held::<N, S, F, HELD>(simd, target, weights, places, shift, offsets, values),
        _ => {}
    }
    let rest = length % lanes;
    if rest == 0 {
        return;
    }
    shift = shift.on(vectors * lanes);
    for place in places {
        let at = place.target.wrapping_add(shift.target);
        let tail = &mut target[at..at + rest];
        for (j, &offset) in offsets.iter().enumerate() {
            let from = offset as usize + place.weights + shift.weights;
            few::<N, F>(tail, &weights[from..from + rest], if F::ONE { 1.0 } else { values[j] });
        }
    }
}

/// Lines in pieces no longer than the grain.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "as above")]
fn narrow<N: Num, F: Factor>(
    target: &mut [N],
    weights: &[N],
    places: &[Place],
    shift: Place,
    length: usize,
    grain: usize,
    offsets: &[u32],
    values: &[f32],
) {
    for place in places {
        let at = place.target.wrapping_add(shift.target);
        let target = &mut target[at..at + length];
        for (j, &offset) in offsets.iter().enumerate() {
            let from = offset as usize + place.weights + shift.weights;
            let weights = &weights[from..from + length];
            let value = if F::ONE { 1.0 } else { values[j] };
            if grain.is_multiple_of(16) {
                pieces::<N, F, 16>(target, weights, value);
            } else if grain.is_multiple_of(8) {
                pieces::<N, F, 8>(target, weights, value);
            } else {
                few::<N, F>(target, weights, value);
            }
        }
    }
}

/// Pieces of `L` numbers.
#[inline(always)]
fn pieces<N: Num, F: Factor, const L: usize>(target: &mut [N], weights: &[N], value: f32) {
    let (target, weights) = (target.as_chunks_mut::<L>().0, weights.as_chunks::<L>().0);
    for i in 0..target.len().min(weights.len()) {
        chunk::<N, F, L>(&mut target[i], &weights[i], value);
    }
}

impl Place {
    fn on(self, length: usize) -> Self {
        Self { target: self.target.wrapping_add(length), weights: self.weights + length }
    }
}

/// `V` vectors at each place, held in registers over all offsets.
#[inline(always)]
fn held<N: Num, S: Simd, F: Factor, const V: usize>(
    simd: S,
    target: &mut [N],
    weights: &[N],
    places: &[Place],
    shift: Place,
    offsets: &[u32],
    values: &[f32],
) {
    let width = V * lanes::<N, S>();
    for place in places {
        let at = place.target.wrapping_add(shift.target);
        let Some(target) = N::vectors_mut::<S>(&mut target[at..at + width]).0.first_chunk_mut::<V>() else { return };
        let mut sums = *target;
        let begin = place.weights + shift.weights;
        for (j, &offset) in offsets.iter().enumerate() {
            let from = offset as usize + begin;
            let Some(row) = N::vectors::<S>(&weights[from..from + width]).0.first_chunk::<V>() else { return };
            if F::ONE {
                for k in 0..V {
                    sums[k] = N::vector_plus(simd, sums[k], row[k]);
                }
            } else {
                let factor = N::splat(simd, values[j]);
                for k in 0..V {
                    sums[k] = N::vector_plus(simd, sums[k], N::vector_product(simd, row[k], factor));
                }
            }
        }
        *target = sums;
    }
}

/// Fewer numbers than fill a vector.
#[inline(always)]
fn few<N: Num, F: Factor>(target: &mut [N], weights: &[N], value: f32) {
    let mut at = 0;
    while let (Some(t), Some(w)) = (target[at..].first_chunk_mut::<16>(), weights[at..].first_chunk::<16>()) {
        chunk::<N, F, 16>(t, w, value);
        at += 16;
    }
    if let (Some(t), Some(w)) = (target[at..].first_chunk_mut::<8>(), weights[at..].first_chunk::<8>()) {
        chunk::<N, F, 8>(t, w, value);
        at += 8;
    }
    while at < target.len() {
        target[at] = target[at].plus(if F::ONE { weights[at] } else { weights[at].times(value) });
        at += 1;
    }
}

#[inline(always)]
fn chunk<N: Num, F: Factor, const L: usize>(target: &mut [N; L], weights: &[N; L], value: f32) {
    for i in 0..L {
        target[i] = target[i].plus(if F::ONE { weights[i] } else { weights[i].times(value) });
    }
}

/// Arguments of [`dense_pixels`].
pub struct DenseTile<'a, N: Num> {
    /// Currents of the first pixel onwards.
    pub target: &'a mut [N],
    /// Values between the currents of neighbouring pixels (and of one pixel).
    pub row: usize,
    /// Number of pixels, at most [`DenseTile::PIXELS`].
    pub pixels: usize,
    /// `[tap][row]`.
    pub weights: &'a [N],
    /// Padded input, from the first tap of the first pixel onwards.
    pub input: &'a [f32],
    /// Offset of each tap in `input`.
    pub taps: &'a [u32],
    /// Distance of neighbouring pixels in `input`.
    pub step: usize,
}

impl<N: Num> DenseTile<'_, N> {
    /// Pixels of a full tile.
    pub const PIXELS: usize = 6;
}

/// For each pixel `p`: `target[p * row + i] += sum over j of weights[j * row + i] * input[p * step + taps[j]]`, `j` in
/// order, `i` over `row` values.
#[inline(always)]
pub fn dense_pixels<N: Num, S: Simd>(simd: S, tile: &mut DenseTile<'_, N>) {
    match tile.pixels {
        6 => tiled::<N, S, 6>(simd, tile),
        5 => tiled::<N, S, 5>(simd, tile),
        4 => tiled::<N, S, 4>(simd, tile),
        3 => tiled::<N, S, 3>(simd, tile),
        2 => tiled::<N, S, 2>(simd, tile),
        _ => tiled::<N, S, 1>(simd, tile),
    }
}

#[inline(always)]
fn tiled<N: Num, S: Simd, const P: usize>(simd: S, tile: &mut DenseTile<'_, N>) {
    let lanes = lanes::<N, S>();
    let mut start = 0;
    while start + 2 * lanes <= tile.row {
        columns::<N, S, P, 2>(simd, tile, start);
        start += 2 * lanes;
    }
    if start + lanes <= tile.row {
        columns::<N, S, P, 1>(simd, tile, start);
        start += lanes;
    }
    if start == tile.row {
        return;
    }
    for p in 0..P {
        for (j, &tap) in tile.taps.iter().enumerate() {
            let value = tile.input[p * tile.step + tap as usize];
            if value != 0.0 {
                let weights = &tile.weights[j * tile.row + start..(j + 1) * tile.row];
                few::<N, Counts>(&mut tile.target[p * tile.row + start..(p + 1) * tile.row], weights, value);
            }
        }
    }
}

/// `P` pixels by `V` vectors, held in registers over all taps.
#[inline(always)]
fn columns<N: Num, S: Simd, const P: usize, const V: usize>(simd: S, tile: &mut DenseTile<'_, N>, start: usize) {
    let width = V * lanes::<N, S>();
    let mut sums = [[N::splat(simd, 0.0); V]; P];
    for (p, sums) in sums.iter_mut().enumerate() {
        let at = p * tile.row + start;
        if let Some(old) = N::vectors::<S>(&tile.target[at..at + width]).0.first_chunk::<V>() {
            *sums = *old;
        }
    }
    for (j, &tap) in tile.taps.iter().enumerate() {
        let from = j * tile.row + start;
        let Some(row) = N::vectors::<S>(&tile.weights[from..from + width]).0.first_chunk::<V>() else { return };
        for (p, sums) in sums.iter_mut().enumerate() {
            let x = N::splat(simd, tile.input[p * tile.step + tap as usize]);
            for (sum, &w) in sums.iter_mut().zip(row) {
                *sum = N::vector_plus(simd, *sum, N::vector_product(simd, w, x));
            }
        }
    }
    for (p, sums) in sums.iter().enumerate() {
        let at = p * tile.row + start;
        if let Some(new) = N::vectors_mut::<S>(&mut tile.target[at..at + width]).0.first_chunk_mut::<V>() {
            *new = *sums;
        }
    }
}
