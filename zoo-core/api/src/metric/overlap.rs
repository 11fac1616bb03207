//! Overlap and surface distance of segmentations.

#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts and places of voxels")]

/// Dice of one class over a whole case: both empty 1, one empty 0.
pub fn dice(predicted: &[u8], truth: &[u8], class: u8) -> f64 {
    let (mut both, mut sum) = (0u64, 0u64);
    for (p, t) in predicted.iter().zip(truth) {
        both += u64::from(*p == class && *t == class);
        sum += u64::from(*p == class) + u64::from(*t == class);
    }
    if sum == 0 { 1.0 } else { 2.0 * both as f64 / sum as f64 }
}

/// 95th percentile (linear interpolation) of the union of both directed sets of surface distances in mm; `None` if either
/// region is empty. A voxel is on the surface if one of its six neighbours (or the outside) is not in the region; a volume of one
/// slice is an image, whose pixels have four.
///
/// # Shapes
/// Both volumes are `[slices, rows, columns]`; `spacing` is in the same order.
pub fn hd95(a: &[bool], b: &[bool], shape: [usize; 3], spacing: [f64; 3]) -> Option<f64> {
    let (from_a, from_b) = (surface(a, shape), surface(b, shape));
    if from_a.is_empty() || from_b.is_empty() {
        return None;
    }
    let to_b = squared_distances(&from_b, shape, spacing);
    let to_a = squared_distances(&from_a, shape, spacing);
    let mut all: Vec<f64> = from_a.iter().map(|&i| to_b[i].sqrt()).chain(from_b.iter().map(|&i| to_a[i].sqrt())).collect();
    all.sort_by(f64::total_cmp);
    let place = 0.95 * (all.len() - 1) as f64;
    let (low, high) = (place.floor() as usize, place.ceil() as usize);
    Some(all[low] + (place - low as f64) * (all[high] - all[low]))
}

/// Squared distance of every voxel from the nearest of `points`: the separable exact transform of Felzenszwalb and
/// Huttenlocher (2012), one lower envelope of parabolas a line.
fn squared_distances(points: &[usize], shape: [usize; 3], spacing: [f64; 3]) -> Vec<f64> {
    let mut field = vec![f64::INFINITY; shape.iter().product()];
    points.iter().for_each(|&i| field[i] = 0.0);
    let strides = [shape[1] * shape[2], shape[2], 1];
    for axis in 0..3 {
        let (length, stride) = (shape[axis], strides[axis]);
        let mut line = vec![0.0; length];
        for start in (0..field.len()).filter(|i| i / stride % length == 0) {
            (0..length).for_each(|i| line[i] = field[start + i * stride]);
            let lowest = envelope(&line, spacing[axis]);
            (0..length).for_each(|i| field[start + i * stride] = lowest[i]);
        }
    }
    field
}

/// `min_j (f_j + (h (i - j))^2)` for every `i`.
fn envelope(f: &[f64], h: f64) -> Vec<f64> {
    // Parabolas of the envelope with the place from which each is the lowest.
    let mut hull: Vec<(usize, f64)> = Vec::new();
    for (j, &height) in f.iter().enumerate().filter(|(_, v)| v.is_finite()) {
        let x = j as f64 * h;
        let mut from = f64::NEG_INFINITY;
        while let Some(&(k, left)) = hull.last() {
            let y = k as f64 * h;
            from = ((height + x * x) - (f[k] + y * y)) / (2.0 * (x - y));
            if from > left {
                break;
            }
            hull.pop();
            from = f64::NEG_INFINITY;
        }
        hull.push((j, from));
    }
    let mut place = 0;
    (0..f.len())
        .map(|i| {
            let x = i as f64 * h;
            while place + 1 < hull.len() && hull[place + 1].1 <= x {
                place += 1;
            }
            hull.get(place).map_or(f64::INFINITY, |&(j, _)| f[j] + (x - j as f64 * h).powi(2))
        })
        .collect()
}

/// Indices of the surface's voxels.
fn surface(region: &[bool], shape: [usize; 3]) -> Vec<usize> {
    let strides = [shape[1] * shape[2], shape[2], 1];
    let inner = |voxel: usize| {
        (0..3).filter(|&axis| shape[axis] > 1).all(|axis| {
            let at = voxel / strides[axis] % shape[axis];
            at > 0 && at + 1 < shape[axis] && region[voxel - strides[axis]] && region[voxel + strides[axis]]
        })
    };
    (0..region.len()).filter(|&voxel| region[voxel] && !inner(voxel)).collect()
}
