//! Small statistics.

use zoo_core::{Result, Tensor};

/// Mean; 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Spike difference `sum |ref - out| / sum ref` on output counts (specification section 8.3), and how many items had no
/// spike in the reference but some in the output, which are counted apart.
///
/// # Errors
/// [`zoo_core::Error::DType`] for other tensors.
pub fn spike_difference(reference: &[Tensor], output: &[Tensor]) -> Result<(f64, usize)> {
    let (mut apart, mut total, mut unexpected) = (0.0, 0.0, 0);
    for (reference, output) in reference.iter().zip(output) {
        let (reference, output) = (reference.as_slice::<f32>()?, output.as_slice::<f32>()?);
        let sum: f64 = reference.iter().map(|v| f64::from(*v)).sum();
        if sum == 0.0 {
            unexpected += usize::from(output.iter().any(|v| *v != 0.0));
            continue;
        }
        apart += reference.iter().zip(output).map(|(r, o)| f64::from((r - o).abs())).sum::<f64>();
        total += sum;
    }
    Ok((if total > 0.0 { apart / total } else { 0.0 }, unexpected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        assert_eq!(mean(&[1.0, 2.0, 6.0]), 3.0);
        let counts = |values: &[f32]| Tensor::from_vec([values.len()], values.to_vec()).unwrap();
        let reference = [counts(&[4.0, 0.0]), counts(&[0.0, 0.0]), counts(&[0.0, 0.0])];
        let output = [counts(&[3.0, 1.0]), counts(&[0.0, 2.0]), counts(&[0.0, 0.0])];
        // |4 - 3| + |0 - 1| over 4; the second item has no reference; the third agrees.
        assert_eq!(spike_difference(&reference, &output).unwrap(), (0.5, 1));
    }
}
