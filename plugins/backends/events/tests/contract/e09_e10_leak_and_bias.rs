//! E9 and E10: lazy leak and the ways to apply a bias.

use crate::nets::{Family, Grid, Random, Recipe, feed, network, run, tensor, train, wires};
use zoo_backend_events::modes::{Feed, Impulse, execute};
use zoo_backend_events::settings::{BiasMode, LeakMode, Mode, Settings};
use zoo_formats::event_graph::{Dynamics, EventGraph, Neuron, ReadoutRule, Source};

#[test]
fn e09_twelve_silent_steps_leave_exact_halves() {
    let make = |_: &str| Neuron { dynamics: Dynamics::Lif { decay: 0.5.into(), gain: 1.0 }, ..Neuron::integrate_and_fire(8.0) };
    let graph = wires(13, &["A"], &[("A", "x", 1.0)], "A", make);
    let event = [Impulse { step: 0, index: 0, value: 1.0 }];
    for mode in [Mode::TickSync, Mode::AsyncBfs, Mode::AsyncDfs, Mode::Clocked] {
        assert_eq!(run(&graph, &[Feed::Impulses(&event)], mode).layer("A").unwrap().membrane, [1.0 / 4096.0], "{mode:?}");
    }
}

#[test]
fn e09_fast_leak_keeps_its_stated_error() {
    let random = &mut Random(5);
    let mut worst = 0.0f64;
    for _ in 0..200 {
        let (decay, silent) = (0.5 + 0.5 * f64::from(random.unit()), 1 + random.below(60));
        let make = |_: &str| Neuron { dynamics: Dynamics::Lif { decay: decay.into(), gain: 1.0 }, ..Neuron::integrate_and_fire(8.0) };
        let graph = wires(silent + 1, &["A"], &[("A", "x", 1.0)], "A", make);
        let event = [Impulse { step: 0, index: 0, value: random.unit() }];
        let with = |leak| {
            let settings = Settings { leak, ..Settings::default() };
            execute(&graph, &[Feed::Impulses(&event)], &settings).unwrap().layer("A").unwrap().membrane[0]
        };
        let (exact, fast) = (with(LeakMode::Exact), with(LeakMode::Fast));
        let error = (exact - fast).abs() / exact.abs().max(f64::from(f32::MIN_POSITIVE));
        let stated = 2.0 * silent as f64 * 2f64.powi(-24);
        assert!(error <= stated, "decay {decay}, {silent} steps: {error:e} > {stated:e}");
        worst = worst.max(error);
    }
    assert!(worst > 0.0, "powers and products must differ somewhere for this test to mean anything");
}

#[test]
fn e10_a_bias_source_equals_the_closed_form() {
    // IF with soft reset and bias b fires next after ceil((threshold - v) / b) steps.
    let random = &mut Random(3);
    for _ in 0..300 {
        let (threshold, bias, v0) = (1 + random.below(40), 1 + random.below(40), random.below(40));
        let (bias, v0) = (bias.min(threshold), v0.min(threshold - 1));
        let graph = EventGraph::builder(50)
            .input("x", [1], Source::Events)
            .linear("l", "x", tensor(&[1, 1], &[1.0]), Some(tensor(&[1], &[bias as f32])))
            .neuron("n", "l", Neuron { v_init: (v0 as f32).into(), ..Neuron::integrate_and_fire(threshold as f32) })
            .readout("n", ReadoutRule::Sum)
            .build()
            .unwrap();
        let (mut v, mut step, mut times) = (v0, 0, Vec::new());
        loop {
            let wait = (threshold - v).div_ceil(bias);
            step += wait;
            if step > 50 {
                break;
            }
            times.push((step - 1) as u32);
            v = v + wait * bias - threshold;
        }
        for mode in [Mode::TickSync, Mode::AsyncBfs, Mode::AsyncDfs, Mode::Clocked] {
            let found: Vec<u32> = train(&run(&graph, &[Feed::Impulses(&[])], mode), "n").iter().map(|e| e.0).collect();
            assert_eq!(found, times, "{mode:?}: threshold {threshold}, bias {bias}, v0 {v0}");
        }
    }
}

#[test]
fn e10_dropping_a_bias_is_refused_unless_it_is_zero() {
    let recipe = Recipe { bias: true, ..Recipe::plain(Family::If, Grid::Dyadic) };
    let (graph, data) = network(1, recipe);
    let settings = Settings { mode: Mode::AsyncDfs, bias: BiasMode::Dropped, ..Settings::default() };
    let error = execute(&graph, &feed(recipe, &data), &settings).unwrap_err().to_string();
    assert!(error.contains("events.bias") && error.contains("conv0"), "{error}");
    let mut zero = graph;
    for (name, tensor) in &mut zero.tensors {
        if name.ends_with(".bias") {
            tensor.as_mut_slice::<f32>().unwrap().fill(0.0);
        }
    }
    assert!(execute(&zero, &feed(recipe, &data), &settings).is_ok());
}
