//! Units of current for integer runs.

use super::params::Values;
use zoo_core::{Error, Result};
use zoo_formats::event_graph::{EventGraph, Node, Op, Param, Payload};

/// What one unit of a layer's integer current is worth: the coarsest power of two on which every number of the layer
/// lies, if the weights then fit 8 bits; else the largest weight over 127.
pub(super) fn scale(weights: &[f64], others: &[f64]) -> f64 {
    let largest = weights.iter().fold(0.0f64, |m, w| m.max(w.abs()));
    if largest == 0.0 {
        return others.iter().copied().find(|o| *o != 0.0).map_or(1.0, |o| o.abs() / 127.0);
    }
    let (coarse, fine) = (largest.log2().floor() as i32, (largest / 127.0).log2().ceil() as i32);
    let on_grid = |grid: f64| weights.iter().chain(others).all(|v| (v / grid).fract() == 0.0);
    (fine..=coarse).rev().map(|e| 2f64.powi(e)).find(|&grid| on_grid(grid)).unwrap_or(largest / 127.0)
}

/// Real value of an event's 1 at a node's output, for integer runs, where events carry counts only.
pub(super) fn gain(graph: &EventGraph, edges: &[Vec<usize>], start: usize) -> Result<f64> {
    let mut product = 1.0;
    let mut at = start;
    for _ in 0..=graph.nodes.len() {
        let node = &graph.nodes[at];
        match &node.op {
            Op::Input { .. } => return Ok(product),
            Op::Neuron(neuron) => {
                return match (neuron.payload, &neuron.threshold) {
                    (Payload::Unit, _) => Ok(product),
                    (Payload::Theta, Param::Scalar(theta)) => Ok(product * theta),
                    (Payload::Theta, Param::Tensor(_)) => Err(refuse(node, "amplitudes that differ within a layer")),
                };
            }
            Op::AvgPool2d { kernel, .. } => product /= (kernel[0] * kernel[1]) as f64,
            Op::Scale { factor: Param::Scalar(factor) } => product *= factor,
            Op::SumPool2d { .. } | Op::Flatten {} | Op::Delay { .. } => {}
            Op::Add {} | Op::Concat {} => {
                let gains = edges[at].iter().map(|&f| gain_shallow(graph, edges, f)).collect::<Result<Vec<_>>>()?;
                if gains.iter().any(|g| *g != gains[0]) {
                    return Err(refuse(node, "events of different worth joined outside a neuron"));
                }
            }
            _ => return Err(refuse(node, "an analog signal between layers")),
        }
        at = edges[at][0];
    }
    Err(refuse(&graph.nodes[start], "a loop without a neuron"))
}

/// The gain of a join's operand; operands that are joins themselves are refused rather than followed without end.
fn gain_shallow(graph: &EventGraph, edges: &[Vec<usize>], at: usize) -> Result<f64> {
    if matches!(graph.nodes[at].op, Op::Add {} | Op::Concat {}) {
        return Err(refuse(&graph.nodes[at], "joins of joins outside a neuron"));
    }
    gain(graph, edges, at)
}

/// Refuses a node in an integer run.
pub(super) fn refuse(node: &Node, what: &str) -> Error {
    Error::UnsupportedOperator {
        backend: "events".into(),
        op: node.op.name().into(),
        node: node.name.clone(),
        why: format!("integer runs do not offer {what}; use events.precision = f32"),
    }
}

/// All values of a parameter, for finding a grid.
pub(super) fn spread(values: &Values<f32>) -> Vec<f64> {
    match values {
        Values::Same(v) => vec![f64::from(*v)],
        Values::Each(all) => all.iter().map(|&v| f64::from(v)).collect(),
    }
}
