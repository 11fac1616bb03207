//! The number types of a run and their inner loops.

mod fire;
mod float;
mod int;
mod rows;
mod set;

pub use fire::{Fire, Fired};
pub use rows::{DenseTile, Place, add_lines, add_rows, add_rows_times, dense_pixels};
pub use set::push_set;

use pulp::Simd;

/// The type of currents, membranes and weights: `f32`, `f64`, or `i16`, whose weights keep to 8 bits.
pub trait Num: Copy + PartialOrd + Default + Send + Sync + std::fmt::Debug + 'static {
    /// Type of a decay or gain.
    type Decay: Copy + Send + Sync + PartialEq + 'static;
    /// A vector register of numbers.
    type Vector<S: Simd>: Copy;
    /// Whether arithmetic saturates and so has to be watched.
    const INTEGER: bool;
    /// Bytes of a weight by its value range. Integer weights are 8 bits wide; they are kept as 16 so that one instruction
    /// adds them to a current.
    const WEIGHT_BYTES: usize;
    /// Largest sum that an accumulation of currents may reach before it has to be moved to a wider type.
    const HEADROOM: f64;

    /// Nearest value; integers saturate.
    fn from_f64(value: f64) -> Self;
    /// As `f64`, exactly.
    fn to_f64(self) -> f64;
    /// Nearest weight; integers saturate at 8 bits.
    fn weight(value: f64) -> Self;
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

    /// A slice as whole vectors and the rest.
    fn vectors<S: Simd>(slice: &[Self]) -> (&[Self::Vector<S>], &[Self]);
    /// A slice as whole vectors and the rest, to be changed.
    fn vectors_mut<S: Simd>(slice: &mut [Self]) -> (&mut [Self::Vector<S>], &mut [Self]);
    /// [`Num::plus`] by lane.
    fn vector_plus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// [`Num::product`] by lane.
    fn vector_product<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// `value` as a number in every lane.
    fn splat<S: Simd>(simd: S, value: f32) -> Self::Vector<S>;

    /// One step of at most [`Fire::BLOCK`] membranes under a rule.
    #[inline(always)]
    fn fire<S: Simd>(simd: S, v: &mut [Self], x: &[Self], rule: &Fire<Self>) -> Fired {
        let _ = simd;
        fire::plain(v, x, rule)
    }

    /// One bit for each of at most 64 values that are not 0.
    #[inline(always)]
    fn nonzero<S: Simd>(simd: S, values: &[Self]) -> u64 {
        let _ = simd;
        fire::pack(values, |v| v != Self::default())
    }
}

/// Lanes of a vector.
#[inline(always)]
const fn lanes<N: Num, S: Simd>() -> usize {
    size_of::<N::Vector<S>>() / size_of::<N>()
}
