//! Event graphs to NIR and back: nothing lost where nothing can be, and every loss named and refused unless accepted.

use crate::nir_clocked;

use zoo_core::Tensor;
use zoo_formats::event_graph::{Compare, Dynamics, EventGraph, Neuron, Param, Payload, ReadoutRule, Reset, Source, SpikesPerStep};
use zoo_formats::nir::{Dialect, LossKind, NirGraph, NirNode, NirOptions};

/// A neuron that a dialect can say completely.
fn native(dialect: Dialect, leak: bool) -> Neuron {
    let base = if leak || dialect == Dialect::SnnTorch { Neuron::leaky(0.5, 1.0) } else { Neuron::integrate_and_fire(1.0) };
    let is_if = base.dynamics == Dynamics::If;
    match dialect {
        Dialect::Sinabs => Neuron {
            compare: Compare::GreaterEqual,
            reset: Reset::Subtract,
            spikes: SpikesPerStep::Trunc,
            floor: is_if.then_some(-1.0),
            ..base
        },
        Dialect::SpikingJelly => Neuron { compare: Compare::GreaterEqual, reset: Reset::Zero, ..base },
        _ => Neuron { compare: Compare::Greater, reset: Reset::Zero, ..base },
    }
}

fn dyadic(shape: &[usize], seed: usize) -> Tensor {
    let count: usize = shape.iter().product();
    Tensor::from_vec(shape, (0..count).map(|i| ((i * 37 + seed * 11) % 29) as f32 / 16.0 - 0.75).collect()).unwrap()
}

/// A residual net with every operation both sides know.
fn net(dialect: Dialect) -> EventGraph {
    EventGraph::builder(10)
        .input("x", [2, 6, 6], Source::Events)
        .conv2d("conv", "x", dyadic(&[3, 2, 3, 3], 1), Some(dyadic(&[3], 2)))
        .padding([1, 1])
        .neuron("n1", "conv", native(dialect, false))
        .conv2d("inner", "n1", dyadic(&[3, 3, 3, 3], 3), None)
        .padding([1, 1])
        .add("sum", ["inner", "n1"])
        .neuron("n2", "sum", native(dialect, true))
        .sum_pool2d("pool", "n2", [2, 2])
        .flatten("flat", "pool")
        .linear("fc", "flat", dyadic(&[4, 27], 4), None)
        .neuron("out", "fc", native(dialect, true))
        .readout("out", ReadoutRule::Sum)
        .build()
        .unwrap()
}

fn frames(count: usize, size: usize) -> Vec<Vec<f32>> {
    (0..count).map(|t| (0..size).map(|i| f32::from((i * 7 + t * 13) % 5 == 0)).collect()).collect()
}

#[test]
fn every_dialect_keeps_the_spikes_of_what_it_can_say() {
    for dialect in Dialect::ALL {
        let graph = net(dialect);
        let options = NirOptions::new(dialect).steps(10);
        let (nir, losses) = NirGraph::from_event_graph(&graph, &options, &[]).unwrap();
        assert!(losses.is_empty(), "{dialect}: {losses:?}");
        let bytes = nir.to_bytes().unwrap();
        let (back, losses) = NirGraph::from_bytes("t", bytes).unwrap().to_event_graph(&options).unwrap();
        assert!(losses.is_empty(), "{dialect}: {losses:?}");
        let input = frames(10, 72);
        let (ours, theirs) = (nir_clocked::run(&graph, &input, "out"), nir_clocked::run(&back, &input, &back.readout.node));
        assert_eq!(ours, theirs, "{dialect}");
        assert!(ours.concat().iter().sum::<f32>() > 0.0, "{dialect}: a silent net shows nothing");
    }
}

fn single(neuron: Neuron) -> EventGraph {
    let builder = EventGraph::builder(10).input("x", [3], Source::Events).linear("fc", "x", dyadic(&[4, 3], 1), None);
    builder.neuron("n", "fc", neuron).readout("n", ReadoutRule::Sum).build().unwrap()
}

#[test]
fn each_loss_is_named_refused_and_accepted() {
    let strict = || native(Dialect::NirStrict, true);
    let cases = [
        (Dialect::NirStrict, Neuron { reset: Reset::Subtract, ..strict() }, LossKind::Reset),
        (Dialect::NirStrict, Neuron { compare: Compare::GreaterEqual, ..strict() }, LossKind::Compare),
        (Dialect::NirStrict, Neuron { floor: Some(-1.0), ..strict() }, LossKind::Floor),
        (Dialect::NirStrict, Neuron { refractory: 2, ..strict() }, LossKind::Refractory),
        (Dialect::NirStrict, Neuron { v_init: Param::Scalar(0.5), ..strict() }, LossKind::VInit),
        (Dialect::Sinabs, Neuron { spikes: SpikesPerStep::One, ..native(Dialect::Sinabs, true) }, LossKind::SpikesPerStep),
        (Dialect::Sinabs, Neuron { floor: None, ..native(Dialect::Sinabs, false) }, LossKind::Floor),
        (Dialect::Norse, Neuron { reset: Reset::Value(-0.5), ..strict() }, LossKind::Reset),
    ];
    for (dialect, neuron, kind) in cases {
        let options = NirOptions::new(dialect).steps(10);
        let graph = single(neuron);
        let message = NirGraph::from_event_graph(&graph, &options, &[]).unwrap_err().to_string();
        assert!(message.contains("node `n`") && message.contains(&format!("({kind:?})")), "{message}");
        let (_, losses) = NirGraph::from_event_graph(&graph, &options, &[kind]).unwrap();
        assert_eq!(losses.iter().map(|l| l.kind).collect::<Vec<_>>(), [kind]);
    }
    let graph = single(strict());
    let readout = NirGraph::from_event_graph(&graph, &NirOptions::new(Dialect::NirStrict), &[]).unwrap_err().to_string();
    assert!(readout.contains("10 steps, Sum, read as 100 steps"), "{readout}");
    let options = NirOptions::new(Dialect::NirStrict).steps(10).source(Source::Frames);
    let (_, losses) = NirGraph::from_event_graph(&graph, &options, &LossKind::ALL).unwrap();
    assert_eq!(losses[0].kind, LossKind::Source);
}

