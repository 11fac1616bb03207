//! How far a result may lie from the expected one, by element type and by what was computed.
//!
//! A value passes if `|found - expected| <= absolute + relative * |expected|`. Loosening a number here needs the error that
//! was measured in a comment.

use zoo_core::{DType, Tensor};

/// What was computed, as far as rounding goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Moves, comparisons, integer arithmetic and arithmetic that rounds nowhere.
    Exact,
    /// A few roundings an element.
    Elementwise,
    /// Sums whose order a runtime may choose: convolutions, matrix products, means.
    Sum,
}

/// Allowed absolute and relative deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Absolute part, in the units of the tensor.
    pub absolute: f64,
    /// Part relative to the expected value.
    pub relative: f64,
}

/// The tolerance for an element type and an operation. Integers and booleans are always exact.
pub fn tolerance(dtype: DType, op: Op) -> Tolerance {
    let (absolute, relative) = match (dtype, op) {
        (DType::F64, Op::Elementwise) => (1e-14, 1e-14),
        (DType::F64, Op::Sum) => (1e-12, 1e-12),
        (DType::F32, Op::Elementwise) => (1e-6, 1e-6),
        (DType::F32, Op::Sum) => (1e-5, 1e-5),
        (DType::F16, Op::Elementwise) => (1e-3, 1e-3),
        (DType::F16, Op::Sum) => (1e-2, 1e-2),
        (DType::BF16, Op::Elementwise) => (1e-2, 1e-2),
        (DType::BF16, Op::Sum) => (5e-2, 5e-2),
        _ => (0.0, 0.0),
    };
    Tolerance { absolute, relative }
}

/// Why two tensors of one shape and type differ by more than `op` allows; `None` if they do not.
pub fn difference(found: &Tensor, expected: &Tensor, op: Op) -> Option<String> {
    if found.dtype() != expected.dtype() || found.shape() != expected.shape() {
        return Some(format!("expected {expected:?}, found {found:?}"));
    }
    let limit = tolerance(expected.dtype(), op);
    if found.as_bytes() == expected.as_bytes() {
        return None;
    }
    if limit.absolute == 0.0 && limit.relative == 0.0 {
        return Some(format!("expected {:?}, found {:?}, which must agree in every bit", show(expected), show(found)));
    }
    let (have, want) = (values(found), values(expected));
    let worst = have.iter().zip(&want).position(|(h, w)| {
        let near = (h - w).abs() <= limit.absolute + limit.relative * w.abs();
        !(near || h == w || (h.is_nan() && w.is_nan()))
    })?;
    Some(format!("element {worst}: expected {}, found {} ({limit:?})", want[worst], have[worst]))
}

fn values(tensor: &Tensor) -> Vec<f64> {
    match tensor.as_slice::<f64>() {
        Ok(doubles) => doubles.to_vec(),
        Err(_) => tensor.to_f32().into_iter().map(f64::from).collect(),
    }
}

fn show(tensor: &Tensor) -> Vec<f32> {
    tensor.to_f32().into_iter().take(8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(values: &[f32]) -> Tensor {
        Tensor::from_vec([values.len()], values.to_vec()).unwrap()
    }

    #[test]
    fn a_difference_is_found_and_named() {
        let (a, b) = (floats(&[1.0, 2.0, 3.0]), floats(&[1.0, 2.5, 3.0]));
        assert_eq!(difference(&a, &a, Op::Exact), None);
        assert_eq!(difference(&floats(&[1.0, 2.0, 3.000_001]), &a, Op::Sum), None);
        assert!(difference(&b, &a, Op::Sum).unwrap().starts_with("element 1: expected 2, found 2.5"));
        assert!(difference(&b, &a, Op::Exact).unwrap().contains("every bit"));
    }

    #[test]
    fn not_a_number_is_no_match_for_a_number() {
        let (a, nan) = (floats(&[1.0]), floats(&[f32::NAN]));
        assert!(difference(&nan, &a, Op::Sum).is_some());
        assert!(difference(&a, &nan, Op::Sum).is_some());
        assert_eq!(difference(&nan, &nan, Op::Sum), None);
    }

    #[test]
    fn shapes_and_types_must_agree() {
        let a = floats(&[1.0, 2.0]);
        assert!(difference(&a.reshape([2, 1]).unwrap(), &a, Op::Sum).is_some());
        assert!(difference(&Tensor::from_vec([2], vec![1f64, 2.0]).unwrap(), &a, Op::Sum).is_some());
    }

    #[test]
    fn large_integers_are_compared_by_bits() {
        let (a, b) = (Tensor::from_vec([1], vec![(1i64 << 53) + 1]).unwrap(), Tensor::from_vec([1], vec![1i64 << 53]).unwrap());
        assert!(difference(&a, &b, Op::Sum).is_some());
    }
}
