//! `f32` and `f64`.

use super::{DenseTile, Num};
use pulp::Simd;

macro_rules! float {
    ($float:ident, $vector:ident, $split:ident, $split_mut:ident, $add:ident, $mul:ident, $splat:ident, $partial_load:ident, $partial_store:ident) => {
        impl Num for $float {
            type Weight = $float;
            type Decay = $float;
            const INTEGER: bool = false;
            const HEADROOM: f64 = f64::INFINITY;

            fn from_f64(value: f64) -> Self {
                value as $float
            }

            fn to_f64(self) -> f64 {
                f64::from(self)
            }

            fn weight(value: f64) -> $float {
                value as $float
            }

            fn weight_f64(weight: $float) -> f64 {
                f64::from(weight)
            }

            #[inline(always)]
            fn widen(weight: $float) -> Self {
                weight
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
            fn add_rows<S: Simd>(simd: S, target: &mut [Self], weights: &[$float], offsets: &[u32]) {
                let (head, tail) = S::$split_mut(target);
                let lanes = size_of::<S::$vector>() / size_of::<$float>();
                let mut start = 0;
                let mut blocks = head.chunks_exact_mut(4);
                for block in &mut blocks {
                    let [mut a, mut b, mut c, mut d] = [block[0], block[1], block[2], block[3]];
                    for &offset in offsets {
                        let from = offset as usize + start;
                        let (w, _) = S::$split(&weights[from..from + 4 * lanes]);
                        if let [w0, w1, w2, w3] = *w {
                            a = simd.$add(a, w0);
                            b = simd.$add(b, w1);
                            c = simd.$add(c, w2);
                            d = simd.$add(d, w3);
                        }
                    }
                    block.copy_from_slice(&[a, b, c, d]);
                    start += 4 * lanes;
                }
                for one in blocks.into_remainder() {
                    let mut a = *one;
                    for &offset in offsets {
                        let from = offset as usize + start;
                        let (w, _) = S::$split(&weights[from..from + lanes]);
                        a = simd.$add(a, w[0]);
                    }
                    *one = a;
                    start += lanes;
                }
                if !tail.is_empty() {
                    let mut a = simd.$partial_load(tail);
                    for &offset in offsets {
                        let from = offset as usize + start;
                        a = simd.$add(a, simd.$partial_load(&weights[from..from + tail.len()]));
                    }
                    simd.$partial_store(tail, a);
                }
            }

            #[inline(always)]
            fn add_rows_times<S: Simd>(simd: S, target: &mut [Self], weights: &[$float], offsets: &[u32], values: &[f32]) {
                let (head, tail) = S::$split_mut(target);
                let lanes = size_of::<S::$vector>() / size_of::<$float>();
                let mut start = 0;
                for one in head {
                    let mut a = *one;
                    for (&offset, &value) in offsets.iter().zip(values) {
                        let from = offset as usize + start;
                        let (w, _) = S::$split(&weights[from..from + lanes]);
                        a = simd.$add(a, simd.$mul(w[0], simd.$splat($float::from(value))));
                    }
                    *one = a;
                    start += lanes;
                }
                if !tail.is_empty() {
                    let mut a = simd.$partial_load(tail);
                    for (&offset, &value) in offsets.iter().zip(values) {
                        let from = offset as usize + start;
                        let w = simd.$partial_load(&weights[from..from + tail.len()]);
                        a = simd.$add(a, simd.$mul(w, simd.$splat($float::from(value))));
                    }
                    simd.$partial_store(tail, a);
                }
            }

            #[inline(always)]
            fn dense_pixels<S: Simd>(simd: S, tile: DenseTile<'_, Self>) {
                let DenseTile { target, row, pixels, weights, input, taps, step } = tile;
                let lanes = size_of::<S::$vector>() / size_of::<$float>();
                let zero = simd.$splat(0.0);
                let mut start = 0;
                while start < row {
                    let width = lanes.min(row - start);
                    let mut sums = [zero; 4];
                    for (p, sum) in sums.iter_mut().enumerate().take(pixels) {
                        *sum = simd.$partial_load(&target[p * row + start..p * row + start + width]);
                    }
                    for (j, &tap) in taps.iter().enumerate() {
                        let from = j * row + start;
                        let w = simd.$partial_load(&weights[from..from + width]);
                        for (p, sum) in sums.iter_mut().enumerate().take(pixels) {
                            let x = simd.$splat($float::from(input[p * step + tap as usize]));
                            *sum = simd.$add(*sum, simd.$mul(w, x));
                        }
                    }
                    for (p, sum) in sums.iter().enumerate().take(pixels) {
                        simd.$partial_store(&mut target[p * row + start..p * row + start + width], *sum);
                    }
                    start += width;
                }
            }
        }
    };
}

float!(f32, f32s, as_simd_f32s, as_mut_simd_f32s, add_f32s, mul_f32s, splat_f32s, partial_load_f32s, partial_store_f32s);
float!(f64, f64s, as_simd_f64s, as_mut_simd_f64s, add_f64s, mul_f64s, splat_f64s, partial_load_f64s, partial_store_f64s);
