//! Learning modes: shapes of accuracy curves, found by k-means where the authors sorted them by hand.

use rand::Rng;

/// An assignment of curves to shapes.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Modes {
    /// Shape of each curve.
    pub assignment: Vec<usize>,
    /// Mean silhouette, from -1 to 1.
    pub silhouette: f64,
    /// Number of shapes.
    pub k: usize,
}

/// Moving average over `2 * half + 1` points, shorter at the ends.
pub fn smooth(curve: &[f64], half: usize) -> Vec<f64> {
    (0..curve.len())
        .map(|i| {
            let near = &curve[i.saturating_sub(half)..(i + half + 1).min(curve.len())];
            near.iter().sum::<f64>() / near.len() as f64
        })
        .collect()
}

/// k-means for k from 2 to 4, the best of 10 starts each, chosen by silhouette; `None` for fewer than 4 curves.
pub fn learning_modes(curves: &[Vec<f64>], rng: &mut impl Rng) -> Option<Modes> {
    if curves.len() < 4 {
        return None;
    }
    let mut best: Option<Modes> = None;
    for k in 2..=4.min(curves.len() - 1) {
        let starts = (0..10).map(|_| k_means(curves, k, rng));
        let (assignment, _) = starts.min_by(|a, b| a.1.total_cmp(&b.1))?;
        let silhouette = silhouette(curves, &assignment, k);
        if best.as_ref().is_none_or(|b| silhouette > b.silhouette) {
            best = Some(Modes { assignment, silhouette, k });
        }
    }
    best
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

fn k_means(curves: &[Vec<f64>], k: usize, rng: &mut impl Rng) -> (Vec<usize>, f64) {
    let picked = rand::seq::index::sample(rng, curves.len(), k);
    let mut centres: Vec<Vec<f64>> = picked.iter().map(|i| curves[i].clone()).collect();
    let mut assignment = vec![0; curves.len()];
    for _ in 0..100 {
        let nearest =
            |curve: &Vec<f64>| (0..k).min_by(|&a, &b| distance(curve, &centres[a]).total_cmp(&distance(curve, &centres[b]))).unwrap_or(0);
        let next: Vec<usize> = curves.iter().map(nearest).collect();
        let settled = next == assignment;
        assignment = next;
        for (c, centre) in centres.iter_mut().enumerate() {
            let members: Vec<&Vec<f64>> = curves.iter().zip(&assignment).filter(|(_, a)| **a == c).map(|(curve, _)| curve).collect();
            if !members.is_empty() {
                for (t, value) in centre.iter_mut().enumerate() {
                    *value = members.iter().map(|m| m[t]).sum::<f64>() / members.len() as f64;
                }
            }
        }
        if settled {
            break;
        }
    }
    let inertia = curves.iter().zip(&assignment).map(|(curve, &a)| distance(curve, &centres[a])).sum();
    (assignment, inertia)
}

fn silhouette(curves: &[Vec<f64>], assignment: &[usize], k: usize) -> f64 {
    let mut total = 0.0;
    for (i, curve) in curves.iter().enumerate() {
        let to = |cluster: usize| {
            let others: Vec<f64> =
                (0..curves.len()).filter(|&j| j != i && assignment[j] == cluster).map(|j| distance(curve, &curves[j]).sqrt()).collect();
            (!others.is_empty()).then(|| others.iter().sum::<f64>() / others.len() as f64)
        };
        let other = (0..k).filter(|&c| c != assignment[i]).filter_map(to).fold(f64::INFINITY, f64::min);
        if let Some(own) = to(assignment[i])
            && other.is_finite()
        {
            total += (other - own) / other.max(own).max(f64::MIN_POSITIVE);
        }
    }
    total / curves.len() as f64
}
