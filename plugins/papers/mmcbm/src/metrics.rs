//! Macro F1, area under the curve, confusion.

/// Mean; NaN of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Greatest of a list; the first of equals.
pub fn greatest(values: &[f64]) -> usize {
    values.iter().enumerate().fold((0, f64::NEG_INFINITY), |best, (i, &v)| if v > best.1 { (i, v) } else { best }).0
}

/// `[true][answered]` counts.
pub fn confusion(labels: &[usize], answers: &[usize], classes: usize) -> Vec<Vec<u64>> {
    let mut counts = vec![vec![0; classes]; classes];
    labels.iter().zip(answers).for_each(|(&l, &a)| counts[l][a] += 1);
    counts
}

/// Mean over classes of the harmonic mean of precision and recall; a class without items or answers counts as 0.
pub fn macro_f1(labels: &[usize], answers: &[usize], classes: usize) -> f64 {
    let counts = confusion(labels, answers, classes);
    let f1 = |k: usize| {
        let hits = counts[k][k] as f64;
        let (given, there) = (counts.iter().map(|row| row[k]).sum::<u64>() as f64, counts[k].iter().sum::<u64>() as f64);
        if given + there > 0.0 { 2.0 * hits / (given + there) } else { 0.0 }
    };
    mean(&(0..classes).map(f1).collect::<Vec<_>>())
}

/// Share of right answers.
pub fn accuracy(labels: &[usize], answers: &[usize]) -> f64 {
    labels.iter().zip(answers).filter(|(l, a)| l == a).count() as f64 / labels.len().max(1) as f64
}

/// Probability that a positive scores above a negative, ties by half; `None` without both.
pub fn auroc(scores: &[f64], positive: &[bool]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len().min(positive.len())).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let (mut ranks, mut start) = (0.0, 0);
    while start < order.len() {
        let end = (start..order.len()).find(|&k| scores[order[k]] != scores[order[start]]).unwrap_or(order.len());
        let rank = (start + end + 1) as f64 / 2.0;
        ranks += rank * order[start..end].iter().filter(|&&i| positive[i]).count() as f64;
        start = end;
    }
    let yes = order.iter().filter(|&&i| positive[i]).count() as f64;
    let no = order.len() as f64 - yes;
    (yes > 0.0 && no > 0.0).then(|| (ranks - yes * (yes + 1.0) / 2.0) / (yes * no))
}

/// Probabilities of logits.
pub fn softmax(logits: &[f64]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let e: Vec<f64> = logits.iter().map(|l| (l - top).exp()).collect();
    let sum: f64 = e.iter().sum();
    e.into_iter().map(|e| e / sum).collect()
}
