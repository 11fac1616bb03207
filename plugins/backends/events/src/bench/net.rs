//! The network of the comparison: 2x34x34, four weight layers with IF neurons after each, about 146,000 weights.

use super::{STEPS, input};
use crate::modes::{Feed, Impulse, execute};
use crate::settings::Settings;
use zoo_core::{Result, Tensor};
use zoo_formats::event_graph::{Builder, EventGraph, Neuron, Op, ReadoutRule, Source, SpikesPerStep};

/// Weights are multiples of this, so that sums are exact and all simulators must agree on every spike.
const GRID: f32 = 1.0 / 1024.0;

const SHAPES: [&[usize]; 5] = [&[8, 2, 3, 3], &[16, 8, 3, 3], &[32, 16, 3, 3], &[256, 512], &[10, 256]];

/// The network with fixed random weights, scaled layer by layer so that every hidden layer fires at about `rate` on
/// `sample`.
///
/// # Errors
/// None is expected; those of building and running a graph.
pub fn network(rate: f64, sample: &[Impulse]) -> Result<EventGraph> {
    let mut random = input::Random(7);
    let base: Vec<Vec<f32>> = SHAPES.iter().map(|s| (0..s.iter().product()).map(|_| random.unit() * 2.0 - 0.8).collect()).collect();
    let mut gains = [0.0f32; SHAPES.len()];
    for layer in 0..SHAPES.len() {
        let (mut low, mut high) = (0.0f32, 4.0f32);
        for _ in 0..14 {
            gains[layer] = (low + high) / 2.0;
            let graph = build(&base, &gains, layer + 1)?;
            let outcome = execute(&graph, &[Feed::Impulses(sample)], &Settings::default())?;
            let name = format!("n{layer}");
            let fired = outcome.layer(&name).map_or(0.0, |l| l.counters.active as f64 / (l.neurons * STEPS) as f64);
            if fired > rate { high = gains[layer] } else { low = gains[layer] }
        }
    }
    build(&base, &gains, SHAPES.len())
}

fn build(base: &[Vec<f32>], gains: &[f32], layers: usize) -> Result<EventGraph> {
    let cell = || Neuron::integrate_and_fire(1.0);
    let weight = |i: usize| {
        let values = base[i].iter().map(|w| (w * gains[i] / GRID).round() * GRID).collect::<Vec<f32>>();
        Tensor::from_vec(SHAPES[i], values)
    };
    let mut b: Builder = EventGraph::builder(STEPS).input("x", [2, 34, 34], Source::Events);
    b = b.conv2d("conv0", "x", weight(0)?, None).stride([2, 2]).padding([1, 1]).neuron("n0", "conv0", cell());
    if layers > 1 {
        b = b.conv2d("conv1", "n0", weight(1)?, None).padding([1, 1]).neuron("n1", "conv1", cell()).sum_pool2d("pool1", "n1", [2, 2]);
    }
    if layers > 2 {
        b = b.conv2d("conv2", "pool1", weight(2)?, None).padding([1, 1]).neuron("n2", "conv2", cell()).sum_pool2d("pool2", "n2", [2, 2]);
    }
    if layers > 3 {
        b = b.flatten("flat", "pool2").linear("fc3", "flat", weight(3)?, None).neuron("n3", "fc3", cell());
    }
    if layers > 4 {
        b = b.linear("fc4", "n3", weight(4)?, None).neuron("n4", "fc4", cell());
    }
    let (last, flat) = (format!("n{}", layers - 1), layers < 4);
    b = if flat { b.flatten("out", &last).readout("out", ReadoutRule::Sum) } else { b.readout(&last, ReadoutRule::Sum) };
    b.build()
}

/// The same network with another number of spikes a step.
pub(super) fn with_spikes(graph: &EventGraph, spikes: SpikesPerStep) -> EventGraph {
    let mut graph = graph.clone();
    for node in &mut graph.nodes {
        if let Op::Neuron(neuron) = &mut node.op {
            neuron.spikes = spikes;
        }
    }
    graph
}
