use super::*;
use proptest::prelude::*;
use zoo_core::Result;

fn tensor(shape: &[usize], value: f32) -> Tensor {
    Tensor::from_vec(shape, vec![value; shape.iter().product()]).unwrap()
}

fn residual() -> Builder {
    EventGraph::builder(4)
        .input("x", [2, 5, 5], Source::Events)
        .conv2d("a", "x", tensor(&[2, 2, 3, 3], 0.25), Some(tensor(&[2], 0.5)))
        .padding([1, 1])
        .add("sum", ["a", "x"])
        .neuron("n", "sum", Neuron { v_init: "v0".into(), floor: Some(-1.0), ..Neuron::integrate_and_fire(1.0) })
        .tensor("v0", tensor(&[2, 5, 5], 0.125))
        .avg_pool2d("pool", "n", [2, 2])
        .flatten("flat", "pool")
        .linear("fc", "flat", tensor(&[3, 8], 1.0), None)
        .readout("fc", ReadoutRule::Mean)
}

#[test]
fn shapes_follow_the_edges() {
    let graph = residual().build().unwrap();
    let shapes = graph.shapes().unwrap();
    let of = |name: &str| shapes[graph.nodes.iter().position(|n| n.name == name).unwrap()].clone();
    assert_eq!(of("n"), [2, 5, 5]);
    // The fifth row and column lie beyond the last full window.
    assert_eq!(of("pool"), [2, 2, 2]);
    assert_eq!(of("fc"), [3]);
}

#[test]
fn rewriting_gives_the_same_bytes() {
    let graph = residual().metadata("paper", "x").per_step().build().unwrap();
    let (json, weights) = (graph.to_json().unwrap(), graph.to_safetensors().unwrap());
    let read = EventGraph::from_bytes(&json, &weights).unwrap();
    assert_eq!(read, graph);
    assert_eq!(read.to_json().unwrap(), json);
    assert_eq!(read.to_safetensors().unwrap(), weights);
}

#[test]
fn every_neuron_rule_survives_a_round_trip() {
    let neuron = Neuron {
        dynamics: Dynamics::CubaLif { decay_mem: 0.9.into(), decay_syn: 0.8.into(), gain_syn: 1.0, gain_mem: 0.25 },
        reset: Reset::Value(-0.5),
        payload: Payload::Theta,
        compare: Compare::Greater,
        refractory: 2,
        ..Neuron::integrate_and_fire(0.7f32)
    };
    let graph = EventGraph::builder(2)
        .input("x", [3], Source::GradedEvents)
        .neuron("n", "x", neuron)
        .delay("d", "n", 2)
        .li("out", "d", 0.5)
        .readout("out", ReadoutRule::Membrane)
        .build()
        .unwrap();
    let back = EventGraph::from_artifact(&graph.to_artifact("step").unwrap()).unwrap();
    assert_eq!(back, graph);
}

#[track_caller]
fn refused(result: Result<EventGraph>, parts: &[&str]) {
    let text = result.expect_err("must be refused").to_string();
    for part in parts {
        assert!(text.contains(part), "`{text}` does not say `{part}`");
    }
}

