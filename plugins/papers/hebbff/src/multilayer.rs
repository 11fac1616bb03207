//! Signed multilayer modularity and what a partition over time says (specification section 4, items 2 to 4).

use crate::error::Error;
use crate::louvain::{Operator, Partition, best_of};
use crate::random::{Purpose, stream};
use crate::windows::Layers;

/// Resolution and coupling.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Resolution {
    /// Weight of the null model of positive edges.
    pub gamma_plus: f64,
    /// Weight of the null model of negative edges.
    pub gamma_minus: f64,
    /// Coupling of a node to itself in the next layer.
    pub omega: f64,
}

impl Default for Resolution {
    /// The authors' values.
    fn default() -> Self {
        Self { gamma_plus: 1.02, gamma_minus: 1.0, omega: 1.0 }
    }
}

/// The multilayer modularity matrix and the total weight that its sums are divided by.
///
/// Node `i` of layer `s` is number `s * units + i`.
///
/// # Errors
/// [`Error::Size`] if a layer is not `units x units`, [`Error::NotFinite`], [`Error::Asymmetric`], [`Error::Empty`].
pub fn operator(layers: &Layers, resolution: Resolution) -> Result<(Operator, f64), Error> {
    let units = layers.units;
    let mut rows: Vec<Vec<(u32, f64)>> = Vec::with_capacity(units * layers.matrices.len());
    let mut total = 0.0;
    for (s, matrix) in layers.matrices.iter().enumerate() {
        if matrix.len() != units * units {
            return Err(Error::Size { what: "layer", expected: units * units, found: matrix.len() });
        }
        if let Some(at) = matrix.iter().position(|v| !v.is_finite()) {
            return Err(Error::NotFinite { what: "layer", found: matrix[at], row: at / units, column: at % units });
        }
        let strengths = |sign: f64| -> Vec<f64> {
            matrix.chunks_exact(units.max(1)).map(|row| row.iter().map(|v| (v * sign).max(0.0)).sum()).collect()
        };
        let (plus, minus) = (strengths(1.0), strengths(-1.0));
        let (m_plus, m_minus): (f64, f64) = (plus.iter().sum(), minus.iter().sum());
        total += m_plus + m_minus;
        let share = |gamma: f64, k: &[f64], m: f64, i: usize, j: usize| if m > 0.0 { gamma * k[i] * k[j] / m } else { 0.0 };
        for i in 0..units {
            let mut row = Vec::with_capacity(units + 2);
            for j in 0..units {
                let null = share(resolution.gamma_plus, &plus, m_plus, i, j) - share(resolution.gamma_minus, &minus, m_minus, i, j);
                row.push((node(units, s, j), matrix[i * units + j] - null));
            }
            if s > 0 {
                row.push((node(units, s - 1, i), resolution.omega));
            }
            if s + 1 < layers.matrices.len() {
                row.push((node(units, s + 1, i), resolution.omega));
            }
            rows.push(row);
        }
    }
    if !(total > 0.0) {
        return Err(Error::Empty);
    }
    total += 2.0 * resolution.omega * units as f64 * (layers.matrices.len() as f64 - 1.0);
    Ok((Operator::from_rows(&rows)?, total))
}

#[allow(clippy::cast_possible_truncation, reason = "layers times units stay far below 2^32")]
fn node(units: usize, layer: usize, unit: usize) -> u32 {
    (layer * units + unit) as u32
}

/// What a recording looks like as a network that changes.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Structure {
    /// Modularity of the best run.
    pub q: f64,
    /// Standard deviation of modularity over the runs.
    pub q_spread: f64,
    /// Communities in the best partition.
    pub communities: usize,
    /// Nodes a community, over all layers.
    pub mean_size: f64,
    /// Mean over communities of the overlap of a community with itself in the next layer.
    pub stationarity: f64,
    /// Mean over units of the share of layers at which a unit changes community.
    pub flexibility: f64,
    /// Community of each unit in each layer, a layer after another.
    #[serde(skip)]
    pub labels: Vec<u32>,
}