#[test]
fn a_reset_value_and_amplitudes_survive() {
    let neuron =
        Neuron { reset: Reset::Value(-0.25), payload: Payload::Theta, threshold: Param::Scalar(0.5), ..native(Dialect::NirStrict, true) };
    let graph = single(neuron);
    let options = NirOptions::new(Dialect::NirStrict).steps(10);
    let (nir, losses) = NirGraph::from_event_graph(&graph, &options, &[]).unwrap();
    assert!(losses.is_empty());
    assert_eq!(nir.nodes["n.payload"].kind(), "Scale");
    let (back, _) = NirGraph::from_bytes("t", nir.to_bytes().unwrap()).unwrap().to_event_graph(&options).unwrap();
    let input = frames(10, 3);
    // The payload is a node of its own now: compare what it passes on with the spikes times the threshold.
    let spikes = nir_clocked::run(&graph, &input, "n").concat();
    let passed = nir_clocked::run(&back, &input, &back.readout.node).concat();
    assert_eq!(spikes.iter().map(|s| s * 0.5).collect::<Vec<_>>(), passed);
}

#[test]
fn gains_that_a_reader_leaves_out_become_products() {
    let neuron = Neuron { dynamics: Dynamics::Lif { decay: Param::Scalar(0.5), gain: 0.25 }, ..native(Dialect::Sinabs, true) };
    let options = NirOptions::new(Dialect::Sinabs).steps(10);
    let (nir, _) = NirGraph::from_event_graph(&single(neuron), &options, &[]).unwrap();
    let NirNode::Scale { scale } = &nir.nodes["n.gain"] else { panic!("a scale") };
    assert_eq!(scale.to_f32(), [0.25; 4]);
    assert!(nir.edges.contains(&("fc".into(), "n.gain".into())) && nir.edges.contains(&("n.gain".into(), "n".into())));
}

#[test]
fn parameters_broadcast_and_are_checked() {
    let one = |values: &[f32]| Tensor::from_vec([values.len()], values.to_vec()).unwrap();
    let graph = |lif: NirNode| NirGraph {
        version: String::new(),
        nodes: [
            ("x".to_string(), NirNode::Input { shape: Vec::new() }),
            ("fc".into(), NirNode::Linear { weight: dyadic(&[3, 2], 1) }),
            ("n".into(), lif),
            ("y".into(), NirNode::Output { shape: vec![3] }),
        ]
        .into(),
        edges: [("x", "fc"), ("fc", "n"), ("n", "y")].map(|(a, b)| (a.to_string(), b.to_string())).to_vec(),
    };
    let lif = |tau: &[f32], v_leak: &[f32], v_reset: Option<&[f32]>| NirNode::Lif {
        tau: one(tau),
        r: one(&[1.0]),
        v_leak: one(v_leak),
        v_threshold: Tensor::scalar(1.0f32),
        v_reset: v_reset.map(one),
    };
    let options = NirOptions::new(Dialect::NirStrict);
    // The input's shape comes from its reader; different time constants mean different gains, so a product is added.
    let (event, _) = graph(lif(&[2e-4, 4e-4, 8e-4], &[0.0], None)).to_event_graph(&options).unwrap();
    assert_eq!(event.shapes().unwrap().len(), event.nodes.len());
    assert!(event.node("n.gain").is_some());
    // A leak elsewhere than 0 moves threshold, reset and start.
    let (event, _) = graph(lif(&[2e-4], &[0.25], Some(&[0.5]))).to_event_graph(&options).unwrap();
    let zoo_formats::event_graph::Op::Neuron(neuron) = &event.node("n").unwrap().op else { panic!("a neuron") };
    assert_eq!((&neuron.threshold, neuron.reset, &neuron.v_init), (&Param::Scalar(0.75), Reset::Value(0.25), &Param::Scalar(-0.25)));

    let refused = |node, options: &NirOptions| graph(node).to_event_graph(options).unwrap_err().to_string();
    assert!(refused(lif(&[1e-5], &[0.0], None), &options).contains("more than 1; give the dt"));
    assert!(refused(lif(&[-1.0], &[0.0], None), &options).contains("expected seconds above 0"));
    assert!(refused(lif(&[1.0, 2.0], &[0.0; 3], None), &options).contains("node `n.gain`"));
    assert!(refused(lif(&[1.0], &[0.0, 1.0], None), &options).contains("v_leak: expected one value"));
    assert!(refused(lif(&[1.0], &[0.5], None), &NirOptions::new(Dialect::SnnTorch)).contains("v_leak: expected 0"));
    assert!(refused(lif(&[1.0], &[0.0], None), &options.dt(f64::NAN)).contains("a positive number of seconds"));
    let integrate = NirNode::If { r: one(&[1.0]), v_threshold: one(&[1.0]), v_reset: None };
    assert!(refused(integrate, &NirOptions::new(Dialect::SnnTorch)).contains("choose another dialect"));
    assert!(Dialect::parse("lava").unwrap_err().to_string().contains("nir-strict, sinabs, spikingjelly, snntorch, norse"));
}
