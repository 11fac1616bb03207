//! Element-wise passes and sums over slices, compiled for the widest vectors the machine offers.
//!
//! Sums run in a fixed number of lanes that does not depend on the machine's vector width.

use multiversion::multiversion;

const LANES: usize = 64;

/// Folds the lanes pairwise.
#[inline(always)]
fn fold(mut lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Sum of the elements.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
pub(super) fn sum(x: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let chunks = x.chunks_exact(LANES);
    let tail: f32 = chunks.remainder().iter().sum();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] += chunk[i];
        }
    }
    fold(lanes) + tail
}

/// Sum of the squared distances from `mean`.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
pub(super) fn sum_squares(x: &[f32], mean: f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let chunks = x.chunks_exact(LANES);
    let tail: f32 = chunks.remainder().iter().map(|v| (v - mean) * (v - mean)).sum();
    for chunk in chunks {
        for i in 0..LANES {
            let d = chunk[i] - mean;
            lanes[i] += d * d;
        }
    }
    fold(lanes) + tail
}

/// Sum of `(x - mean) * g`.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
pub(super) fn sum_products(x: &[f32], g: &[f32], mean: f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (xs, gs) = (x.chunks_exact(LANES), g.chunks_exact(LANES));
    let tail: f32 = xs.remainder().iter().zip(gs.remainder()).map(|(v, g)| (v - mean) * g).sum();
    for (x, g) in xs.zip(gs) {
        for i in 0..LANES {
            lanes[i] += (x[i] - mean) * g[i];
        }
    }
    fold(lanes) + tail
}

/// `y = a x + b`.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
pub(super) fn affine(y: &mut [f32], x: &[f32], a: f32, b: f32) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y = a * x + b);
}

/// `y = a g + b x + c`.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
pub(super) fn affine2(y: &mut [f32], g: &[f32], x: &[f32], a: f32, b: f32, c: f32) {
    y.iter_mut().zip(g).zip(x).for_each(|((y, g), x)| *y = a * g + (b * x + c));
}

/// `e^x` for `x <= 0`, within 2 units in the last place of f32; 0 below -87.
#[inline(always)]
pub(super) fn exp_negative(x: f32) -> f32 {
    // 2^k * e^r with |r| <= ln(2) / 2; adding 1.5 * 2^23 rounds to the nearest integer and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let bounded = x.max(-87.0);
    let shifted = bounded * std::f32::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    // ln(2) in two parts, the first exact in few bits.
    let r = (bounded - k * 0.693_359_4) - k * -2.121_944_4e-4;
    // Taylor series to the seventh power: the remainder is below 2e-8 relative for |r| <= 0.347.
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = (p * r) * r + r + 1.0;
    let exponent = (shifted.to_bits() << 23).wrapping_add(127 << 23);
    if x < -87.0 { 0.0 } else { p * f32::from_bits(exponent) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_agrees_with_double_precision() {
        let mut worst = 0.0f64;
        for i in 0..87_000 {
            let x = -0.001 * i as f32;
            let exact = f64::from(x).exp();
            worst = worst.max((f64::from(exp_negative(x)) - exact).abs() / exact);
        }
        assert!(worst < 2.4e-7, "{worst}");
        assert_eq!(exp_negative(-200.0), 0.0);
        assert_eq!(exp_negative(0.0), 1.0);
    }

    #[test]
    fn sums_cover_the_tail() {
        let x: Vec<f32> = (0..131u8).map(f32::from).collect();
        assert_eq!(sum(&x), 8515.0);
        assert_eq!(sum_squares(&x[..4], 1.0), 6.0);
        assert_eq!(sum_products(&x[..70], &[1.0; 70], 2.0), 2415.0 - 140.0);
    }
}
