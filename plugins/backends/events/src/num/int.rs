//! 8-bit weights with `i16` currents and membranes, as event chips have them.

use super::{Fire, Fired, Num, fire};
use pulp::Simd;
use std::any::Any;

const FRACTION: u32 = 15;

/// `a + b` by lane, wrapping. The portable vectors of pulp have no 16-bit arithmetic, but those of the machine do.
#[inline(always)]
fn add<S: Simd>(simd: S, a: S::i16s, b: S::i16s) -> S::i16s {
    let any: &dyn Any = &simd;
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        if let Some(v4) = any.downcast_ref::<pulp::x86::V4>() {
            return bytemuck::cast(v4.avx512bw._mm512_add_epi16(bytemuck::cast(a), bytemuck::cast(b)));
        }
        if let Some(v3) = any.downcast_ref::<pulp::x86::V3>() {
            return bytemuck::cast(v3.avx2._mm256_add_epi16(bytemuck::cast(a), bytemuck::cast(b)));
        }
    }
    let _ = any;
    lane_by_lane::<S>(a, b, i16::wrapping_add)
}

/// The low half of `a * b` by lane.
#[inline(always)]
fn multiply<S: Simd>(simd: S, a: S::i16s, b: S::i16s) -> S::i16s {
    let any: &dyn Any = &simd;
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        if let Some(v4) = any.downcast_ref::<pulp::x86::V4>() {
            return bytemuck::cast(v4.avx512bw._mm512_mullo_epi16(bytemuck::cast(a), bytemuck::cast(b)));
        }
        if let Some(v3) = any.downcast_ref::<pulp::x86::V3>() {
            return bytemuck::cast(v3.avx2._mm256_mullo_epi16(bytemuck::cast(a), bytemuck::cast(b)));
        }
    }
    let _ = any;
    lane_by_lane::<S>(a, b, i16::wrapping_mul)
}

#[inline(always)]
fn lane_by_lane<S: Simd>(mut a: S::i16s, b: S::i16s, f: impl Fn(i16, i16) -> i16) -> S::i16s {
    let a_lanes: &mut [i16] = bytemuck::cast_slice_mut(std::slice::from_mut(&mut a));
    let b_lanes: &[i16] = bytemuck::cast_slice(std::slice::from_ref(&b));
    a_lanes.iter_mut().zip(b_lanes).for_each(|(a, &b)| *a = f(*a, b));
    a
}

impl Num for i16 {
    type Decay = i32;
    type Vector<S: Simd> = S::i16s;
    const INTEGER: bool = true;
    const WEIGHT_BYTES: usize = 1;
    const HEADROOM: f64 = 32_767.0;

    fn from_f64(value: f64) -> Self {
        // A float-to-integer cast saturates.
        value.round() as Self
    }

    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    fn weight(value: f64) -> Self {
        value.round().clamp(-127.0, 127.0) as Self
    }

    fn decay(value: f64) -> i32 {
        (value * f64::from(1 << FRACTION)).round() as i32
    }

    #[inline(always)]
    fn decay_power(base: i32, exponent: u32) -> i32 {
        let one = f64::from(1 << FRACTION);
        ((f64::from(base) / one).powi(i32::try_from(exponent).unwrap_or(i32::MAX)) * one).round() as i32
    }

