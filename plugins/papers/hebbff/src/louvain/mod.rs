//! Generalised Louvain: communities that maximise `sum of B[i][j] over pairs of one community` for any symmetric `B`.
//!
//! After Blondel et al. (2008) as Jutla, Jeub and Mucha's GenLouvain generalises it: phase 1 moves nodes in random order to
//! the community of greatest gain until no move helps; phase 2 makes every community a node and starts over. `B` is any
//! symmetric matrix (signed, with a null model subtracted, with couplings between layers); nothing here knows where it
//! comes from. The module depends on no other of this crate but for the error.

mod operator;

pub use operator::Operator;

use rand::Rng;
use rand::seq::SliceRandom;

/// Gains below this are rounding, relative to the operator's largest row.
const TOLERANCE: f64 = 1e-12;

/// A partition and what it scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Partition {
    /// Community of each node, numbered from 0 in order of first appearance.
    pub labels: Vec<u32>,
    /// Sum of `B` over pairs of one community, the diagonal included. Divide by the total weight for modularity.
    pub score: f64,
}

/// One run from singletons, with moves in the order that `rng` gives.
pub fn louvain(operator: &Operator, rng: &mut impl Rng) -> Partition {
    let nodes = operator.size();
    let mut labels: Vec<u32> = (0u32..).take(nodes).collect();
    let mut level = None;
    loop {
        let current = level.as_ref().unwrap_or(operator);
        let mut found: Vec<u32> = (0u32..).take(current.size()).collect();
        let moved = move_nodes(current, &mut found, rng);
        let communities = relabel(&mut found);
        for label in &mut labels {
            *label = found[*label as usize];
        }
        if !moved || communities == current.size() {
            break;
        }
        level = Some(current.aggregate(&found, communities));
    }
    relabel(&mut labels);
    let score = operator.score(&labels);
    Partition { labels, score }
}

/// The best of `runs` runs by score and the scores of all; run `r` uses the generator that `rng` gives for `r`.
pub fn best_of<R: Rng>(operator: &Operator, runs: usize, rng: impl Fn(u64) -> R) -> (Partition, Vec<f64>) {
    let mut best = louvain(operator, &mut rng(0));
    let mut scores = vec![best.score];
    for run in 1..runs as u64 {
        let partition = louvain(operator, &mut rng(run));
        scores.push(partition.score);
        if partition.score > best.score {
            best = partition;
        }
    }
    (best, scores)
}

/// Phase 1; whether anything moved.
fn move_nodes(operator: &Operator, labels: &mut [u32], rng: &mut impl Rng) -> bool {
    let nodes = operator.size();
    let tolerance = TOLERANCE * operator.largest_row().max(f64::MIN_POSITIVE);
    let mut order: Vec<u32> = (0u32..).take(nodes).collect();
    order.shuffle(rng);
    let mut members = vec![1u32; nodes];
    let mut weight = vec![0.0; nodes];
    let mut touched: Vec<u32> = Vec::with_capacity(nodes);
    // Communities without members, to which a node may flee.
    let mut free: Vec<u32> = Vec::new();
    let mut any = false;
    let mut active = true;
    while active {
        active = false;
        for &node in &order {
            let i = node as usize;
            let own = labels[i];
            for (j, b) in operator.row(i) {
                let community = labels[j as usize] as usize;
                // A weight of exactly 0 is listed again, which does no harm.
                if weight[community] == 0.0 {
                    touched.push(labels[j as usize]);
                }
                weight[community] += b;
            }
            let stay = weight[own as usize] - operator.diagonal(i);
            let (mut best, mut best_gain) = (own, tolerance);
            for &community in &touched {
                let gain = weight[community as usize] - stay;
                if community != own && gain > best_gain {
                    (best, best_gain) = (community, gain);
                }
            }
            if -stay > best_gain
                && members[own as usize] > 1
                && let Some(&empty) = free.last()
            {
                best = empty;
            }
            for community in touched.drain(..) {
                weight[community as usize] = 0.0;
            }
            if best != own {
                if members[best as usize] == 0 {
                    free.retain(|&c| c != best);
                }
                members[own as usize] -= 1;
                members[best as usize] += 1;
                if members[own as usize] == 0 {
                    free.push(own);
                }
                labels[i] = best;
                active = true;
                any = true;
            }
        }
    }
    any
}

/// Numbers communities from 0 in order of first appearance; their count.
fn relabel(labels: &mut [u32]) -> usize {
    let largest = labels.iter().copied().max().map_or(0, |l| l as usize + 1);
    let mut names = vec![u32::MAX; largest];
    let mut next = 0;
    for label in labels.iter_mut() {
        let name = &mut names[*label as usize];
        if *name == u32::MAX {
            *name = next;
            next += 1;
        }
        *label = *name;
    }
    next as usize
}
