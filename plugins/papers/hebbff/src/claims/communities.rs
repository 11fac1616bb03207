//! The community detection on graphs whose answer is known: bar C.

use crate::louvain::{Operator, best_of, louvain};
use crate::multilayer::{Resolution, operator};
use crate::random::{Purpose, normal, stream};
use crate::stats::normalised_mutual_information;
use crate::windows::Layers;
use rand::Rng;
use serde_json::json;
use zoo_core::{ClaimOutcome, Error, Result};

/// Zachary's karate club as NetworkX gives it, written by `golden/make.py`.
const KARATE: &str = include_str!("../../golden/karate.json");
/// Graphs and runs.
const PLANTED: u64 = 10;
const RUNS: usize = 20;

/// A signed graph of four blocks: edges within lean to plus, edges between to minus, both with noise.
pub fn planted(units: usize, rng: &mut impl Rng) -> (Vec<f64>, Vec<u32>) {
    #[allow(clippy::cast_possible_truncation, reason = "four blocks")]
    let labels: Vec<u32> = (0..units).map(|i| (i * 4 / units) as u32).collect();
    let mut matrix = vec![0.0; units * units];
    for i in 0..units {
        for j in 0..i {
            let centre = if labels[i] == labels[j] { 0.4 } else { -0.15 };
            let value = (centre + 0.3 * normal(rng)).clamp(-1.0, 1.0);
            matrix[i * units + j] = value;
            matrix[j * units + i] = value;
        }
    }
    (matrix, labels)
}

pub(super) fn measure() -> Result<Vec<ClaimOutcome>> {
    let mut found = Vec::new();
    for index in 0..PLANTED {
        let (matrix, labels) = planted(80, &mut stream(0, Purpose::Controls, 100 + index));
        let layers = Layers { units: 80, matrices: vec![matrix], constant: 0 };
        let (b, _) = operator(&layers, Resolution { gamma_plus: 1.0, gamma_minus: 1.0, omega: 0.0 })?;
        let partition = louvain(&b, &mut stream(0, Purpose::Louvain, index));
        found.push(normalised_mutual_information(&partition.labels, &labels));
    }
    let worst = found.iter().copied().fold(1.0, f64::min);
    let c1 = ClaimOutcome { id: "c1".into(), measured: worst, holds: worst >= 0.95, detail: json!({"by_graph": found}) };

    let (b, total) = karate()?;
    let (best, scores) = best_of(&b, RUNS, |run| stream(0, Purpose::Louvain, run));
    let q = best.score / total;
    let spread: Vec<f64> = scores.iter().map(|s| s / total).collect();
    let c2 = ClaimOutcome { id: "c2".into(), measured: q, holds: q >= 0.41, detail: json!({"by_run": spread}) };
    Ok(vec![c1, c2])
}

fn karate() -> Result<(Operator, f64)> {
    let matrix: Vec<Vec<f64>> = serde_json::from_str(KARATE).map_err(|e| Error::argument("karate club", "a matrix", e))?;
    let layers = Layers { units: matrix.len(), matrices: vec![matrix.concat()], constant: 0 };
    Ok(operator(&layers, Resolution { gamma_plus: 1.0, gamma_minus: 1.0, omega: 0.0 })?)
}
