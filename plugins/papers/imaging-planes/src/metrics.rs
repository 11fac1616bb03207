//! Section 6: ranking and means; overlap and surface distance are the core's.

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
