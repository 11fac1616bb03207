//! `step.onnx`, one time step whose states the caller keeps, and `seq_T{n}.onnx`, all steps at once.
//!
//! In the sequence graph convolutions run on `batch * T` frames and the neurons' recurrence is unrolled.

use super::Deployed;
use crate::network::{Op, Source};
use std::collections::BTreeMap;
use zoo_core::{Artifact, DType, Dim, Result};
use zoo_formats::onnx::{Conv, Graph, Pool, Value};

/// What a layer gives inside a graph.
#[derive(Clone, Copy)]
struct Output {
    value: Value,
    /// The same at every step, so that it has no time axis.
    still: bool,
}

/// Builds the layers of one graph.
struct Walk<'a> {
    graph: Graph,
    net: &'a Deployed,
    frame: Output,
    outputs: Vec<Output>,
}

fn batched(shape: [usize; 3], flat: bool) -> Vec<Dim> {
    let axes = if flat { vec![shape[0]] } else { shape.to_vec() };
    std::iter::once(Dim::from("batch")).chain(axes.into_iter().map(Dim::Fixed)).collect()
}

fn new_graph(name: &str, opset: Option<u32>) -> Result<Graph> {
    Ok(match opset {
        Some(opset) => Graph::with_opset(name, opset)?,
        None => Graph::new(name),
    })
}

impl Walk<'_> {
    fn read(&self, source: Source) -> Output {
        match source {
            Source::Frame => self.frame,
            Source::Layer(n) => self.outputs[n],
        }
    }

    /// Whether a layer's values have no spatial axes.
    fn flat(&self, layer: usize) -> bool {
        matches!(self.net.network.layers()[layer].op, Op::Linear { .. })
    }

    /// The current of a layer: its operation and what is added before the neurons.
    fn current(&mut self, layer: usize) -> Result<Output> {
        let description = &self.net.network.layers()[layer];
        let input = self.read(description.input);
        let added = description.add.map(|n| self.outputs[n]);
        let graph = &mut self.graph;
        let mut value = match (description.op, self.net.parts(layer)) {
            (Op::Conv { stride, padding, .. }, Some(parts)) => {
                let weight = graph.initializer(&format!("{}.weight", description.name), &parts.weight)?;
                let bias = graph.initializer(&format!("{}.bias", description.name), &parts.bias)?;
                graph.conv(input.value, weight, Some(bias), &Conv::square(stride as i64, padding as i64))?
            }
            (Op::Linear { .. }, Some(parts)) => {
                let weight = graph.initializer(&format!("{}.weight", description.name), &parts.weight)?;
                let bias = graph.initializer(&format!("{}.bias", description.name), &parts.bias)?;
                let two = graph.value_type(input.value)?.shape.len() == 2;
                let x = if two { input.value } else { graph.flatten(input.value, 1)? };
                graph.linear(x, weight, Some(bias))?
            }
            (Op::AvgPool { kernel }, _) => graph.average_pool(input.value, &Pool::square(kernel as i64, kernel as i64))?,
            (Op::MaxPool, _) => graph.max_pool(input.value, &Pool { pads: vec![1; 4], ..Pool::square(3, 2) })?,
            _ => graph.global_average_pool(input.value)?,
        };
        if let Some(added) = added {
            value = graph.add(value, added.value)?;
        }
        Ok(Output { value, still: input.still && added.is_none_or(|a| a.still) })
    }

    /// One step of the neurons: spikes and membrane after the reset. Without a state the membrane starts at 0.
    fn fire(&mut self, state: Option<Value>, current: Value) -> Result<(Value, Value)> {
        let neuron = self.net.neuron;
        let graph = &mut self.graph;
        let raised = match state {
            Some(state) => {
                let kept = graph.mul_scalar(state, f64::from(neuron.decay))?;
                graph.add(kept, current)?
            }
            None => current,
        };
        let threshold = graph.scalar(DType::F32, f64::from(neuron.v_threshold))?;
        let fired = graph.greater(raised, threshold)?;
        let spikes = graph.cast(fired, DType::F32)?;
        let one = graph.scalar(DType::F32, 1.0)?;
        let silent = graph.sub(one, spikes)?;
        let after = graph.mul(silent, raised)?;
        Ok((spikes, after))
    }

    /// Ends a layer with what later layers read.
    fn done(&mut self, layer: usize, mut output: Output) -> Result<()> {
        if let Some(n) = self.net.network.layers()[layer].add_after {
            output.value = self.graph.add(output.value, self.outputs[n].value)?;
        }
        self.graph.leave();
        self.outputs.push(output);
        Ok(())
    }

    fn finish(mut self, variant: &str, metadata: BTreeMap<String, String>) -> Result<Artifact> {
        for (key, value) in metadata {
            self.graph.metadata(key, value);
        }
        Ok(self.graph.variant(variant).finish()?)
    }
}

