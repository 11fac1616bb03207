//! `i8` weights with `i16` currents and membranes, as event chips have them.
//!
//! The loops are plain: compiled inside the dispatched function they become vector code of the machine's width.

use super::{DenseTile, Num};
use pulp::Simd;

const FRACTION: u32 = 15;
const BLOCK: usize = 32;

impl Num for i16 {
    type Weight = i8;
    type Decay = i32;
    const INTEGER: bool = true;
    const HEADROOM: f64 = 32_767.0;

    fn from_f64(value: f64) -> Self {
        // A float-to-integer cast saturates.
        value.round() as Self
    }

    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    fn weight(value: f64) -> i8 {
        value.round().clamp(-127.0, 127.0) as i8
    }

    fn weight_f64(weight: i8) -> f64 {
        f64::from(weight)
    }

    #[inline(always)]
    fn widen(weight: i8) -> Self {
        Self::from(weight)
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
    fn add_rows<S: Simd>(_simd: S, target: &mut [Self], weights: &[i8], offsets: &[u32]) {
        let mut start = 0;
        let (blocks, tail) = target.as_chunks_mut::<BLOCK>();
        for block in blocks {
            let mut sum = *block;
            for &offset in offsets {
                let from = offset as usize + start;
                for (s, &w) in sum.iter_mut().zip(&weights[from..from + BLOCK]) {
                    *s = s.wrapping_add(Self::from(w));
                }
            }
            *block = sum;
            start += BLOCK;
        }
        if !tail.is_empty() {
            for &offset in offsets {
                let from = offset as usize + start;
                for (s, &w) in tail.iter_mut().zip(&weights[from..]) {
                    *s = s.wrapping_add(Self::from(w));
                }
            }
        }
    }

    #[inline(always)]
    fn add_rows_times<S: Simd>(_simd: S, target: &mut [Self], weights: &[i8], offsets: &[u32], values: &[f32]) {
        for (&offset, &value) in offsets.iter().zip(values) {
            let value = value as Self;
            for (s, &w) in target.iter_mut().zip(&weights[offset as usize..]) {
                *s = s.wrapping_add(Self::from(w).wrapping_mul(value));
            }
        }
    }

    #[inline(always)]
    fn dense_pixels<S: Simd>(_simd: S, tile: DenseTile<'_, Self>) {
        let DenseTile { target, row, pixels, weights, input, taps, step } = tile;
        for p in 0..pixels {
            let target = &mut target[p * row..(p + 1) * row];
            for (j, &tap) in taps.iter().enumerate() {
                let value = input[p * step + tap as usize] as Self;
                if value != 0 {
                    for (s, &w) in target.iter_mut().zip(&weights[j * row..(j + 1) * row]) {
                        *s = s.wrapping_add(Self::from(w).wrapping_mul(value));
                    }
                }
            }
        }
    }
}
