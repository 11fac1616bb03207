//! `f32` and `f64`.

use super::{Fire, Fired, Num, fire, lanes};
use pulp::Simd;

/// The lanes of a comparison as bits.
#[inline(always)]
fn bits<M: bytemuck::NoUninit>(mask: M, lanes: usize) -> u64 {
    let bytes = bytemuck::bytes_of(&mask);
    match *bytes {
        // One bit a lane (AVX-512), or a single lane.
        [a] => u64::from(a),
        [a, b] => u64::from(u16::from_le_bytes([a, b])),
        // One word of ones or zeros a lane.
        _ => bytes.chunks_exact(bytes.len() / lanes).enumerate().fold(0, |bits, (i, lane)| bits | u64::from(lane[0] & 1) << i),
    }
}

/// A full block under a rule, for both kinds of reset.
trait Fires: Num {
    fn fire_block<S: Simd, const SUBTRACT: bool>(simd: S, v: &mut [Self], x: &[Self], rule: &Fire<Self>) -> Fired;
}

macro_rules! float {
    (
        $float:ident, $vector:ident, $split:ident, $split_mut:ident, $add:ident, $sub:ident, $mul:ident, $splat:ident,
        $reaches:ident, $equal:ident, $select:ident $(,)?
    ) => {
        impl Fires for $float {
            #[inline(always)]
            fn fire_block<S: Simd, const SUBTRACT: bool>(simd: S, v: &mut [Self], x: &[Self], rule: &Fire<Self>) -> Fired {
                let lanes = lanes::<Self, S>();
                // More than the threshold is at least the next number; a decay of 1 changes nothing.
                let reached = simd.$splat(if rule.strict { rule.threshold.next_up() } else { rule.threshold });
                let threshold = simd.$splat(rule.threshold);
                let decay = simd.$splat(rule.decay.unwrap_or(1.0));
                let reset = simd.$splat(rule.reset.unwrap_or(0.0));
                let mut fired = Fired::default();
                let (v, x) = (S::$split_mut(v).0, S::$split(x).0);
                for i in 0..Fire::<Self>::BLOCK / lanes {
                    let sum = simd.$add(simd.$mul(v[i], decay), x[i]);
                    let mask = simd.$reaches(sum, reached);
                    let after = if SUBTRACT { simd.$sub(sum, threshold) } else { reset };
                    let next = simd.$select(mask, after, sum);
                    v[i] = next;
                    fired.spikes |= bits(mask, lanes) << (i * lanes);
                    fired.again |= bits(simd.$reaches(next, reached), lanes) << (i * lanes);
                }
                fired
            }
        }

        impl Num for $float {
            type Decay = $float;
            type Vector<S: Simd> = S::$vector;
            const INTEGER: bool = false;
            const WEIGHT_BYTES: usize = size_of::<$float>();
            const HEADROOM: f64 = f64::INFINITY;

            fn from_f64(value: f64) -> Self {
                value as $float
            }

            fn to_f64(self) -> f64 {
                f64::from(self)
            }

            fn weight(value: f64) -> Self {
                value as $float
            }

            fn decay(value: f64) -> $float {
                value as $float
            }

            #[inline(always)]
            fn decay_power(base: $float, exponent: u32) -> $float {
                base.powi(i32::try_from(exponent).unwrap_or(i32::MAX))
            }

            #[inline(always)]
            fn decayed(self, factor: $float) -> Self {
                self * factor
            }

            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self + other
            }

            #[inline(always)]
            fn accumulate(self, other: Self, _saturated: &mut u32) -> Self {
                self + other
            }

            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                self - other
            }

            #[inline(always)]
            fn times(self, value: f32) -> Self {
                self * $float::from(value)
            }

            #[inline(always)]
            fn product(self, other: Self) -> Self {
                self * other
            }

            #[inline(always)]
            fn whole(self, threshold: Self) -> u32 {
                (self / threshold).trunc() as u32
            }

            #[inline(always)]
            fn repeated(self, n: u32) -> Self {
                self * n as $float
            }

            #[inline(always)]
            fn vectors<S: Simd>(slice: &[Self]) -> (&[S::$vector], &[Self]) {
                S::$split(slice)
            }

            #[inline(always)]
            fn vectors_mut<S: Simd>(slice: &mut [Self]) -> (&mut [S::$vector], &mut [Self]) {
                S::$split_mut(slice)
            }

            #[inline(always)]
            fn vector_plus<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$add(a, b)
            }

            #[inline(always)]
            fn vector_product<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$mul(a, b)
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, value: f32) -> S::$vector {
                simd.$splat($float::from(value))
            }

            #[inline(always)]
            fn fire<S: Simd>(simd: S, v: &mut [Self], x: &[Self], rule: &Fire<Self>) -> Fired {
                if v.len() != Fire::<Self>::BLOCK || x.len() != Fire::<Self>::BLOCK {
                    return fire::plain(v, x, rule);
                }
                match rule.reset {
                    None => Self::fire_block::<S, true>(simd, v, x, rule),
                    Some(_) => Self::fire_block::<S, false>(simd, v, x, rule),
                }
            }

            #[inline(always)]
            fn nonzero<S: Simd>(simd: S, values: &[Self]) -> u64 {
                if values.len() != Fire::<Self>::BLOCK {
                    return fire::pack(values, |v| v != 0.0);
                }
                let lanes = lanes::<Self, S>();
                let zero = simd.$splat(0.0);
                let whole = S::$split(values).0.iter().enumerate();
                !whole.fold(0, |zeros, (i, &v)| zeros | bits(simd.$equal(v, zero), lanes) << (i * lanes))
            }
        }
    };
}

float!(
    f32,
    f32s,
    as_simd_f32s,
    as_mut_simd_f32s,
    add_f32s,
    sub_f32s,
    mul_f32s,
    splat_f32s,
    greater_than_or_equal_f32s,
    equal_f32s,
    select_f32s
);
float!(
    f64,
    f64s,
    as_simd_f64s,
    as_mut_simd_f64s,
    add_f64s,
    sub_f64s,
    mul_f64s,
    splat_f64s,
    greater_than_or_equal_f64s,
    equal_f64s,
    select_f64s
);
