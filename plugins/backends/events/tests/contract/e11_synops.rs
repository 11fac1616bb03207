//! E11: synaptic operations equal the fan-out of every spike, counted from the dense run by brute force.

use crate::nets::{Family, Grid, Recipe, feed, network, run};
use zoo_backend_events::modes::Outcome;
use zoo_backend_events::settings::Mode;
use zoo_formats::event_graph::{EventGraph, Op};

/// Weights each input position of a node meets, by walking over outputs and taps.
fn fan_out(graph: &EventGraph, node: usize) -> Vec<u64> {
    let shapes = graph.shapes().unwrap();
    let input = graph.edges().unwrap()[node][0];
    let n: usize = shapes[input].iter().product();
    match &graph.nodes[node].op {
        Op::Linear { .. } => vec![shapes[node][0] as u64; n],
        Op::Conv2d { weight, stride, padding, dilation, groups, .. } => {
            let kernel = &graph.tensors[weight].shape()[2..];
            let (from, to) = (&shapes[input], &shapes[node]);
            let mut count = vec![0; n];
            for co in 0..to[0] {
                let group = co / (to[0] / groups);
                for (oy, ox) in (0..to[1]).flat_map(|y| (0..to[2]).map(move |x| (y, x))) {
                    for (ky, kx) in (0..kernel[0]).flat_map(|y| (0..kernel[1]).map(move |x| (y, x))) {
                        let y = (oy * stride[0] + ky * dilation[0]) as isize - padding[0] as isize;
                        let x = (ox * stride[1] + kx * dilation[1]) as isize - padding[1] as isize;
                        if y >= 0 && x >= 0 && (y as usize) < from[1] && (x as usize) < from[2] {
                            for ci in group * (from[0] / groups)..(group + 1) * (from[0] / groups) {
                                count[(ci * from[1] + y as usize) * from[2] + x as usize] += 1;
                            }
                        }
                    }
                }
            }
            count
        }
        _ => vec![0; n],
    }
}

/// Additions by brute force: for each weighted node, each event of its input (counts from the clocked run).
fn expected(graph: &EventGraph, clocked: &Outcome) -> u64 {
    let edges = graph.edges().unwrap();
    let mut total = 0;
    for (i, node) in graph.nodes.iter().enumerate() {
        if matches!(node.op, Op::Conv2d { .. } | Op::Linear { .. }) {
            let fan = fan_out(graph, i);
            let raster = &clocked.layer(&graph.nodes[edges[i][0]].name).unwrap().raster;
            total += raster.index.iter().zip(&raster.value).map(|(&n, &v)| fan[n as usize] * v as u64).sum::<u64>();
        }
    }
    total
}

#[test]
fn additions_are_exact_at_borders() {
    for family in [Family::If, Family::Lif] {
        for seed in 0..120 {
            let recipe = Recipe::plain(family, Grid::Dyadic);
            let (mut graph, data) = network(seed, recipe);
            // Amplitude-carrying spikes count once; give them unit payload so that values are multiplicities.
            for node in &mut graph.nodes {
                if let Op::Neuron(neuron) = &mut node.op {
                    neuron.payload = zoo_formats::event_graph::Payload::Unit;
                }
            }
            let clocked = run(&graph, &feed(recipe, &data), Mode::Clocked);
            let tick = run(&graph, &feed(recipe, &data), Mode::TickSync);
            let counted: u64 = tick.layers.iter().map(|l| l.counters.additions).sum();
            assert_eq!(counted, expected(&graph, &clocked), "seed {seed}");
            assert_eq!(tick.layers.iter().map(|l| l.counters.products).sum::<u64>(), 0);
            for layer in tick.layers.iter().filter(|l| l.spiking) {
                let spikes: f32 = clocked.layer(&layer.name).unwrap().raster.value.iter().sum();
                assert_eq!(layer.counters.spikes, spikes as u64, "seed {seed}, {}", layer.name);
            }
        }
    }
}
