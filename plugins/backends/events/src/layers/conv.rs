//! Events through a convolution without groups.

use super::state::Events;
use crate::num::{Num, Place, add_lines};
use crate::plan::{Conv, Extent};
use pulp::{NullaryFnOnce, Simd};
use std::ops::Range;

/// A block of output rows.
pub(super) struct Part<'a, N: Num> {
    pub(super) current: &'a mut [N],
    pub(super) touched: &'a mut [bool],
    pub(super) rows: Range<usize>,
}

/// What is counted on the way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Counting {
    /// Nothing.
    Nothing,
    /// Each event's operations once.
    Events,
    /// As often as its value says.
    Values,
}

/// Adds events to the currents of a part, one contiguous addition a kernel row; gives the operations counted. A function
/// of its own, so that its loops have the registers to themselves.
pub(super) struct ConvEvents<'a, N: Num, S: Simd> {
    pub(super) simd: S,
    pub(super) conv: &'a Conv<N>,
    pub(super) from: Extent,
    pub(super) events: &'a Events,
    pub(super) part: Part<'a, N>,
    pub(super) counting: Counting,
}

impl<N: Num, S: Simd> NullaryFnOnce for ConvEvents<'_, N, S> {
    type Output = u64;

    #[inline(always)]
    fn call(self) -> u64 {
        if self.events.graded { self.run::<true>() } else { self.run::<false>() }
    }
}

impl<N: Num, S: Simd> ConvEvents<'_, N, S> {
    #[inline(always)]
    fn run<const GRADED: bool>(self) -> u64 {
        let Self { simd, conv, from, events, part, counting } = self;
        let Part { current, touched, rows } = part;
        let per_channel = (conv.kernel[0] * conv.kernel[1] * conv.group_out) as u32;
        let (index, value) = (events.index.as_slice(), &events.value[..events.index.len()]);
        let (channels, row) = (from.c as u32, from.row() as u32);
        let skipped = rows.start * conv.width * conv.channels;
        let (mut operations, mut y, mut row_start, mut next_row) = (0u64, 0, 0, 0);
        let mut places: &[Place] = &[];
        for (i, &at) in index.iter().enumerate() {
            if at >= next_row {
                while at >= next_row {
                    (row_start, next_row) = (next_row, next_row + row);
                    y += 1;
                }
                places = reached(conv, y - 1, &rows, touched);
            }
            // One event at a time: the loops below then have lengths that the processor can foresee, which is worth more
            // than holding the currents of a pixel in registers over its events.
            let within = at - row_start;
            let x = conv.pixel(within);
            let offset = [(within - x * channels) * per_channel];
            let values = if GRADED { Some(&value[i..=i]) } else { None };
            if let Some(span) = conv.spans.get(x as usize) {
                // Parts begin at a later row; the places count from the first.
                let shift = Place { target: (span.target as usize).wrapping_sub(skipped), weights: span.weights as usize };
                add_lines(simd, current, &conv.weights, places, shift, span.length as usize, conv.channels, &offset, values);
            } else {
                for segment in &conv.segments[x as usize] {
                    let target = (segment.column * conv.channels).wrapping_sub(skipped);
                    let shift = Place { target, weights: segment.weight };
                    let length = segment.columns * conv.channels;
                    add_lines(simd, current, &conv.weights, places, shift, length, conv.channels, &offset, values);
                }
            }
            if counting != Counting::Nothing {
                let times = if GRADED && counting == Counting::Values { value[i].abs() as u64 } else { 1 };
                operations += u64::from(conv.fan_out[(y - 1) * from.w + x as usize]) * times;
            }
        }
        operations
    }
}

/// Of the output rows that input row `y` reaches, those of the part; they are marked as touched.
fn reached<'a, N: Num>(conv: &'a Conv<N>, y: usize, rows: &Range<usize>, touched: &mut [bool]) -> &'a [Place] {
    let hits = &conv.rows[y];
    let first = hits.iter().take_while(|&&(_, oy)| oy < rows.start).count();
    let length = hits[first..].iter().take_while(|&&(_, oy)| oy < rows.end).count();
    let hits = &hits[first..first + length];
    hits.iter().for_each(|&(_, oy)| touched[oy - rows.start] = true);
    &conv.places[y][first..first + length]
}
