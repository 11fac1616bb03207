//! Integer runs: exact on their grid, order-free below saturation, saturation counted.

use crate::nets::{Family, Grid, Random, Recipe, feed, network_with, same, tensor};
use zoo_backend_events::modes::{Feed, Impulse, Outcome, execute};
use zoo_backend_events::settings::{DenseThreshold, Mode, Precision, Settings};
use zoo_formats::event_graph::{EventGraph, Neuron, Op, ReadoutRule, Source, SpikesPerStep};

fn int8(mode: Mode) -> Settings {
    Settings { mode, precision: Precision::Int8, ..Settings::default() }
}

fn saturations(outcome: &Outcome) -> u64 {
    outcome.layers.iter().map(|l| l.counters.saturations).sum()
}

#[test]
fn integers_equal_floats_on_an_eight_bit_grid() {
    let make = |_: usize, _: Family, _: Grid, r: &mut Random| Neuron {
        spikes: r.pick(&[SpikesPerStep::One, SpikesPerStep::Trunc]),
        floor: r.pick(&[None, Some(-1.0)]),
        ..Neuron::integrate_and_fire(r.pick(&[1.0, 0.75, 2.0]))
    };
    for (bias, skips, average) in [(false, false, false), (true, true, false), (false, true, true)] {
        let recipe = Recipe { bias, skips, average, ..Recipe::plain(Family::If, Grid::Eight) };
        for seed in 0..80 {
            let (graph, data) = network_with(seed, recipe, make);
            let float = execute(&graph, &feed(recipe, &data), &Settings { mode: Mode::Clocked, ..Settings::default() }).unwrap();
            for dense in [DenseThreshold::Off, DenseThreshold::Above(0.0)] {
                let integer = execute(&graph, &feed(recipe, &data), &Settings { dense_threshold: dense, ..int8(Mode::TickSync) }).unwrap();
                if saturations(&integer) == 0 && !average {
                    same(&integer, &float, &format!("seed {seed}"));
                } else {
                    // Average pools pass counts on in integer runs and means in float runs: compare neurons only.
                    for layer in integer.layers.iter().filter(|l| l.spiking) {
                        assert_eq!(layer.raster.sorted(), float.layer(&layer.name).unwrap().raster.sorted(), "seed {seed}, {}", layer.name);
                    }
                }
            }
        }
    }
}

#[test]
fn the_order_of_events_within_a_step_does_not_matter() {
    let recipe = Recipe::plain(Family::If, Grid::Any);
    for seed in 0..60 {
        let (graph, data) = network_with(seed, recipe, |_, _, _, _| Neuron::integrate_and_fire(1.0));
        let n = data.len() / graph.steps;
        let mut events: Vec<_> = (0..data.len())
            .flat_map(|i| vec![Impulse { step: (i / n) as u32, index: (i % n) as u32, value: 1.0 }; data[i] as usize])
            .collect();
        let a = execute(&graph, &[Feed::Impulses(&events)], &int8(Mode::TickSync)).unwrap();
        let random = &mut Random(seed);
        for i in (1..events.len()).rev() {
            let j = random.below(i + 1);
            if events[i].step == events[j].step {
                events.swap(i, j);
            }
        }
        same(&a, &execute(&graph, &[Feed::Impulses(&events)], &int8(Mode::TickSync)).unwrap(), "shuffled");
    }
}

#[test]
fn saturation_is_exact_and_counted() {
    // 300 events of weight 127 give 38,100: past 16 bits. The membrane stops at 32,767 and says so.
    let graph = EventGraph::builder(2)
        .input("x", [1], Source::Events)
        .linear("l", "x", tensor(&[2, 1], &[127.0, -1.0]), None)
        .neuron("n", "l", Neuron::integrate_and_fire(32_767.0))
        .readout("n", ReadoutRule::Sum)
        .build()
        .unwrap();
    let outcome = execute(&graph, &[Feed::Impulses(&[Impulse { step: 0, index: 0, value: 300.0 }])], &int8(Mode::TickSync)).unwrap();
    assert_eq!(saturations(&outcome), 1);
    assert_eq!(outcome.logits, [1.0, 0.0]);
    assert_eq!(outcome.layer("n").unwrap().membrane, [0.0, -300.0]);
    // Large intermediate sums that cancel within the step do not saturate anything.
    let graph = EventGraph::builder(1)
        .input("x", [2], Source::Events)
        .linear("l", "x", tensor(&[1, 2], &[127.0, -127.0]), None)
        .neuron("n", "l", Neuron::integrate_and_fire(127.0))
        .readout("n", ReadoutRule::Sum)
        .build()
        .unwrap();
    let events = [Impulse { step: 0, index: 0, value: 1001.0 }, Impulse { step: 0, index: 1, value: 1000.0 }];
    let outcome = execute(&graph, &[Feed::Impulses(&events)], &int8(Mode::TickSync)).unwrap();
    assert_eq!((saturations(&outcome), outcome.logits), (0, vec![1.0]));
}

#[test]
fn what_integers_cannot_express_is_refused_by_node() {
    let recipe = Recipe::plain(Family::Cuba, Grid::Any);
    let (graph, data) = network_with(0, recipe, |_, f, g, r| crate::nets::neuron(r, f, g));
    let error = execute(&graph, &feed(recipe, &data), &int8(Mode::TickSync)).unwrap_err().to_string();
    let cuba = graph.nodes.iter().find(|n| matches!(n.op, Op::Neuron(_))).unwrap();
    assert!(error.contains(&cuba.name) && error.contains("f32"), "{error}");
    let graph =
        EventGraph::builder(1).input("x", [1], Source::Constant).li("v", "x", 0.5).readout("v", ReadoutRule::Membrane).build().unwrap();
    assert!(execute(&graph, &[Feed::Image(&[1.0])], &int8(Mode::TickSync)).unwrap_err().to_string().contains("inputs other than events"));
}
