//! E6 to E8: comparison, clamp and pooling.

use crate::nets::{Family, Grid, Random, Recipe, feed, network, run, same, tensor, train, wires};
use zoo_backend_events::modes::{Feed, Impulse, Outcome};
use zoo_backend_events::settings::Mode;
use zoo_formats::event_graph::{Compare, EventGraph, Neuron, Op, ReadoutRule, Source};

const MODES: [Mode; 4] = [Mode::TickSync, Mode::AsyncBfs, Mode::AsyncDfs, Mode::Clocked];

#[test]
fn e06_strictness_decides_at_the_threshold() {
    for mode in MODES {
        let count = |compare| {
            let graph = wires(1, &["A"], &[("A", "x", 1.0)], "A", |_| Neuron { compare, ..Neuron::integrate_and_fire(1.0) });
            let outcome = run(&graph, &[Feed::Impulses(&[Impulse { step: 0, index: 0, value: 1.0 }])], mode);
            (train(&outcome, "A").len(), outcome.layer("A").unwrap().membrane[0])
        };
        assert_eq!(count(Compare::GreaterEqual), (1, 0.0), "{mode:?}");
        assert_eq!(count(Compare::Greater), (0, 1.0), "{mode:?}");
    }
}

#[test]
fn e07_the_clamp_acts_per_event_or_per_step() {
    let graph = wires(1, &["A"], &[("A", "x", 1.0)], "A", |_| Neuron { floor: Some(-1.0), ..Neuron::integrate_and_fire(1.0) });
    let events = [-2.0, 1.0, 1.0].map(|value| Impulse { step: 0, index: 0, value });
    let count = |mode| train(&run(&graph, &[Feed::Impulses(&events)], mode), "A").len();
    // Per event: -2 is lifted to -1, then 0, then 1 fires. Per step: the sum is 0.
    assert_eq!([count(Mode::AsyncBfs), count(Mode::AsyncDfs), count(Mode::TickSync), count(Mode::Clocked)], [1, 1, 0, 0]);
}

#[test]
fn e08_average_pool_equals_sum_pool_with_scaled_weights() {
    for k in [2usize, 4] {
        for seed in 0..40 {
            let random = &mut Random(seed);
            let w = crate::nets::weights(random, &[3, 8], Grid::Dyadic, 1.0);
            let scaled: Vec<f32> = w.as_slice::<f32>().unwrap().iter().map(|v| v / (k * k) as f32).collect();
            let build = |average: bool| {
                let b = EventGraph::builder(5).input("x", [2, 2 * k + 1, 2 * k], Source::Events);
                let b = if average { b.avg_pool2d("p", "x", [k, k]) } else { b.sum_pool2d("p", "x", [k, k]) };
                let w = if average { w.clone() } else { tensor(&[3, 8], &scaled) };
                b.flatten("f", "p")
                    .linear("l", "f", w, None)
                    .neuron("n", "l", Neuron::integrate_and_fire(0.5))
                    .readout("n", ReadoutRule::Sum)
                    .build()
                    .unwrap()
            };
            let data: Vec<f32> = (0..5 * 2 * (2 * k + 1) * 2 * k).map(|_| f32::from(u8::from(random.chance(0.3)))).collect();
            for mode in MODES {
                let (a, b) = (run(&build(true), &[Feed::Frames(&data)], mode), run(&build(false), &[Feed::Frames(&data)], mode));
                let of = |o: &Outcome| o.layer("n").map(|l| (l.raster.clone(), l.membrane.clone()));
                assert_eq!(of(&a), of(&b), "k {k}, seed {seed}, {mode:?}");
            }
        }
    }
}

#[test]
fn modes_agree_on_what_a_single_event_does() {
    // One event a step and no races: every mode sees the same thing.
    for seed in 0..60 {
        let recipe = Recipe { skips: false, ..Recipe::plain(Family::Lif, Grid::Dyadic) };
        let (graph, data) = network(seed, recipe);
        if graph.nodes.iter().filter(|n| matches!(n.op, Op::Neuron(_))).count() == 1 {
            same(&run(&graph, &feed(recipe, &data), Mode::AsyncBfs), &run(&graph, &feed(recipe, &data), Mode::AsyncDfs), "one layer");
        }
    }
}
