//! The number types of a run and their inner loops.

mod float;
mod int;

use pulp::Simd;

/// The type of currents and membranes: `f32`, `f64`, or `i16` with `i8` weights.
pub trait Num: Copy + PartialOrd + Default + Send + Sync + std::fmt::Debug + 'static {
    /// Type of a weight.
    type Weight: Copy + Default + Send + Sync + 'static;
    /// Type of a decay or gain.
    type Decay: Copy + Send + Sync + PartialEq + 'static;
    /// Whether arithmetic saturates and so has to be watched.
    const INTEGER: bool;
    /// Largest sum that an accumulation of currents may reach before it has to be moved to a wider type.
    const HEADROOM: f64;

    /// Nearest value; integers saturate.
    fn from_f64(value: f64) -> Self;
    /// As `f64`, exactly.
    fn to_f64(self) -> f64;
    /// Nearest weight; integers saturate.
    fn weight(value: f64) -> Self::Weight;
    /// A weight as `f64`, exactly.
    fn weight_f64(weight: Self::Weight) -> f64;
    /// A weight as a current.
    fn widen(weight: Self::Weight) -> Self;
    /// A factor.
    fn decay(value: f64) -> Self::Decay;
    /// `base ^ exponent` in one go, for the fast leak.
    fn decay_power(base: Self::Decay, exponent: u32) -> Self::Decay;
    /// `factor * self`; integers use 15 fractional bits and round toward minus infinity.
    fn decayed(self, factor: Self::Decay) -> Self;
    /// Sum of currents within their headroom.
    fn plus(self, other: Self) -> Self;
    /// Sum that ends in a membrane; integers saturate and tell.
    fn accumulate(self, other: Self, saturated: &mut u32) -> Self;
    /// Difference, for the soft reset; integers saturate.
    fn minus(self, other: Self) -> Self;
    /// Product with a count or graded value.
    fn times(self, value: f32) -> Self;
    /// Product of two numbers of the run's precision.
    fn product(self, other: Self) -> Self;
    /// `trunc(self / threshold)` for a positive membrane.
    fn whole(self, threshold: Self) -> u32;
    /// `self * n`, for the reset by several thresholds.
    fn repeated(self, n: u32) -> Self;

    /// `target[i] += weights[offsets[j] + i]` for each `j` in order.
    fn add_rows<S: Simd>(simd: S, target: &mut [Self], weights: &[Self::Weight], offsets: &[u32]);

    /// `target[i] += weights[offsets[j] + i] * values[j]` for each `j` in order.
    fn add_rows_times<S: Simd>(simd: S, target: &mut [Self], weights: &[Self::Weight], offsets: &[u32], values: &[f32]);

    /// For each of `pixels` neighbouring outputs `p`: `target[p * stride_out + i] += sum over j of
    /// weights[j * row + i] * input[p * stride_in + taps[j]]`, `j` in order, `i` over `row` values.
    fn dense_pixels<S: Simd>(simd: S, tile: DenseTile<'_, Self>);
}

/// Arguments of [`Num::dense_pixels`].
pub struct DenseTile<'a, N: Num> {
    /// Currents of the first pixel onwards.
    pub target: &'a mut [N],
    /// Values between the currents of neighbouring pixels (and of one pixel).
    pub row: usize,
    /// Number of pixels, at most 4.
    pub pixels: usize,
    /// `[tap][row]`.
    pub weights: &'a [N::Weight],
    /// Padded input, from the first tap of the first pixel onwards.
    pub input: &'a [f32],
    /// Offset of each tap in `input`.
    pub taps: &'a [u32],
    /// Distance of neighbouring pixels in `input`.
    pub step: usize,
}
