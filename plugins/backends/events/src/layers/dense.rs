//! The dense kernel for layers whose input is so active that looking at every value is cheaper than following events.
//!
//! It sums in the event path's order (ascending input position, starting from the bias), so that its results are equal.

use super::state::Events;
use crate::num::{DenseTile, Num, dense_pixels};
use crate::plan::{Conv, Extent};
use pulp::Simd;

/// Work memory of one convolution.
pub struct Dense {
    padded: Vec<f32>,
    width: usize,
    taps: Vec<u32>,
}

impl Dense {
    fn new<N: Num>(conv: &Conv<N>, from: Extent) -> Self {
        let [ky, kx] = conv.kernel;
        let width = from.w + 2 * conv.padding[1];
        let padded = vec![0.0; (from.h + 2 * conv.padding[0]) * width * from.c];
        let mut taps = Vec::with_capacity(ky * kx * from.c);
        for y in 0..ky {
            for x in 0..kx {
                taps.extend((0..from.c).map(|c| ((y * conv.dilation[0] * width + x * conv.dilation[1]) * from.c + c) as u32));
            }
        }
        Self { padded, width, taps }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        (self.padded.len() + self.taps.len()) * 4
    }
}

/// Adds a convolution of `events` to `current`.
#[inline(always)]
pub(super) fn run<N: Num, S: Simd>(
    simd: S,
    conv: &Conv<N>,
    from: Extent,
    to: Extent,
    events: &Events,
    current: &mut [N],
    work: &mut Option<Dense>,
) {
    let work = work.get_or_insert_with(|| Dense::new(conv, from));
    work.padded.fill(0.0);
    for (&index, &value) in events.index.iter().zip(&events.value) {
        let (pixel, c) = (index as usize / from.c, index as usize % from.c);
        let (y, x) = (pixel / from.w + conv.padding[0], pixel % from.w + conv.padding[1]);
        work.padded[(y * work.width + x) * from.c + c] = value;
    }
    let step = conv.stride[1] * from.c;
    for oy in 0..to.h {
        let line = oy * conv.stride[0] * work.width * from.c;
        for ox in (0..to.w).step_by(DenseTile::<N>::PIXELS) {
            let pixels = DenseTile::<N>::PIXELS.min(to.w - ox);
            let at = (oy * to.w + ox) * to.c;
            dense_pixels(
                simd,
                &mut DenseTile {
                    target: &mut current[at..at + pixels * to.c],
                    row: to.c,
                    pixels,
                    weights: &conv.dense,
                    input: &work.padded[line + ox * step..],
                    taps: &work.taps,
                    step,
                },
            );
        }
    }
}
