//! E13 to E15: constant currents, amplitude-carrying spikes, and causality.

use crate::nets::{Family, Grid, Random, Recipe, feed, network, run, same, tensor, train};
use zoo_backend_events::modes::Feed;
use zoo_backend_events::settings::Mode;
use zoo_formats::event_graph::{EventGraph, Neuron, Payload, ReadoutRule, Source};

#[test]
fn e13_constant_current_has_a_closed_form() {
    // v0 in [0, theta), 0 <= c <= theta: spikes by step t number floor((v0 + c t) / theta).
    let random = &mut Random(13);
    for round in 0..40 {
        let (n, steps) = (250, 1 + random.below(40));
        let theta: Vec<usize> = (0..n).map(|_| 1 + random.below(60)).collect();
        let c: Vec<usize> = theta.iter().map(|&t| random.below(t + 1)).collect();
        let v0: Vec<usize> = theta.iter().map(|&t| random.below(t)).collect();
        let floats = |v: &[usize]| v.iter().map(|&x| x as f32).collect::<Vec<_>>();
        let graph = EventGraph::builder(steps)
            .input("x", [n], Source::Constant)
            .tensor("theta", tensor(&[n], &floats(&theta)))
            .tensor("v0", tensor(&[n], &floats(&v0)))
            .neuron("n", "x", Neuron { v_init: "v0".into(), ..Neuron::integrate_and_fire("theta") })
            .readout("n", ReadoutRule::Sum)
            .build()
            .unwrap();
        let expected: Vec<(u32, u32, f32)> = (0..steps)
            .flat_map(|t| (0..n).map(move |i| (t, i)))
            .filter(|&(t, i)| (v0[i] + c[i] * (t + 1)) / theta[i] > (v0[i] + c[i] * t) / theta[i])
            .map(|(t, i)| (t as u32, i as u32, 1.0))
            .collect();
        for mode in [Mode::TickSync, Mode::Clocked] {
            assert_eq!(train(&run(&graph, &[Feed::Image(&floats(&c))], mode), "n"), expected, "round {round}, {mode:?}");
        }
    }
}

#[test]
fn e14_amplitudes_and_unit_spikes_give_the_same_trains() {
    for seed in 0..100 {
        let random = &mut Random(seed);
        let (a, b) = (random.pick(&[0.25f32, 0.5, 1.0, 2.0]), random.pick(&[0.5f32, 1.0, 4.0]));
        let (w1, b1) = (crate::nets::weights(random, &[6, 5], Grid::Dyadic, 1.0), crate::nets::weights(random, &[6], Grid::Dyadic, 0.3));
        let (w2, b2) = (crate::nets::weights(random, &[4, 6], Grid::Dyadic, 1.0), crate::nets::weights(random, &[4], Grid::Dyadic, 0.3));
        let times =
            |t: &zoo_core::Tensor, f: f32| tensor(t.shape(), &t.as_slice::<f32>().unwrap().iter().map(|v| v * f).collect::<Vec<_>>());
        let build = |unit: bool| {
            let cell = |theta: f32| {
                if unit { Neuron::integrate_and_fire(1.0) } else { Neuron { payload: Payload::Theta, ..Neuron::integrate_and_fire(theta) } }
            };
            let pick = |t: &zoo_core::Tensor, f: f32| if unit { times(t, f) } else { t.clone() };
            EventGraph::builder(16)
                .input("x", [5], Source::Constant)
                .linear("l1", "x", pick(&w1, 1.0 / a), Some(pick(&b1, 1.0 / a)))
                .neuron("n1", "l1", cell(a))
                .linear("l2", "n1", pick(&w2, a / b), Some(pick(&b2, 1.0 / b)))
                .neuron("n2", "l2", cell(b))
                .readout("n2", ReadoutRule::Sum)
                .build()
                .unwrap()
        };
        let image: Vec<f32> = (0..5).map(|_| random.below(256) as f32 / 256.0).collect();
        let (theta, unit) =
            (run(&build(false), &[Feed::Image(&image)], Mode::TickSync), run(&build(true), &[Feed::Image(&image)], Mode::TickSync));
        for (layer, amplitude) in [("n1", a), ("n2", b)] {
            let scaled: Vec<_> = train(&unit, layer).into_iter().map(|(t, i, v)| (t, i, v * amplitude)).collect();
            assert_eq!(train(&theta, layer), scaled, "seed {seed}");
        }
        assert_eq!(theta.layers[1].counters.additions, unit.layers[1].counters.additions);
    }
}

#[test]
fn e15_a_longer_run_begins_like_a_shorter_one() {
    for family in [Family::If, Family::Lif, Family::Cuba] {
        for seed in 0..40 {
            let recipe = Recipe { bias: true, skips: true, source: Source::Frames, ..Recipe::plain(family, Grid::Any) };
            let (graph, data) = network(seed, recipe);
            let long = run(&graph, &feed(recipe, &data), Mode::TickSync);
            let area = data.len() / graph.steps;
            for k in 1..graph.steps {
                let short = run(&EventGraph { steps: k, ..graph.clone() }, &[Feed::Frames(&data[..k * area])], Mode::TickSync);
                assert_eq!(short.per_step, long.per_step[..short.per_step.len()], "seed {seed}, {k} steps");
            }
            same(&long, &run(&graph, &feed(recipe, &data), Mode::Clocked), "whole run");
        }
    }
}
