//! A null model of a signed graph: every node keeps its numbers of positive and negative edges exactly, its positive and
//! negative strengths nearly (Rubinov and Sporns, NeuroImage 56:2068-2079, 2011).

use rand::Rng;
use rand::seq::index::sample;

/// Edges given a weight between two updates of the expectations, as a share of all (the original's `wei_freq`).
const UPDATE_EVERY: f64 = 0.1;
/// Attempted swaps an edge.
const SWAPS: usize = 5;

/// A randomised copy of a symmetric matrix; the diagonal stays.
pub fn rewired(matrix: &[f64], units: usize, rng: &mut impl Rng) -> Vec<f64> {
    let mut signs: Vec<i8> = matrix.iter().map(|v| i8::from(*v > 0.0) - i8::from(*v < 0.0)).collect();
    for i in 0..units {
        signs[i * units + i] = 0;
    }
    if units >= 4 {
        swap_signs(&mut signs, units, rng);
    }
    let mut result = vec![0.0; units * units];
    for i in 0..units {
        result[i * units + i] = matrix[i * units + i];
    }
    for sign in [1i8, -1] {
        deal_weights(matrix, &signs, units, sign, &mut result, rng);
    }
    result
}

/// Exchanges `a-b, c-d` with `a-d, c-b` wherever the first two have one sign and the others another.
fn swap_signs(signs: &mut [i8], units: usize, rng: &mut impl Rng) {
    for _ in 0..SWAPS * units * (units - 1) / 2 {
        let picked = sample(rng, units, 4);
        let [a, b, c, d] = [picked.index(0), picked.index(1), picked.index(2), picked.index(3)];
        let at = |i: usize, j: usize| i * units + j;
        let (ab, cd, ad, cb) = (signs[at(a, b)], signs[at(c, d)], signs[at(a, d)], signs[at(c, b)]);
        if ab == cd && ad == cb && ab != ad {
            for (i, j, sign) in [(a, b, ad), (c, d, ad), (a, d, ab), (c, b, ab)] {
                signs[at(i, j)] = sign;
                signs[at(j, i)] = sign;
            }
        }
    }
}

/// Deals the weights of a sign to its new edges so that strengths come near those of the original: the edge with the k-th
/// greatest product of what its ends still lack receives the k-th greatest weight.
fn deal_weights(matrix: &[f64], signs: &[i8], units: usize, sign: i8, result: &mut [f64], rng: &mut impl Rng) {
    let pairs = || (0..units).flat_map(|i| (0..i).map(move |j| (i, j)));
    let size = |i: usize, j: usize| (matrix[i * units + j] * f64::from(sign)).max(0.0);
    let mut weights: Vec<f64> = pairs().map(|(i, j)| size(i, j)).filter(|w| *w > 0.0).collect();
    weights.sort_by(f64::total_cmp);
    let mut edges: Vec<(usize, usize)> = pairs().filter(|&(i, j)| signs[i * units + j] == sign).collect();
    let mut lacking: Vec<f64> = (0..units).map(|i| (0..units).filter(|&j| j != i).map(|j| size(i, j)).sum()).collect();
    let batch = ((edges.len() as f64 * UPDATE_EVERY).ceil() as usize).max(1);
    while !edges.is_empty() {
        edges.sort_by(|x, y| (lacking[x.0] * lacking[x.1]).total_cmp(&(lacking[y.0] * lacking[y.1])));
        let count = batch.min(edges.len());
        let mut chosen = sample(rng, edges.len(), count).into_vec();
        chosen.sort_unstable_by(|a, b| b.cmp(a));
        for place in chosen {
            let ((i, j), weight) = (edges.remove(place), weights.remove(place));
            result[i * units + j] = weight * f64::from(sign);
            result[j * units + i] = weight * f64::from(sign);
            lacking[i] -= weight;
            lacking[j] -= weight;
        }
    }
}
