//! E3 to E5: the two asynchronous orders against each other and against the clock.

use crate::nets::{Family, Grid, Recipe, feed, network, run, train, wires};
use zoo_backend_events::modes::{Feed, Impulse, divergence};
use zoo_backend_events::settings::{Mode, Settings};
use zoo_formats::event_graph::Neuron;

const ONE: [Impulse; 1] = [Impulse { step: 0, index: 0, value: 1.0 }];

#[test]
fn e03_chains_give_the_same_sequence_in_both_orders() {
    for family in [Family::If, Family::Lif] {
        for seed in 0..150 {
            let recipe = Recipe::plain(family, Grid::Any);
            let (graph, data) = network(seed, recipe);
            let bfs = run(&graph, &feed(recipe, &data), Mode::AsyncBfs);
            let dfs = run(&graph, &feed(recipe, &data), Mode::AsyncDfs);
            for (a, b) in bfs.layers.iter().zip(&dfs.layers) {
                // Not sorted: the sequence itself.
                assert_eq!(a.raster, b.raster, "seed {seed}, {}", a.name);
                assert_eq!(a.membrane, b.membrane, "seed {seed}, {}", a.name);
            }
        }
    }
}

#[test]
fn e04_orders_differ_where_paths_race() {
    // x excites A and inhibits C; A excites B excites C.
    let edges = [("A", "x", 1.0), ("C", "x", -1.0), ("B", "A", 1.0), ("C", "B", 1.0)];
    let graph = wires(1, &["A", "B", "C"], &edges, "C", |_| Neuron::integrate_and_fire(1.0));
    let count = |mode| train(&run(&graph, &[Feed::Impulses(&ONE)], mode), "C").len();
    assert_eq!(count(Mode::AsyncDfs), 1);
    assert_eq!(count(Mode::AsyncBfs), 0);
    assert_eq!(count(Mode::TickSync), 0);
}

#[test]
fn e05_cancellation_is_seen_by_the_clock_only() {
    let edges = [("A", "x", 1.0), ("B", "x", 1.0), ("C", "A", 1.0), ("C", "B", -1.0)];
    let graph = wires(1, &["A", "B", "C"], &edges, "C", |_| Neuron::integrate_and_fire(1.0));
    let count = |mode| train(&run(&graph, &[Feed::Impulses(&ONE)], mode), "C").len();
    assert_eq!(count(Mode::AsyncDfs), 1);
    assert_eq!(count(Mode::AsyncBfs), 1);
    assert_eq!(count(Mode::TickSync), 0);
    let report = divergence(&graph, &[Feed::Impulses(&ONE)], &Settings { mode: Mode::AsyncDfs, ..Settings::default() }).unwrap();
    let of = |name: &str| report.layers.iter().find(|l| l.layer == name).unwrap().clone();
    assert_eq!(of("A").spike_difference, Some(0.0));
    // The reference is silent and the run is not: counted apart, not divided by zero.
    assert_eq!((of("C").clocked, of("C").asynchronous, of("C").spike_difference), (0.0, 1.0, None));
    assert_eq!(report.logits, 1.0);
}
