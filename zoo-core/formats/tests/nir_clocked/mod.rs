//! A plain clocked reading of event graphs: dense, step by step, no events. Slow and obvious, for small test nets.

use std::collections::BTreeMap;
use zoo_core::Tensor;
use zoo_formats::event_graph::{Compare, Dynamics, EventGraph, Neuron, Op, Param, Reset, SpikesPerStep};

/// Outputs of node `of` at each step for `input[t]`, given to the only input node.
pub(crate) fn run(graph: &EventGraph, input: &[Vec<f32>], of: &str) -> Vec<Vec<f32>> {
    let shapes: BTreeMap<&str, Vec<usize>> = graph.nodes.iter().map(|n| n.name.as_str()).zip(graph.shapes().unwrap()).collect();
    let mut state: BTreeMap<&str, Vec<Vec<f32>>> = BTreeMap::new();
    let mut out = Vec::new();
    for frame in input {
        let mut values: BTreeMap<&str, Vec<f32>> = BTreeMap::new();
        // Delays first, then whatever has all its inputs.
        for node in &graph.nodes {
            if let Op::Delay { steps } = node.op {
                let line = state.entry(&node.name).or_insert_with(|| vec![vec![0.0; shapes[node.name.as_str()].iter().product()]; steps]);
                values.insert(&node.name, line[0].clone());
            }
        }
        while values.len() < graph.nodes.len() {
            for node in graph.nodes.iter().filter(|n| !values.contains_key(n.name.as_str())).collect::<Vec<_>>() {
                let inputs: Option<Vec<&Vec<f32>>> = node.inputs.iter().map(|i| values.get(i.as_str())).collect();
                let Some(inputs) = inputs else { continue };
                let from = node.inputs.first().map(|i| shapes[i.as_str()].as_slice()).unwrap_or_default();
                let shape = &shapes[node.name.as_str()];
                let value = match &node.op {
                    Op::Input { .. } => frame.clone(),
                    Op::Flatten {} => inputs[0].clone(),
                    Op::Add {} => (0..inputs[0].len()).map(|i| inputs.iter().map(|v| v[i]).sum()).collect(),
                    Op::Scale { factor } => inputs[0].iter().zip(spread(graph, factor, shape)).map(|(x, f)| x * f).collect(),
                    Op::Linear { weight, bias } => linear(&graph.tensors[weight], bias.as_ref().map(|b| &graph.tensors[b]), inputs[0]),
                    Op::Conv2d { weight, bias, stride, padding, dilation, groups: 1 } => {
                        let geometry = [*stride, *padding, *dilation];
                        conv(&graph.tensors[weight], bias.as_ref().map(|b| &graph.tensors[b]), inputs[0], from, shape, geometry)
                    }
                    Op::SumPool2d { kernel, stride, padding: [0, 0] } => pool(inputs[0], from, shape, *kernel, *stride),
                    Op::AvgPool2d { kernel, stride, padding: [0, 0] } => {
                        let area = (kernel[0] * kernel[1]) as f32;
                        pool(inputs[0], from, shape, *kernel, *stride).into_iter().map(|v| v / area).collect()
                    }
                    Op::Neuron(neuron) => {
                        let v = spread(graph, &neuron.v_init, shape);
                        let state = state.entry(&node.name).or_insert_with(|| vec![v, vec![0.0; inputs[0].len()]]);
                        neurons(graph, neuron, shape, state, inputs[0])
                    }
                    Op::Li { decay, gain, .. } => {
                        let v = &mut state.entry(&node.name).or_insert_with(|| vec![vec![0.0; inputs[0].len()]])[0];
                        let decay = spread(graph, decay, shape);
                        v.iter_mut().zip(decay).zip(inputs[0]).for_each(|((v, d), x)| *v = d * *v + *gain as f32 * x);
                        v.clone()
                    }
                    other => panic!("node `{}`: the test reads no {}", node.name, other.name()),
                };
                values.insert(&node.name, value);
            }
        }
        for node in graph.nodes.iter().filter(|n| matches!(n.op, Op::Delay { .. })) {
            let line = state.get_mut(node.name.as_str()).unwrap();
            line.remove(0);
            line.push(values[node.inputs[0].as_str()].clone());
        }
        out.push(values.remove(of).unwrap());
    }
    out
}

