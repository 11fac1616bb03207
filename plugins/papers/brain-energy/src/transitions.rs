//! Which state is taken to which: the three readings of "transition" that the paper leaves open.

use faer::{Mat, MatRef};
use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// How transitions are taken from a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transitions {
    /// From each sample to the next, inside a window.
    #[default]
    Samples,
    /// From the mean state of a window to that of the next.
    WindowMeans,
    /// Between the centroids of k-means states, weighted by how often each transition occurs in the window.
    States,
}

/// Transitions of one window: columns of `from` go to columns of `to`, each counted `weight` times.
#[derive(Clone, Debug)]
pub struct Pairs {
    /// Start states, `[regions, pairs]`.
    pub from: Mat<f64>,
    /// End states, `[regions, pairs]`.
    pub to: Mat<f64>,
    /// Weight of each pair.
    pub weight: Vec<f64>,
}

impl Pairs {
    /// Weighted mean of one value a pair; `None` if there is no pair.
    pub fn mean(&self, values: &[f64]) -> Option<f64> {
        let total: f64 = self.weight.iter().sum();
        (total > 0.0).then(|| values.iter().zip(&self.weight).map(|(v, w)| v * w).sum::<f64>() / total)
    }
}

/// Every `stride`-th step from a sample to the next inside the window.
pub fn samples(series: MatRef<'_, f64>, window: &Range<usize>, stride: usize) -> Pairs {
    let starts: Vec<_> = (window.start..window.end.saturating_sub(1)).step_by(stride.max(1)).collect();
    let at = |offset: usize| Mat::from_fn(series.nrows(), starts.len(), |i, k| series[(i, starts[k] + offset)]);
    Pairs { from: at(0), to: at(1), weight: vec![1.0; starts.len()] }
}

/// From the mean of a window to the mean of the next one.
pub fn window_means(series: MatRef<'_, f64>, window: &Range<usize>, next: &Range<usize>) -> Pairs {
    let mean = |r: &Range<usize>| Mat::from_fn(series.nrows(), 1, |i, _| r.clone().map(|t| series[(i, t)]).sum::<f64>() / r.len() as f64);
    Pairs { from: mean(window), to: mean(next), weight: vec![1.0] }
}

/// K-means states of a recording: centroids and the state of each sample.
#[derive(Clone, Debug)]
pub struct States {
    /// Centroids, `[regions, k]`.
    pub centroids: Mat<f64>,
    /// Index of the nearest centroid of each sample.
    pub labels: Vec<usize>,
}

impl States {
    /// Transitions between different states inside a window, each pair once with its count as weight.
    pub fn pairs(&self, window: &Range<usize>) -> Pairs {
        let k = self.centroids.ncols();
        let mut counts = vec![0.0; k * k];
        for t in window.start..window.end.saturating_sub(1) {
            counts[self.labels[t] * k + self.labels[t + 1]] += 1.0;
        }
        let kept: Vec<_> = (0..k * k).filter(|&p| counts[p] > 0.0 && p / k != p % k).collect();
        let at =
            |state: &dyn Fn(usize) -> usize| Mat::from_fn(self.centroids.nrows(), kept.len(), |i, p| self.centroids[(i, state(kept[p]))]);
        Pairs { from: at(&|p| p / k), to: at(&|p| p % k), weight: kept.iter().map(|&p| counts[p]).collect() }
    }
}

/// Lloyd's k-means with k-means++ seeding; the best of `restarts` runs by within-cluster distance.
pub fn kmeans(series: MatRef<'_, f64>, k: usize, restarts: usize, seed: u64) -> States {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let runs = (0..restarts.max(1)).map(|_| lloyd(series, k, &mut rng));
    let best = runs.reduce(|best, run| if run.0 < best.0 { run } else { best });
    best.map_or_else(|| States { centroids: Mat::zeros(series.nrows(), 0), labels: Vec::new() }, |(_, states)| states)
}

fn lloyd(series: MatRef<'_, f64>, k: usize, rng: &mut ChaCha8Rng) -> (f64, States) {
    const ITERATIONS: usize = 100;
    let (regions, samples) = series.shape();
    let distance =
        |centroids: &Mat<f64>, c: usize, t: usize| (0..regions).map(|i| (centroids[(i, c)] - series[(i, t)]).powi(2)).sum::<f64>();
    let mut centroids = Mat::zeros(regions, k);
    let mut nearest = vec![f64::INFINITY; samples];
    for c in 0..k {
        let total: f64 = nearest.iter().sum();
        let chosen = if c == 0 || !(total > 0.0) {
            rng.random_range(0..samples)
        } else {
            let mut left = rng.random::<f64>() * total;
            nearest
                .iter()
                .position(|d| {
                    left -= d;
                    left <= 0.0
                })
                .unwrap_or(samples - 1)
        };
        for i in 0..regions {
            centroids[(i, c)] = series[(i, chosen)];
        }
        for (t, d) in nearest.iter_mut().enumerate() {
            *d = d.min(distance(&centroids, c, t));
        }
    }
    let mut labels = vec![0; samples];
    let mut within = f64::INFINITY;
    for _ in 0..ITERATIONS {
        let mut sum = 0.0;
        for (t, label) in labels.iter_mut().enumerate() {
            let (best, d) = (0..k).map(|c| (c, distance(&centroids, c, t))).fold((0, f64::INFINITY), |b, x| if x.1 < b.1 { x } else { b });
            *label = best;
            sum += d;
        }
        if sum >= within {
            break;
        }
        within = sum;
        for c in 0..k {
            let members: Vec<_> = (0..samples).filter(|&t| labels[t] == c).collect();
            if members.is_empty() {
                continue;
            }
            for i in 0..regions {
                centroids[(i, c)] = members.iter().map(|&t| series[(i, t)]).sum::<f64>() / members.len() as f64;
            }
        }
    }
    (within, States { centroids, labels })
}
