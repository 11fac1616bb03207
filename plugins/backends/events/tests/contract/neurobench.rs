//! Costs of five nets against NeuroBench's counts (`tests/golden/neurobench/make.py`).

use crate::nets::{run, tensor};
use serde_json::Value;
use zoo_backend_events::cost::cost;
use zoo_backend_events::modes::Feed;
use zoo_backend_events::settings::Mode;
use zoo_formats::event_graph::{EventGraph, Neuron, ReadoutRule, Source};

fn numbers(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect()
}

#[test]
fn effective_and_dense_operations_are_those_of_neurobench() {
    let golden: Value = serde_json::from_str(include_str!("../golden/neurobench/neurobench.json")).unwrap();
    let steps = golden["steps"].as_u64().unwrap() as usize;
    let nets = golden["nets"].as_array().unwrap();
    assert_eq!(nets.len(), 5);
    for (n, net) in nets.iter().enumerate() {
        let shape = numbers(&net["shape"]);
        let mut builder = EventGraph::builder(steps).input("x", shape.clone(), Source::Events);
        let (mut last, mut width, mut channels) = ("x".to_string(), shape.iter().product::<usize>(), shape[0]);
        let mut flat = shape.len() == 1;
        let layers = net["layers"].as_array().unwrap();
        for (i, layer) in layers.iter().enumerate() {
            let weight: Vec<f32> = layer["weight"].as_array().unwrap().iter().map(|w| w.as_f64().unwrap() as f32).collect();
            let (name, neuron) = (format!("w{i}"), format!("n{i}"));
            if let Some(outputs) = layer["spec"].as_u64() {
                if !flat {
                    builder = builder.flatten("flat", &last);
                    (last, flat) = ("flat".into(), true);
                }
                let outputs = outputs as usize;
                width = weight.len() / outputs;
                builder = builder.linear(&name, &last, tensor(&[outputs, width], &weight), None);
            } else {
                let [out, kernel, stride, padding, groups] = numbers(&layer["spec"])[..] else { panic!("a convolution has five numbers") };
                let shape = [out, channels / groups, kernel, kernel];
                builder =
                    builder.conv2d(&name, &last, tensor(&shape, &weight), None).stride([stride; 2]).padding([padding; 2]).groups(groups);
                channels = out;
            }
            builder = builder.neuron(&neuron, &name, Neuron::integrate_and_fire(1.0));
            last = neuron;
        }
        let graph = builder.readout(&last, ReadoutRule::Sum).build().unwrap();
        let input: Vec<f32> = net["input"].as_str().unwrap().bytes().map(|b| f32::from(b - b'0')).collect();
        let report = cost(&graph, &[run(&graph, &[Feed::Frames(&input)], Mode::TickSync)]).unwrap();
        for (i, layer) in layers.iter().enumerate() {
            let ours = report.layers.iter().find(|l| l.layer == format!("n{i}")).unwrap();
            let theirs = |key: &str| layer[key].as_u64().unwrap();
            assert_eq!(ours.spikes, theirs("spikes"), "net {n}, layer {i}: spikes");
            assert_eq!(ours.effective_acs, theirs("effective"), "net {n}, layer {i}: effective");
            assert_eq!(ours.dense, theirs("dense"), "net {n}, layer {i}: dense");
        }
        assert_eq!((report.effective_macs, report.dense_macs), (0, 0), "binary inputs make accumulates");
        assert!(width > 0);
    }
}