#[test]
fn wrong_graphs_are_refused_by_node() {
    refused(residual().linear("late", "flat", tensor(&[3, 9], 1.0), None).build(), &["late", "[N_out, 8]", "[3, 9]"]);
    refused(residual().tensor("a.weight", tensor(&[2, 2, 3, 3], f32::NAN)).build(), &["`a`", "NaN", "element 0"]);
    refused(residual().tensor("v0", tensor(&[3], 0.0)).build(), &["`n`, v_init", "[2] or [2, 5, 5]"]);
    refused(residual().neuron("m", "flat", Neuron::integrate_and_fire(-1.0)).build(), &["`m`", "above 0", "-1"]);
    refused(residual().neuron("m", "flat", Neuron::integrate_and_fire(0.0)).build(), &["`m`", "above 0"]);
    refused(residual().neuron("m", "flat", Neuron::integrate_and_fire(1e-60)).build(), &["`m`", "too small"]);
    refused(residual().flatten("x", "n").build(), &["`x`", "twice"]);
    refused(residual().flatten("q", "nowhere").build(), &["`q`", "`nowhere`"]);
    refused(residual().groups(2).build(), &["groups was set on linear"]);
    refused(residual().delay("d", "n", 0).build(), &["`d`", "delay"]);
    refused(residual().readout("pool", ReadoutRule::Sum).build(), &["readout", "`pool`", "flatten"]);
    refused(residual().readout("fc", ReadoutRule::Membrane).build(), &["membrane", "linear"]);
    let trunc = Neuron { spikes: SpikesPerStep::Trunc, reset: Reset::Zero, ..Neuron::integrate_and_fire(1.0) };
    refused(residual().neuron("m", "flat", trunc).build(), &["`m`", "subtract"]);
}

#[test]
fn a_cycle_needs_a_delay() {
    let cycle = |b: Builder| b.add("loop", ["flat", "back"]).neuron("r", "loop", Neuron::integrate_and_fire(1.0));
    refused(cycle(residual()).scale("back", "r", 0.5).build(), &["cycle without a delay"]);
    let plain = cycle(residual()).delay("back", "r", 1).build();
    assert!(plain.is_ok(), "{plain:?}");
    let mismatch = cycle(residual()).delay("late", "r", 1).linear("back", "late", tensor(&[7, 8], 0.5), None).build();
    refused(mismatch, &["`loop`", "[8]", "[7]"]);
    let through_weights = residual()
        .add("loop", ["flat", "back"])
        .neuron("r", "loop", Neuron::integrate_and_fire(1.0))
        .delay("late", "fc", 1)
        .linear("back", "late", tensor(&[8, 3], 0.5), None)
        .build();
    assert!(through_weights.is_ok(), "{through_weights:?}");
}

#[test]
fn unknown_types_and_attributes_are_refused_by_node() {
    let graph = residual().build().unwrap();
    let (json, weights) = (String::from_utf8(graph.to_json().unwrap()).unwrap(), graph.to_safetensors().unwrap());
    let read = |from: &str, to: &str| {
        assert!(json.contains(from), "{from}");
        EventGraph::from_bytes(json.replacen(from, to, 1).as_bytes(), &weights)
    };
    refused(read("\"avg-pool2d\"", "\"max-pool2d\""), &["max-pool2d", "`pool`"]);
    refused(read("\"groups\": 1", "\"groups\": 1, \"mode\": 3"), &["`a`", "mode"]);
    refused(read("\"floor\"", "\"flor\""), &["`n`", "flor"]);
    refused(read("\">=\"", "\"=>\""), &["`n`", "=>"]);
    refused(read("graph/1", "graph/2"), &["schema", "zoo.event-graph/1"]);
    refused(read("\"steps\": 4", "\"steps\": 0"), &["steps"]);
    refused(read("5,\n", "4000000000,\n"), &["`x`"]);
    refused(EventGraph::from_bytes(json.as_bytes(), &weights[..weights.len() - 1]), &["graph.safetensors"]);
    refused(EventGraph::from_bytes(b"{", &weights), &["not JSON"]);
}

proptest! {
    #[test]
    fn damaged_files_never_panic(at in any::<proptest::sample::Index>(), byte in any::<u8>(), cut in any::<proptest::sample::Index>()) {
        let graph = residual().build().unwrap();
        let (mut json, mut weights) = (graph.to_json().unwrap(), graph.to_safetensors().unwrap());
        let (i, j) = (at.index(json.len()), at.index(weights.len()));
        json[i] = byte;
        let _ = EventGraph::from_bytes(&json, &weights);
        weights[j] = byte;
        let _ = EventGraph::from_bytes(&graph.to_json().unwrap(), &weights);
        let _ = EventGraph::from_bytes(&json[..cut.index(json.len())], &weights[..cut.index(weights.len())]);
    }
}