    #[inline(always)]
    fn decayed(self, factor: i32) -> Self {
        ((i64::from(self) * i64::from(factor)) >> FRACTION).clamp(i64::from(Self::MIN), i64::from(Self::MAX)) as Self
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    #[inline(always)]
    fn accumulate(self, other: Self, saturated: &mut u32) -> Self {
        let sum = self.saturating_add(other);
        *saturated += u32::from(sum != self.wrapping_add(other));
        sum
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self.saturating_sub(other)
    }

    #[inline(always)]
    fn times(self, value: f32) -> Self {
        self.wrapping_mul(value as Self)
    }

    #[inline(always)]
    fn product(self, other: Self) -> Self {
        self.wrapping_mul(other)
    }

    #[inline(always)]
    fn whole(self, threshold: Self) -> u32 {
        u32::try_from(self / threshold).unwrap_or(0)
    }

    #[inline(always)]
    fn repeated(self, n: u32) -> Self {
        self.saturating_mul(Self::try_from(n).unwrap_or(Self::MAX))
    }

    #[inline(always)]
    fn vectors<S: Simd>(slice: &[Self]) -> (&[S::i16s], &[Self]) {
        let (head, tail) = slice.split_at(slice.len() / S::I16_LANES * S::I16_LANES);
        (bytemuck::cast_slice(head), tail)
    }

    #[inline(always)]
    fn vectors_mut<S: Simd>(slice: &mut [Self]) -> (&mut [S::i16s], &mut [Self]) {
        let (head, tail) = slice.split_at_mut(slice.len() / S::I16_LANES * S::I16_LANES);
        (bytemuck::cast_slice_mut(head), tail)
    }

    #[inline(always)]
    fn vector_plus<S: Simd>(simd: S, a: S::i16s, b: S::i16s) -> S::i16s {
        add(simd, a, b)
    }

    #[inline(always)]
    fn vector_product<S: Simd>(simd: S, a: S::i16s, b: S::i16s) -> S::i16s {
        multiply(simd, a, b)
    }

    #[inline(always)]
    fn fire<S: Simd>(simd: S, v: &mut [Self], x: &[Self], rule: &Fire<Self>) -> Fired {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        if rule.decay.is_none()
            && let Some(v4) = (&simd as &dyn Any).downcast_ref::<pulp::x86::V4>()
            && let (Some(v), Some(x)) = (v.as_chunks_mut::<32>().0.first_chunk_mut::<2>(), x.as_chunks::<32>().0.first_chunk::<2>())
        {
            return wide::fire(*v4, v, x, rule);
        }
        let _ = simd;
        fire::plain(v, x, rule)
    }

    #[inline(always)]
    fn nonzero<S: Simd>(simd: S, values: &[Self]) -> u64 {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        if let Some(v4) = (&simd as &dyn Any).downcast_ref::<pulp::x86::V4>()
            && let Some(values) = values.as_chunks::<32>().0.first_chunk::<2>()
        {
            return wide::nonzero(*v4, values);
        }
        let _ = simd;
        fire::pack(values, |v| v != 0)
    }

    #[inline(always)]
    fn splat<S: Simd>(_simd: S, value: f32) -> S::i16s {
        let mut lanes: S::i16s = bytemuck::Zeroable::zeroed();
        bytemuck::cast_slice_mut::<_, i16>(std::slice::from_mut(&mut lanes)).fill(value as Self);
        lanes
    }
}

/// Blocks of 64 membranes by AVX-512, which compares into bit masks.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
mod wide {
    use super::{Fire, Fired};
    use pulp::x86::V4;

    #[inline(always)]
    pub(super) fn fire(v4: V4, v: &mut [[i16; 32]; 2], x: &[[i16; 32]; 2], rule: &Fire<i16>) -> Fired {
        let words = v4.avx512bw;
        let threshold = v4.avx512f._mm512_set1_epi16(rule.threshold);
        let reset = v4.avx512f._mm512_set1_epi16(rule.reset.unwrap_or(0));
        let mut fired = Fired::default();
        for i in 0..2 {
            let (old, x) = (bytemuck::cast(v[i]), bytemuck::cast(x[i]));
            let sum = words._mm512_adds_epi16(old, x);
            let saturated = words._mm512_cmpneq_epi16_mask(sum, words._mm512_add_epi16(old, x));
            let crosses =
                |v| if rule.strict { words._mm512_cmpgt_epi16_mask(v, threshold) } else { words._mm512_cmpge_epi16_mask(v, threshold) };
            let spikes = crosses(sum);
            let after = if rule.reset.is_some() { reset } else { words._mm512_subs_epi16(sum, threshold) };
            let next = words._mm512_mask_blend_epi16(spikes, sum, after);
            v[i] = bytemuck::cast(next);
            fired.spikes |= u64::from(spikes) << (32 * i);
            fired.again |= u64::from(crosses(next)) << (32 * i);
            fired.saturated += saturated.count_ones();
        }
        fired
    }

    #[inline(always)]
    pub(super) fn nonzero(v4: V4, values: &[[i16; 32]; 2]) -> u64 {
        let bits = |i: usize| {
            let v = bytemuck::cast(values[i]);
            u64::from(v4.avx512bw._mm512_test_epi16_mask(v, v))
        };
        bits(0) | bits(1) << 32
    }
}