/// Exports one step.
///
/// # Shapes
/// `x` `[batch, channels, rows, columns]` and `u.{layer}` `[batch, ...]` of every spiking layer, 0 before the first step,
/// to `O_t` `[batch, classes]` and `u_out.{layer}`.
///
/// # Errors
/// What the graph builder finds.
pub fn step(opset: Option<u32>, net: &Deployed, metadata: BTreeMap<String, String>) -> Result<Artifact> {
    let network = &net.network;
    let mut graph = new_graph("step", opset)?;
    let x = graph.input("x", DType::F32, batched(network.input(), false))?;
    let mut walk = Walk { graph, net, frame: Output { value: x, still: false }, outputs: Vec::new() };
    let mut states = BTreeMap::new();
    for layer in network.spiking() {
        let shape = batched(network.shape(layer), walk.flat(layer));
        let state = walk.graph.input(&format!("u.{}", network.layers()[layer].name), DType::F32, shape)?;
        states.insert(layer, state);
    }
    let mut next = Vec::new();
    for layer in 0..network.layers().len() {
        walk.graph.enter(network.layers()[layer].name.clone());
        let mut output = walk.current(layer)?;
        if let Some(&state) = states.get(&layer) {
            let (spikes, after) = walk.fire(Some(state), output.value)?;
            next.push((layer, after));
            output.value = spikes;
        }
        walk.done(layer, output)?;
    }
    if let Some(logits) = walk.outputs.last() {
        walk.graph.output("O_t", logits.value)?;
    }
    for (layer, after) in next {
        walk.graph.output(&format!("u_out.{}", network.layers()[layer].name), after)?;
    }
    walk.finish("step", metadata)
}

/// Exports all steps.
///
/// # Shapes
/// `x` `[batch, T, channels, rows, columns]`, or `[batch, channels, rows, columns]` where one image stands for all
/// steps, to `logits` `[batch, classes]` (the mean over time) and `logits_t` `[batch, T, classes]`.
///
/// # Errors
/// What the graph builder finds.
pub fn sequence(opset: Option<u32>, net: &Deployed, metadata: BTreeMap<String, String>) -> Result<Artifact> {
    let network = &net.network;
    let [c, h, w] = network.input();
    let mut graph = new_graph(&format!("seq_T{}", net.steps), opset)?;
    let frame = if net.still {
        Output { value: graph.input("x", DType::F32, batched([c, h, w], false))?, still: true }
    } else {
        let axes = [Dim::from("batch"), net.steps.into(), c.into(), h.into(), w.into()];
        let x = graph.input("x", DType::F32, axes)?;
        Output { value: graph.reshape(x, &[-1, c as i64, h as i64, w as i64])?, still: false }
    };
    let mut walk = Walk { graph, net, frame, outputs: Vec::new() };
    for layer in 0..network.layers().len() {
        walk.graph.enter(network.layers()[layer].name.clone());
        let mut output = walk.current(layer)?;
        if network.layers()[layer].spikes {
            output = unrolled(&mut walk, layer, output)?;
        }
        walk.done(layer, output)?;
    }
    let classes = network.classes();
    if let Some(&logits) = walk.outputs.last() {
        let graph = &mut walk.graph;
        let by_step = if logits.still {
            let once = graph.unsqueeze(logits.value, &[1])?;
            graph.concat(&vec![once; net.steps], 1)?
        } else {
            graph.reshape(logits.value, &[-1, net.steps as i64, classes as i64])?
        };
        graph.refine(by_step, [Dim::from("batch"), net.steps.into(), classes.into()])?;
        let mean = graph.reduce_mean(by_step, &[1], false)?;
        graph.output("logits", mean)?;
        graph.output("logits_t", by_step)?;
    }
    walk.finish("seq", metadata)
}

/// The neurons of a layer over all steps; the result is `[batch * T, ...]`.
fn unrolled(walk: &mut Walk<'_>, layer: usize, current: Output) -> Result<Output> {
    let steps = walk.net.steps;
    let [c, h, w] = walk.net.network.shape(layer).map(|n| n as i64);
    let each: Vec<i64> = if walk.flat(layer) { vec![c] } else { vec![c, h, w] };
    let currents = if current.still {
        vec![current.value; steps]
    } else {
        let timed = walk.graph.reshape(current.value, &[[-1, steps as i64].as_slice(), &each].concat())?;
        let parts = walk.graph.split(timed, &vec![1; steps], 1)?;
        parts.into_iter().map(|part| walk.graph.squeeze(part, &[1])).collect::<zoo_formats::Result<Vec<_>>>()?
    };
    let mut state = None;
    let mut spikes = Vec::with_capacity(steps);
    for current in currents {
        let (fired, after) = walk.fire(state, current)?;
        state = Some(after);
        spikes.push(walk.graph.unsqueeze(fired, &[1])?);
    }
    let joined = walk.graph.concat(&spikes, 1)?;
    let value = walk.graph.reshape(joined, &[[-1].as_slice(), &each].concat())?;
    Ok(Output { value, still: false })
}
