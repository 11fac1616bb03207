//! Graph measures of a weighted, undirected connectivity matrix, as the Brain Connectivity Toolbox defines them
//! (Rubinov and Sporns 2010).

use faer::MatRef;

/// Sum of each region's weights (self-connections left out).
pub fn strength(w: MatRef<'_, f64>) -> Vec<f64> {
    let n = w.nrows();
    (0..n).map(|i| (0..n).filter(|&j| j != i).map(|j| w[(i, j)]).sum()).collect()
}

/// Weighted clustering coefficient (Onnela et al. 2005): mean cube root of triangle weights over `k (k - 1)` pairs.
/// Weights are expected in `[0, 1]`.
pub fn clustering(w: MatRef<'_, f64>) -> Vec<f64> {
    let n = w.nrows();
    let root = |i: usize, j: usize| w[(i, j)].cbrt();
    let of = |i: usize| {
        let near: Vec<_> = (0..n).filter(|&j| j != i && w[(i, j)] != 0.0).collect();
        let k = near.len() as f64;
        let triangles: f64 = near
            .iter()
            .flat_map(|&j| near.iter().map(move |&h| (j, h)))
            .filter(|(j, h)| j != h)
            .map(|(j, h)| root(i, j) * root(j, h) * root(i, h))
            .sum();
        if near.len() < 2 { 0.0 } else { triangles / (k * (k - 1.0)) }
    };
    (0..n).map(of).collect()
}

/// Mean shortest path length over pairs, with `1 / weight` as length (Dijkstra); infinite if a pair is not connected.
pub fn path_length(w: MatRef<'_, f64>) -> f64 {
    let n = w.nrows();
    let mut total = 0.0;
    for source in 0..n {
        let mut distance = vec![f64::INFINITY; n];
        let mut done = vec![false; n];
        distance[source] = 0.0;
        while let Some(next) = (0..n).filter(|&i| !done[i] && distance[i].is_finite()).min_by(|&a, &b| distance[a].total_cmp(&distance[b]))
        {
            done[next] = true;
            for j in (0..n).filter(|&j| j != next && w[(next, j)] > 0.0) {
                distance[j] = distance[j].min(distance[next] + 1.0 / w[(next, j)]);
            }
        }
        total += distance.iter().sum::<f64>();
    }
    total / (n * (n - 1)) as f64
}

/// Participation coefficient of each region under a partition (Guimera and Amaral 2005); 0 for an isolated region.
pub fn participation(w: MatRef<'_, f64>, community: &[usize]) -> Vec<f64> {
    let n = w.nrows();
    let communities = community.iter().max().map_or(0, |m| m + 1);
    let of = |i: usize| {
        let mut inside = vec![0.0; communities];
        for j in (0..n).filter(|&j| j != i) {
            inside[community[j]] += w[(i, j)];
        }
        let total: f64 = inside.iter().sum();
        if total == 0.0 { 0.0 } else { 1.0 - inside.iter().map(|s| (s / total).powi(2)).sum::<f64>() }
    };
    (0..n).map(of).collect()
}

/// Newman's modularity of a partition of non-negative weights.
pub fn modularity(w: MatRef<'_, f64>, community: &[usize]) -> f64 {
    let n = w.nrows();
    let degree: Vec<f64> = (0..n).map(|i| (0..n).map(|j| w[(i, j)]).sum()).collect();
    let total: f64 = degree.iter().sum();
    let pairs = (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).filter(|&(i, j)| community[i] == community[j]);
    pairs.map(|(i, j)| w[(i, j)] - degree[i] * degree[j] / total).sum::<f64>() / total
}
