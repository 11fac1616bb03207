//! Section 6: overlap, surface distance, ranking.

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
/// region is empty. A voxel is on the surface if one of its six neighbours (or the outside) is not in the region.
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
fn surface(region: &[bool], [depth, rows, columns]: [usize; 3]) -> Vec<usize> {
    let at = |k: usize, r: usize, c: usize| region[(k * rows + r) * columns + c];
    let mut points = Vec::new();
    for k in 0..depth {
        for r in 0..rows {
            for c in 0..columns {
                let inner = k > 0
                    && r > 0
                    && c > 0
                    && k + 1 < depth
                    && r + 1 < rows
                    && c + 1 < columns
                    && at(k - 1, r, c)
                    && at(k + 1, r, c)
                    && at(k, r - 1, c)
                    && at(k, r + 1, c)
                    && at(k, r, c - 1)
                    && at(k, r, c + 1);
                if at(k, r, c) && !inner {
                    points.push((k * rows + r) * columns + c);
                }
            }
        }
    }
    points
}

/// Area under the ROC curve by ranks, ties counting half; `None` without both classes.
pub fn auroc(scores: &[f64], positive: &[bool]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let count = positive.iter().filter(|p| **p).count() as f64;
    let rest = scores.len() as f64 - count;
    if count == 0.0 || rest == 0.0 {
        return None;
    }
    let mut sum = 0.0;
    for group in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let before = group[0];
        let rank = order.iter().position(|&i| i == before).unwrap_or(0) as f64 + (group.len() as f64 + 1.0) / 2.0;
        sum += rank * group.iter().filter(|&&i| positive[i]).count() as f64;
    }
    Some((sum - count * (count + 1.0) / 2.0) / (count * rest))
}

/// F1 of the positive class; 0 without a true positive.
pub fn f1(predicted: &[bool], truth: &[bool]) -> f64 {
    let both = predicted.iter().zip(truth).filter(|(p, t)| **p && **t).count() as f64;
    let sum = predicted.iter().chain(truth).filter(|v| **v).count() as f64;
    if sum == 0.0 { 0.0 } else { 2.0 * both / sum }
}

/// Mean.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Mean with the interval of Student's t over so few values as there are; no interval for fewer than two.
pub fn mean_ci(values: &[f64]) -> (f64, Option<[f64; 2]>) {
    // Two-sided 97.5 % quantiles of t for 1 to 15 degrees of freedom, then that of the normal distribution.
    const T: [f64; 15] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131];
    let centre = mean(values);
    if values.len() < 2 {
        return (centre, None);
    }
    let n = values.len() as f64;
    let spread = (values.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let half = T.get(values.len() - 2).copied().unwrap_or(1.96) * spread / n.sqrt();
    (centre, Some([centre - half, centre + half]))
}
