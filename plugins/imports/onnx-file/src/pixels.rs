//! Resampling of planes.

/// Weights of one output sample: the first input sample and one weight for each from there.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

/// A triangle filter of the width of an output sample, at least that of an input sample, normalised at the borders.
fn taps(from: usize, to: usize) -> Vec<Taps> {
    #[allow(clippy::cast_precision_loss, reason = "sides of pictures")]
    let ratio = from as f64 / to as f64;
    let reach = ratio.max(1.0);
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "inside the picture")]
    let tap = |index: usize| {
        let centre = (index as f64 + 0.5) * ratio;
        let first = (centre - reach + 0.5).floor().max(0.0) as usize;
        let last = ((centre + reach + 0.5).floor() as usize).min(from);
        let raw: Vec<f64> = (first..last).map(|i| (1.0 - ((i as f64 + 0.5 - centre) / reach).abs()).max(0.0)).collect();
        let sum: f64 = raw.iter().sum();
        Taps { first, weights: raw.iter().map(|w| (w / sum) as f32).collect() }
    };
    (0..to).map(tap).collect()
}

/// Resizes one plane of `height * width` values.
pub(crate) fn resize(plane: &[f32], [height, width]: [usize; 2], [new_height, new_width]: [usize; 2]) -> Vec<f32> {
    let dot = |taps: &Taps, at: &dyn Fn(usize) -> f32| taps.weights.iter().enumerate().map(|(k, w)| w * at(taps.first + k)).sum::<f32>();
    let across = taps(width, new_width);
    let rows: Vec<f32> = (0..height).flat_map(|y| across.iter().map(move |t| dot(t, &|x| plane[y * width + x]))).collect();
    taps(height, new_height).iter().flat_map(|t| (0..new_width).map(|x| dot(t, &|y| rows[y * new_width + x])).collect::<Vec<_>>()).collect()
}

#[cfg(test)]
mod tests {
    use super::resize;

    /// Pillow 13: `Image.fromarray(np.arange(16.).reshape(4, 4).astype("f")).resize((2, 2), BILINEAR)`, and the same array
    /// to 3 wide and 5 high.
    #[test]
    fn as_pillow_resizes() {
        let plane: Vec<f32> = (0..16u8).map(f32::from).collect();
        let close = |found: Vec<f32>, wanted: &[f32]| {
            assert_eq!(found.len(), wanted.len());
            assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?}");
        };
        close(resize(&plane, [4, 4], [2, 2]), &[3.571_429, 5.142_857, 9.857_143, 11.428_571]);
        let wider = [0.3, 1.5, 2.7, 3.1, 4.3, 5.5, 6.3, 7.5, 8.7, 9.5, 10.7, 11.9, 12.3, 13.5, 14.7];
        close(resize(&plane, [4, 4], [5, 3]), &wider);
        close(resize(&plane, [4, 4], [4, 4]), &plane);
    }
}
