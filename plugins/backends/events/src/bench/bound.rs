//! How fast the same additions would be if nothing but row additions had to be done.

use super::input::Random;
use crate::modes::Tick;
use crate::num::{Num, add_rows};
use crate::plan::{DepositKind, Numbers};
use pulp::{Arch, Simd, WithSimd};
use std::time::Instant;

const CALLS: usize = 20_000;

struct Rows<'a, N: Num> {
    target: &'a mut [N],
    weights: &'a [N],
    length: usize,
    places: &'a [(u32, u32)],
}

impl<N: Num> WithSimd for Rows<'_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for &(to, from) in self.places {
            let to = to as usize;
            add_rows(simd, &mut self.target[to..to + self.length], self.weights, &[from]);
        }
    }
}

/// Milliseconds the additions of one sample (`additions` by unit) would take as single row additions at random places
/// of arrays of the layers' own sizes: for each layer its additions over the rate measured for its row length.
pub(super) fn milliseconds(tick: &Tick<f32>, additions: &[f64]) -> f64 {
    let plan = tick.plan();
    let mut random = Random(11);
    let mut total = 0.0;
    for (unit, additions) in plan.units.iter().zip(additions) {
        for deposit in &unit.deposits {
            let (weights, length, stride) = match &deposit.kind {
                DepositKind::Conv(conv) => {
                    let longest = conv.segments.iter().flatten().map(|s| s.columns).max().unwrap_or(1);
                    (&conv.weights, longest * conv.channels, conv.channels)
                }
                DepositKind::Linear { weights, outputs, .. } => (weights, *outputs, *outputs),
                DepositKind::Pool { .. } | DepositKind::Map { .. } => continue,
            };
            let mut target = Numbers::<f32>::from_iter(0, std::iter::repeat_n(0.0, unit.extent.len()));
            let place = |r: &mut Random, len: usize| (r.below((len - length) / stride + 1) * stride) as u32;
            let places: Vec<_> = (0..CALLS).map(|_| (place(&mut random, target.len()), place(&mut random, weights.len()))).collect();
            let mut measure = || {
                let start = Instant::now();
                Arch::new().dispatch(Rows { target: &mut target, weights, length, places: &places });
                start.elapsed().as_secs_f64()
            };
            // The first pass warms the caches.
            measure();
            let seconds = measure();
            std::hint::black_box(&target);
            total += additions / ((CALLS * length) as f64 / seconds) * 1e3;
        }
    }
    total
}