fn spread(graph: &EventGraph, param: &Param, shape: &[usize]) -> Vec<f32> {
    let count: usize = shape.iter().product();
    match param {
        Param::Scalar(v) => vec![*v as f32; count],
        Param::Tensor(name) => {
            let values = graph.tensors[name].to_f32();
            values.iter().flat_map(|v| std::iter::repeat_n(*v, count / values.len())).collect()
        }
    }
}

fn linear(weight: &Tensor, bias: Option<&Tensor>, x: &[f32]) -> Vec<f32> {
    let weights = weight.to_f32();
    let rows = weights.chunks(x.len()).map(|row| row.iter().zip(x).map(|(w, x)| w * x).sum::<f32>());
    rows.enumerate().map(|(o, sum)| sum + bias.map_or(0.0, |b| b.to_f32()[o])).collect()
}

fn conv(
    weight: &Tensor,
    bias: Option<&Tensor>,
    x: &[f32],
    from: &[usize],
    to: &[usize],
    [stride, padding, dilation]: [[usize; 2]; 3],
) -> Vec<f32> {
    let (w, k) = (weight.to_f32(), weight.shape());
    let mut out = Vec::new();
    for o in 0..to[0] {
        for y in 0..to[1] {
            for z in 0..to[2] {
                let mut sum = bias.map_or(0.0, |b| b.to_f32()[o]);
                for c in 0..from[0] {
                    for (i, j) in (0..k[2]).flat_map(|i| (0..k[3]).map(move |j| (i, j))) {
                        let (sy, sx) = (y * stride[0] + i * dilation[0], z * stride[1] + j * dilation[1]);
                        let inside = sy >= padding[0] && sx >= padding[1] && sy - padding[0] < from[1] && sx - padding[1] < from[2];
                        if inside {
                            let at = (c * from[1] + sy - padding[0]) * from[2] + sx - padding[1];
                            sum += w[((o * k[1] + c) * k[2] + i) * k[3] + j] * x[at];
                        }
                    }
                }
                out.push(sum);
            }
        }
    }
    out
}

fn pool(x: &[f32], from: &[usize], to: &[usize], kernel: [usize; 2], stride: [usize; 2]) -> Vec<f32> {
    let mut out = Vec::new();
    for (c, y, z) in (0..to[0]).flat_map(|c| (0..to[1]).flat_map(move |y| (0..to[2]).map(move |z| (c, y, z)))) {
        let window = (0..kernel[0]).flat_map(|i| (0..kernel[1]).map(move |j| (i, j)));
        out.push(window.map(|(i, j)| x[(c * from[1] + y * stride[0] + i) * from[2] + z * stride[1] + j]).sum());
    }
    out
}

fn neurons(graph: &EventGraph, neuron: &Neuron, shape: &[usize], state: &mut [Vec<f32>], x: &[f32]) -> Vec<f32> {
    let threshold = spread(graph, &neuron.threshold, shape);
    let [v, current] = state else { panic!("two states") };
    (0..x.len())
        .map(|i| {
            match &neuron.dynamics {
                Dynamics::If => v[i] += x[i],
                Dynamics::Lif { decay, gain } => v[i] = spread(graph, decay, shape)[i] * v[i] + *gain as f32 * x[i],
                Dynamics::CubaLif { decay_mem, decay_syn, gain_syn, gain_mem } => {
                    current[i] = spread(graph, decay_syn, shape)[i] * current[i] + *gain_syn as f32 * x[i];
                    v[i] = spread(graph, decay_mem, shape)[i] * v[i] + *gain_mem as f32 * current[i];
                }
            }
            let fires = match neuron.compare {
                Compare::Greater => v[i] > threshold[i],
                Compare::GreaterEqual => v[i] >= threshold[i],
            };
            let spikes = match (fires, neuron.spikes) {
                (false, _) => 0.0,
                (true, SpikesPerStep::One) => 1.0,
                (true, SpikesPerStep::Trunc) => (v[i] / threshold[i]).trunc(),
            };
            match neuron.reset {
                Reset::Subtract => v[i] -= spikes * threshold[i],
                Reset::Zero if fires => v[i] = 0.0,
                Reset::Value(value) if fires => v[i] = value as f32,
                Reset::Zero | Reset::Value(_) => {}
            }
            v[i] = neuron.floor.map_or(v[i], |floor| v[i].max(floor as f32));
            spikes
        })
        .collect()
}
