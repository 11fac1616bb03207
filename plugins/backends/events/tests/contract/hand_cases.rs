//! Cases worked by hand.

use crate::nets::{run, tensor, train};
use zoo_backend_events::modes::{Feed, Impulse};
use zoo_backend_events::settings::Mode;
use zoo_formats::event_graph::{Builder, Compare, EventGraph, Neuron, ReadoutRule, Reset, Source, SpikesPerStep};

const BOTH: [Mode; 2] = [Mode::TickSync, Mode::Clocked];

fn one(step: u32, index: u32) -> Impulse {
    Impulse { step, index, value: 1.0 }
}

#[track_caller]
fn check(graph: &EventGraph, events: &[Impulse], layer: &str, expected: &[(u32, u32, f32)]) {
    for mode in BOTH {
        assert_eq!(train(&run(graph, &[Feed::Impulses(events)], mode), layer), expected, "{mode:?}");
    }
}

fn finish(builder: Builder, from: &str) -> EventGraph {
    builder.flatten("flat", from).readout("flat", ReadoutRule::Sum).build().unwrap()
}

#[test]
fn a_strided_convolution_by_hand() {
    // 1 x 1 x 5, kernel 3 of (1, 2, 4), stride 2, padding 1: outputs at inputs (-1 0 1), (1 2 3), (3 4 5).
    let builder = EventGraph::builder(1)
        .input("x", [1, 1, 5], Source::Events)
        .conv2d("c", "x", tensor(&[1, 1, 1, 3], &[1.0, 2.0, 4.0]), None)
        .stride([1, 2])
        .padding([0, 1]);
    let graph = finish(builder, "c");
    check(&graph, &[one(0, 1)], "flat", &[(0, 0, 4.0), (0, 1, 1.0)]);
    check(&graph, &[one(0, 0), one(0, 4)], "flat", &[(0, 0, 2.0), (0, 2, 2.0)]);
    let outcome = run(&graph, &[Feed::Impulses(&[one(0, 0), one(0, 1), one(0, 4)])], Mode::TickSync);
    // Borders: input 0 meets one weight, input 1 two, input 4 one.
    assert_eq!(outcome.layers.iter().map(|l| l.counters.additions).sum::<u64>(), 4);
}

#[test]
fn odd_pools_drop_what_lies_past_the_last_full_window() {
    let graph = finish(EventGraph::builder(1).input("x", [1, 3, 3], Source::Events).sum_pool2d("p", "x", [2, 2]), "p");
    check(&graph, &[one(0, 0), one(0, 1), one(0, 4), one(0, 2), one(0, 8)], "p", &[(0, 0, 3.0)]);
}

#[test]
fn a_neuron_still_above_threshold_fires_without_input() {
    let build = |spikes| {
        EventGraph::builder(4)
            .input("x", [1], Source::Events)
            .linear("l", "x", tensor(&[1, 1], &[2.5]), None)
            .neuron("n", "l", Neuron { spikes, ..Neuron::integrate_and_fire(1.0) })
            .readout("n", ReadoutRule::Sum)
            .build()
            .unwrap()
    };
    check(&build(SpikesPerStep::One), &[one(0, 0)], "n", &[(0, 0, 1.0), (1, 0, 1.0)]);
    check(&build(SpikesPerStep::Trunc), &[one(0, 0)], "n", &[(0, 0, 2.0)]);
}

#[test]
fn a_membrane_that_starts_above_threshold_fires_at_once() {
    let neuron = Neuron { v_init: 2.0f32.into(), ..Neuron::integrate_and_fire(1.0) };
    let graph =
        EventGraph::builder(3).input("x", [2], Source::Events).neuron("n", "x", neuron).readout("n", ReadoutRule::Sum).build().unwrap();
    check(&graph, &[], "n", &[(0, 0, 1.0), (0, 1, 1.0), (1, 0, 1.0), (1, 1, 1.0)]);
}

#[test]
fn multiplicity_counts_in_sums_and_operations() {
    let graph = EventGraph::builder(1)
        .input("x", [1], Source::Events)
        .linear("l", "x", tensor(&[2, 1], &[0.5, -1.0]), None)
        .readout("l", ReadoutRule::Sum)
        .build()
        .unwrap();
    for mode in BOTH {
        assert_eq!(run(&graph, &[Feed::Impulses(&[Impulse { step: 0, index: 0, value: 3.0 }])], mode).logits, [1.5, -3.0]);
        assert_eq!(run(&graph, &[Feed::Impulses(&[one(0, 0); 3])], mode).logits, [1.5, -3.0]);
    }
    let outcome = run(&graph, &[Feed::Impulses(&[one(0, 0); 3])], Mode::TickSync);
    assert_eq!(outcome.layers.iter().map(|l| l.counters.additions).sum::<u64>(), 6);
}

