//! Membranes of the commonest kind of neuron, a block at a time: one spike a step, one threshold, no floor, no refractory
//! time.

use super::Num;

/// The rule of such neurons.
#[derive(Clone, Copy, Debug)]
pub struct Fire<N: Num> {
    /// Decay before the current is added; `None` is 1.
    pub decay: Option<N::Decay>,
    /// Threshold.
    pub threshold: N,
    /// Whether a membrane must exceed the threshold rather than reach it.
    pub strict: bool,
    /// Membrane after a spike; `None` subtracts the threshold.
    pub reset: Option<N>,
}

impl<N: Num> Fire<N> {
    /// Membranes of a block.
    pub const BLOCK: usize = 64;
}

/// What happened to a block: one bit a membrane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fired {
    /// Which fired.
    pub spikes: u64,
    /// Which still cross their threshold afterwards.
    pub again: u64,
    /// How many sums saturated.
    pub saturated: u32,
}

/// The loop without vector types.
#[inline(always)]
pub(super) fn plain<N: Num>(v: &mut [N], x: &[N], rule: &Fire<N>) -> Fired {
    let mut saturated = 0;
    match rule.decay {
        Some(decay) => v.iter_mut().zip(x).for_each(|(v, &x)| *v = v.decayed(decay).accumulate(x, &mut saturated)),
        None => v.iter_mut().zip(x).for_each(|(v, &x)| *v = v.accumulate(x, &mut saturated)),
    }
    let crosses = |v: N| if rule.strict { v > rule.threshold } else { v >= rule.threshold };
    let spikes = pack(v, crosses);
    if spikes == 0 {
        return Fired { spikes, again: 0, saturated };
    }
    for v in v.iter_mut() {
        let after = rule.reset.unwrap_or_else(|| v.minus(rule.threshold));
        *v = if crosses(*v) { after } else { *v };
    }
    Fired { spikes, again: pack(v, crosses), saturated }
}

/// One bit for each of at most 64 values.
#[inline(always)]
pub(super) fn pack<N: Num>(values: &[N], test: impl Fn(N) -> bool) -> u64 {
    let mut flags = [0u8; 64];
    flags.iter_mut().zip(values).for_each(|(f, &v)| *f = u8::from(test(v)));
    let mut bits = 0;
    for (i, eight) in flags.as_chunks::<8>().0.iter().enumerate() {
        // The multiplication moves the lowest bit of byte k to bit 56 + k.
        bits |= (u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i);
    }
    bits
}
