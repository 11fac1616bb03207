//! One layer on several threads, for the latency of a single sample: a linear layer by blocks of output channels, a
//! convolution by blocks of output rows. Every output still takes its products in the same order, so results are equal
//! to those of one thread.

use super::conv::{ConvEvents, Counting, Part};
use super::deposit::Work;
use super::state::{Events, UnitState};
use crate::num::{Num, add_rows, add_rows_times};
use crate::plan::{Conv, DepositKind, Extent};
use pulp::{Simd, WithSimd};

/// Additions below which a layer is not worth waking another thread for.
const WORTH: u64 = 1 << 18;
/// Outputs of a linear block are a multiple of this, so that blocks begin on whole vectors.
const BLOCK: usize = 64;

struct LinearBlock<'a, N: Num> {
    target: &'a mut [N],
    weights: &'a [N],
    offsets: &'a [u32],
    events: &'a Events,
}

impl<N: Num> WithSimd for LinearBlock<'_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if self.events.graded {
            add_rows_times(simd, self.target, self.weights, self.offsets, &self.events.value);
        } else {
            add_rows(simd, self.target, self.weights, self.offsets);
        }
    }
}

struct ConvBlock<'a, N: Num> {
    conv: &'a Conv<N>,
    from: Extent,
    events: &'a Events,
    part: Part<'a, N>,
}

impl<N: Num> WithSimd for ConvBlock<'_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { conv, from, events, part } = self;
        simd.vectorize(ConvEvents { simd, conv, from, events, part, counting: Counting::Nothing });
    }
}

/// Runs a deposit of so many operations on `work.lanes` threads if that pays; tells whether it did.
pub(super) fn run<N: Num>(
    kind: &DepositKind<N>,
    to: Extent,
    from: Extent,
    events: &Events,
    operations: u64,
    state: &mut UnitState<N>,
    work: &mut Work,
) -> bool {
    if work.lanes < 2 || operations < WORTH {
        return false;
    }
    let arch = work.arch;
    match kind {
        DepositKind::Linear { weights, outputs, .. } => {
            work.offsets.clear();
            work.offsets.extend(events.index.iter().map(|&i| i * *outputs as u32));
            let block = outputs.div_ceil(work.lanes).next_multiple_of(BLOCK);
            let offsets = &work.offsets;
            rayon::scope(|scope| {
                for (i, target) in state.current.chunks_mut(block).enumerate() {
                    let weights = &weights[i * block..];
                    scope.spawn(move |_| arch.dispatch(LinearBlock { target, weights, offsets, events }));
                }
            });
            state.touched.fill(true);
            true
        }
        DepositKind::Conv(conv) if conv.channels == conv.group_out && to.h >= work.lanes => {
            let rows = to.h.div_ceil(work.lanes);
            rayon::scope(|scope| {
                let parts = state.current.chunks_mut(rows * to.row()).zip(state.touched.chunks_mut(rows)).enumerate();
                for (i, (current, touched)) in parts {
                    let first = i * rows;
                    let part = Part { rows: first..first + touched.len(), current, touched };
                    scope.spawn(move |_| arch.dispatch(ConvBlock { conv, from, events, part }));
                }
            });
            true
        }
        _ => false,
    }
}