#[test]
fn a_residual_sum_and_a_bias() {
    let graph = EventGraph::builder(2)
        .input("x", [2], Source::Events)
        .linear("l", "x", tensor(&[2, 2], &[1.0, 0.0, 0.0, 0.25]), Some(tensor(&[2], &[0.0, 0.25])))
        .add("sum", ["l", "x"])
        .neuron("n", "sum", Neuron { spikes: SpikesPerStep::Trunc, ..Neuron::integrate_and_fire(1.0) })
        .readout("n", ReadoutRule::Mean)
        .build()
        .unwrap();
    // Neuron 0 gets 1 + 1; neuron 1 gets 0.25 + 0.25 + 1, then 0.25 and what was left.
    check(&graph, &[one(0, 0), one(0, 1)], "n", &[(0, 0, 2.0), (0, 1, 1.0)]);
    for mode in BOTH {
        let outcome = run(&graph, &[Feed::Impulses(&[one(0, 0), one(0, 1)])], mode);
        assert_eq!(outcome.layer("n").unwrap().membrane, [0.0, 0.75]);
        assert_eq!(outcome.logits, [1.0, 0.5]);
    }
}

#[test]
fn refractory_neurons_hold_and_discard() {
    let neuron = Neuron { refractory: 2, ..Neuron::integrate_and_fire(1.0) };
    let graph =
        EventGraph::builder(5).input("x", [1], Source::Events).neuron("n", "x", neuron).readout("n", ReadoutRule::Sum).build().unwrap();
    let every: Vec<_> = (0..5).map(|t| one(t, 0)).collect();
    check(&graph, &every, "n", &[(0, 0, 1.0), (3, 0, 1.0)]);
    for mode in [Mode::AsyncBfs, Mode::AsyncDfs] {
        assert_eq!(train(&run(&graph, &[Feed::Impulses(&every)], mode), "n"), [(0, 0, 1.0), (3, 0, 1.0)], "{mode:?}");
    }
}

#[test]
fn a_loop_through_a_delay_keeps_ringing() {
    let graph = EventGraph::builder(7)
        .input("x", [1], Source::Events)
        .add("sum", ["x", "back"])
        .neuron("n", "sum", Neuron::integrate_and_fire(1.0))
        .delay("back", "n", 3)
        .readout("n", ReadoutRule::Sum)
        .build()
        .unwrap();
    check(&graph, &[one(0, 0)], "n", &[(0, 0, 1.0), (3, 0, 1.0), (6, 0, 1.0)]);
    for mode in [Mode::AsyncBfs, Mode::AsyncDfs] {
        assert_eq!(train(&run(&graph, &[Feed::Impulses(&[one(0, 0)])], mode), "n"), [(0, 0, 1.0), (3, 0, 1.0), (6, 0, 1.0)]);
    }
}

#[test]
fn reset_values_and_concatenation() {
    let to = Neuron { reset: Reset::Value(-1.0), compare: Compare::Greater, ..Neuron::integrate_and_fire(1.0) };
    let graph = EventGraph::builder(2)
        .input("x", [1, 1, 2], Source::Events)
        .scale("twice", "x", 2.0)
        .concat("both", ["x", "twice"])
        .neuron("n", "both", to)
        .flatten("f", "n")
        .readout("f", ReadoutRule::Sum)
        .build()
        .unwrap();
    // Channel 0 holds 1 (not above 1), channel 1 holds 2, fires and goes to -1.
    check(&graph, &[one(0, 1)], "n", &[(0, 3, 1.0)]);
    for mode in BOTH {
        assert_eq!(run(&graph, &[Feed::Impulses(&[one(0, 1)])], mode).layer("n").unwrap().membrane, [0.0, 1.0, 0.0, -1.0]);
    }
}

#[test]
fn an_integrator_is_read_by_its_membrane() {
    let graph = EventGraph::builder(3)
        .input("x", [1], Source::Events)
        .li("v", "x", 0.5)
        .readout("v", ReadoutRule::Membrane)
        .per_step()
        .build()
        .unwrap();
    for mode in [Mode::TickSync, Mode::Clocked, Mode::AsyncBfs, Mode::AsyncDfs] {
        let outcome = run(&graph, &[Feed::Impulses(&[one(0, 0), one(2, 0)])], mode);
        assert_eq!(outcome.per_step, [1.0, 0.5, 1.25], "{mode:?}");
        assert_eq!(outcome.logits, [1.25]);
    }
}
