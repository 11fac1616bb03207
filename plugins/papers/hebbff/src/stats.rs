//! The statistics that the bars ask for.

use rand::Rng;

/// Mean; NaN for none.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Ranks from 1, ties by their mean rank.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let end = (start..order.len()).take_while(|&k| values[order[k]] == values[order[start]]).count() + start;
        let rank = (start + end + 1) as f64 / 2.0;
        order[start..end].iter().for_each(|&i| ranks[i] = rank);
        start = end;
    }
    ranks
}

/// Pearson's correlation; `None` if either side does not vary or lengths differ.
pub fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.len() != b.len() || a.len() < 3 {
        return None;
    }
    let (ma, mb) = (mean(a), mean(b));
    let dot = |f: &dyn Fn(usize) -> f64| (0..a.len()).map(f).sum::<f64>();
    let (aa, bb) = (dot(&|i| (a[i] - ma).powi(2)), dot(&|i| (b[i] - mb).powi(2)));
    let ab = dot(&|i| (a[i] - ma) * (b[i] - mb));
    (aa > 0.0 && bb > 0.0).then(|| (ab / (aa * bb).sqrt()).clamp(-1.0, 1.0))
}

/// Spearman's rank correlation.
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    pearson(&ranks(a), &ranks(b))
}

/// Spearman's correlation of `a` and `b` with that of `given` taken out of both.
pub fn partial_spearman(a: &[f64], b: &[f64], given: &[f64]) -> Option<f64> {
    let (ab, ag, bg) = (spearman(a, b)?, spearman(a, given)?, spearman(b, given)?);
    let rest = (1.0 - ag * ag) * (1.0 - bg * bg);
    (rest > 0.0).then(|| ((ab - ag * bg) / rest.sqrt()).clamp(-1.0, 1.0))
}

/// Correlations averaged on Fisher's z scale.
pub fn fisher_mean(correlations: &[f64]) -> f64 {
    mean(&correlations.iter().map(|r| r.clamp(-0.999_999, 0.999_999).atanh()).collect::<Vec<_>>()).tanh()
}

/// Percentile interval (95 %) of [`fisher_mean`] over resampled nets.
pub fn bootstrap(correlations: &[f64], draws: usize, rng: &mut impl Rng) -> Option<[f64; 2]> {
    if correlations.len() < 3 || draws == 0 {
        return None;
    }
    let draw = |rng: &mut _| {
        let sample: Vec<f64> = correlations.iter().map(|_| correlations[Rng::random_range(rng, 0..correlations.len())]).collect();
        fisher_mean(&sample)
    };
    let mut means: Vec<f64> = (0..draws).map(|_| draw(&mut *rng)).collect();
    means.sort_by(f64::total_cmp);
    let at = |p: f64| means[((draws - 1) as f64 * p).round() as usize];
    Some([at(0.025), at(0.975)])
}

/// One-sided p that `a` tends to be greater than `b` (Mann-Whitney), exact over all ways to deal the pooled ranks, ties by
/// mean ranks. `None` for an empty side or more than 10^7 ways.
pub fn mann_whitney_greater(a: &[f64], b: &[f64]) -> Option<f64> {
    let (n, total) = (a.len(), a.len() + b.len());
    if n == 0 || b.is_empty() || ways(total, n) > 1e7 {
        return None;
    }
    // Twice the rank, so that mean ranks are whole.
    let doubled: Vec<usize> = ranks(&[a, b].concat()).into_iter().map(|r| (2.0 * r).round() as usize).collect();
    let observed: usize = doubled[..n].iter().sum();
    let largest: usize = doubled.iter().sum();
    // counts[k][s]: ways to choose k of the ranks so far with sum s.
    let mut counts = vec![vec![0.0f64; largest + 1]; n + 1];
    counts[0][0] = 1.0;
    for rank in doubled {
        for k in (1..=n).rev() {
            for sum in (rank..=largest).rev() {
                counts[k][sum] += counts[k - 1][sum - rank];
            }
        }
    }
    Some(counts[n][observed..].iter().sum::<f64>() / counts[n].iter().sum::<f64>())
}

fn ways(total: usize, chosen: usize) -> f64 {
    (0..chosen).map(|k| (total - k) as f64 / (k + 1) as f64).product()
}

/// Normalised mutual information of two partitions (arithmetic mean of the entropies); 1 if both are trivial.
pub fn normalised_mutual_information(a: &[u32], b: &[u32]) -> f64 {
    let count = |pairs: &mut dyn Iterator<Item = (u32, u32)>| {
        let mut counts = std::collections::BTreeMap::new();
        pairs.for_each(|pair| *counts.entry(pair).or_insert(0.0) += 1.0);
        counts
    };
    let n = a.len().min(b.len()) as f64;
    let entropy = |counts: &std::collections::BTreeMap<(u32, u32), f64>| -counts.values().map(|c| c / n * (c / n).ln()).sum::<f64>();
    let ha = entropy(&count(&mut a.iter().map(|&x| (x, 0))));
    let hb = entropy(&count(&mut b.iter().map(|&x| (x, 0))));
    let joint = entropy(&count(&mut a.iter().copied().zip(b.iter().copied())));
    if ha + hb <= 0.0 { 1.0 } else { 2.0 * (ha + hb - joint) / (ha + hb) }
}