/// The best of `restarts` partitions and its statistics.
///
/// # Errors
/// As [`operator()`].
pub fn structure(layers: &Layers, resolution: Resolution, restarts: usize, seed: u64) -> Result<Structure, Error> {
    let (operator, total) = operator(layers, resolution)?;
    let (best, scores) = best_of(&operator, restarts.max(1), |run| stream(seed, Purpose::Louvain, run));
    let Partition { labels, score } = best;
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    let variance = scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / scores.len() as f64;
    let communities = labels.iter().max().map_or(0, |l| *l as usize + 1);
    Ok(Structure {
        q: score / total,
        q_spread: variance.sqrt() / total,
        communities,
        mean_size: labels.len() as f64 / communities.max(1) as f64,
        stationarity: stationarity(&labels, layers.units),
        flexibility: flexibility(&labels, layers.units),
        labels,
    })
}

/// Share of layer changes at which a unit's label changes, averaged over units; 0 for a single layer.
pub fn flexibility(labels: &[u32], units: usize) -> f64 {
    let layers = labels.len() / units.max(1);
    if layers < 2 {
        return 0.0;
    }
    let changes = labels.iter().zip(&labels[units..]).filter(|(a, b)| a != b).count();
    changes as f64 / (units * (layers - 1)) as f64
}

/// `|C_t and C_t+1| / |C_t or C_t+1|` over a community's lifetime (its first to its last layer), averaged over communities
/// that live longer than a layer; 1 if none does.
pub fn stationarity(labels: &[u32], units: usize) -> f64 {
    let communities = labels.iter().max().map_or(0, |l| *l + 1);
    let layers: Vec<&[u32]> = labels.chunks_exact(units.max(1)).collect();
    let mut values = Vec::new();
    for community in 0..communities {
        let alive = |layer: &&[u32]| layer.contains(&community);
        let Some(first) = layers.iter().position(alive) else { continue };
        let last = layers.iter().rposition(alive).unwrap_or(first);
        if last == first {
            continue;
        }
        let overlap = |pair: &[&[u32]]| {
            let both = pair[0].iter().zip(pair[1]).map(|(a, b)| (*a == community, *b == community));
            let (shared, either) = both.fold((0usize, 0usize), |(s, e), (a, b)| (s + usize::from(a && b), e + usize::from(a || b)));
            if either == 0 { 0.0 } else { shared as f64 / either as f64 }
        };
        values.push(layers[first..=last].windows(2).map(overlap).sum::<f64>() / (last - first) as f64);
    }
    if values.is_empty() { 1.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// `[units, units]`: share of layers in which two units have one community.
pub fn allegiance(labels: &[u32], units: usize) -> Vec<f64> {
    let layers = labels.len() / units.max(1);
    let mut shared = vec![0.0; units * units];
    for layer in labels.chunks_exact(units.max(1)) {
        for i in 0..units {
            for j in 0..units {
                shared[i * units + j] += f64::from(u8::from(layer[i] == layer[j]));
            }
        }
    }
    shared.iter_mut().for_each(|v| *v /= layers.max(1) as f64);
    shared
}

/// Consensus (the authors' last step): allegiance over repeated partitions becomes the graph, and its static modularity with
/// resolution 1 is maximised.
///
/// # Errors
/// [`Error::Size`] if a partition has not `units` labels; [`Error::Empty`] for no partition.
pub fn consensus(partitions: &[Vec<u32>], units: usize, restarts: usize, seed: u64) -> Result<Vec<u32>, Error> {
    if let Some(bad) = partitions.iter().find(|p| p.len() != units) {
        return Err(Error::Size { what: "partition", expected: units, found: bad.len() });
    }
    let matrix = allegiance(&partitions.concat(), units);
    let layers = Layers { units, matrices: vec![matrix], constant: 0 };
    let resolution = Resolution { gamma_plus: 1.0, gamma_minus: 1.0, omega: 0.0 };
    Ok(structure(&layers, resolution, restarts, seed)?.labels)
}
