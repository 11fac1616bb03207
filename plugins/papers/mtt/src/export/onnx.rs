//! `step.onnx`, one time step whose states the caller keeps, and `seq_T{n}.onnx`, all steps at once, also for mixed times.

use super::Deployed;
use crate::network::{DECAY, Neuron, Op, Source, V_MIN, V_THRESHOLD};
use crate::ttm::Ttm;
use std::collections::BTreeMap;
use zoo_core::{Artifact, DType, Dim, Error, Result, Tensor};
use zoo_formats::onnx::{Conv, Graph, Pool, Value};

/// Builds the layers of one graph.
struct Walk<'a> {
    graph: Graph,
    net: &'a Deployed,
    frame: Value,
    outputs: Vec<Value>,
    /// Steps of each stage where time is folded into the batch.
    times: Option<&'a [usize]>,
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

/// Frames `[batch * before, each...]` to `[batch * after, each...]` by a constant matrix in time.
fn transform(graph: &mut Graph, ttm: Ttm, x: Value, [before, after]: [usize; 2], each: &[i64]) -> Result<Value> {
    if before == after {
        return Ok(x);
    }
    let matrix = ttm.matrix(before, after)?;
    let matrix = graph.constant(&Tensor::from_vec([after, before], matrix.values)?)?;
    let flat = graph.reshape(x, &[-1, before as i64, each.iter().product()])?;
    let mixed = graph.matmul(matrix, flat)?;
    Ok(graph.reshape(mixed, &[&[-1], each].concat())?)
}

impl Walk<'_> {
    /// Whether a layer's values have no spatial axes.
    fn flat(&self, layer: usize) -> bool {
        matches!(self.net.network.layers()[layer].op, Op::Linear { .. })
    }

    fn each(&self, layer: usize) -> Vec<i64> {
        let [c, h, w] = self.net.network.shape(layer).map(|n| n as i64);
        if self.flat(layer) { vec![c] } else { vec![c, h, w] }
    }

    /// A layer's output in the time of another layer's stage.
    fn read(&mut self, from: usize, reader: usize) -> Result<Value> {
        let value = self.outputs[from];
        let Some(times) = self.times else { return Ok(value) };
        let stage = |layer: usize| times[self.net.network.layers()[layer].stage];
        let each = self.each(from);
        transform(&mut self.graph, self.net.ttm, value, [stage(from), stage(reader)], &each)
    }

    /// The current of a layer: its operation and what is added before the neurons.
    fn current(&mut self, layer: usize) -> Result<Value> {
        let description = self.net.network.layers()[layer].clone();
        let input = match description.input {
            Source::Frame => self.frame,
            Source::Layer(from) => self.read(from, layer)?,
        };
        let added = description.add.map(|from| self.read(from, layer)).transpose()?;
        let graph = &mut self.graph;
        let mut value = match (description.op, self.net.folded[layer].as_ref()) {
            (Op::AvgPool { kernel }, _) => graph.average_pool(input, &Pool::square(kernel as i64, kernel as i64))?,
            (op, Some(parts)) => {
                let weight = graph.initializer(&format!("{}.weight", description.name), &parts.weight)?;
                let bias = match &parts.bias {
                    Some(bias) => Some(graph.initializer(&format!("{}.bias", description.name), bias)?),
                    None => None,
                };
                if let Op::Conv { stride, padding, .. } = op {
                    graph.conv(input, weight, bias, &Conv::square(stride as i64, padding as i64))?
                } else {
                    let two = graph.value_type(input)?.shape.len() == 2;
                    let x = if two { input } else { graph.flatten(input, 1)? };
                    graph.linear(x, weight, bias)?
                }
            }
            _ => graph.global_average_pool(input)?,
        };
        if let Some(added) = added {
            value = graph.add(value, added)?;
        }
        Ok(value)
    }

    /// One step of the neurons: spikes and membrane after the reset. Without a state the membrane starts at 0.
    fn fire(&mut self, state: Option<Value>, current: Value) -> Result<(Value, Value)> {
        let graph = &mut self.graph;
        let threshold = graph.scalar(DType::F32, f64::from(V_THRESHOLD))?;
        match self.net.neuron {
            Neuron::Lif => {
                let raised = match state {
                    Some(state) => {
                        let kept = graph.mul_scalar(state, f64::from(DECAY))?;
                        graph.add(kept, current)?
                    }
                    None => current,
                };
                let fired = graph.greater(raised, threshold)?;
                let spikes = graph.cast(fired, DType::F32)?;
                let one = graph.scalar(DType::F32, 1.0)?;
                let silent = graph.sub(one, spikes)?;
                Ok((spikes, graph.mul(silent, raised)?))
            }
            Neuron::If => {
                let raised = match state {
                    Some(state) => graph.add(state, current)?,
                    None => current,
                };
                let whole = graph.div(raised, threshold)?;
                let whole = graph.floor(whole)?;
                let spikes = graph.clip(whole, Some(0.0), None)?;
                let spent = graph.mul(spikes, threshold)?;
                let left = graph.sub(raised, spent)?;
                Ok((spikes, graph.clip(left, Some(f64::from(V_MIN)), None)?))
            }
        }
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
/// `x` `[batch, channels, rows, columns]` and `state.{layer}` `[batch, ...]` of every spiking layer, 0 before the first
/// step, to `logits_t` `[batch, classes]` and `state_out.{layer}`.
///
/// # Errors
/// What the graph builder finds.
pub fn step(opset: Option<u32>, net: &Deployed, metadata: BTreeMap<String, String>) -> Result<Artifact> {
    let network = &net.network;
    let mut graph = new_graph("step", opset)?;
    let frame = graph.input("x", DType::F32, batched(network.input(), false))?;
    let mut walk = Walk { graph, net, frame, outputs: Vec::new(), times: None };
    let mut states = BTreeMap::new();
    for layer in network.spiking() {
        let shape = batched(network.shape(layer), walk.flat(layer));
        let state = walk.graph.input(&format!("state.{}", network.layers()[layer].name), DType::F32, shape)?;
        states.insert(layer, state);
    }
    let mut next = Vec::new();
    for layer in 0..network.layers().len() {
        walk.graph.enter(network.layers()[layer].name.clone());
        let mut output = walk.current(layer)?;
        if let Some(&state) = states.get(&layer) {
            let (spikes, after) = walk.fire(Some(state), output)?;
            next.push((layer, after));
            output = spikes;
        }
        walk.graph.leave();
        walk.outputs.push(output);
    }
    if let Some(&logits) = walk.outputs.last() {
        walk.graph.output("logits_t", logits)?;
    }
    for (layer, after) in next {
        walk.graph.output(&format!("state_out.{}", network.layers()[layer].name), after)?;
    }
    walk.finish("step", metadata)
}

/// Exports all steps, each stage with its own number.
///
/// # Shapes
/// `x` `[batch, T, channels, rows, columns]`, or `[batch, channels, rows, columns]` where one image stands for all
/// steps, to `logits` `[batch, classes]` (the mean over time) and `logits_t` `[batch, steps of the last stage, classes]`.
///
/// # Errors
/// [`Error::Argument`] unless there is a number of at least 1 for each stage; what the graph builder finds.
pub fn sequence(opset: Option<u32>, net: &Deployed, times: &[usize], metadata: BTreeMap<String, String>) -> Result<Artifact> {
    let network = &net.network;
    let [c, h, w] = network.input();
    let (Some(&first), Some(&last)) = (times.first(), times.last()) else {
        return Err(Error::argument("times", format!("{} numbers", network.stages()), "none"));
    };
    if times.len() != network.stages() || times.contains(&0) {
        return Err(Error::argument("times", format!("{} numbers of at least 1", network.stages()), format!("{times:?}")));
    }
    let mut graph = new_graph(&format!("seq_T{}", net.steps), opset)?;
    let plane = [c as i64, h as i64, w as i64];
    let frame = if net.still {
        let x = graph.input("x", DType::F32, batched([c, h, w], false))?;
        let once = graph.unsqueeze(x, &[1])?;
        let repeated = graph.concat(&vec![once; first], 1)?;
        graph.reshape(repeated, &[-1, plane[0], plane[1], plane[2]])?
    } else {
        let x = graph.input("x", DType::F32, [Dim::from("batch"), net.steps.into(), c.into(), h.into(), w.into()])?;
        let folded = graph.reshape(x, &[-1, plane[0], plane[1], plane[2]])?;
        transform(&mut graph, net.input_ttm, folded, [net.steps, first], &plane)?
    };
    let mut walk = Walk { graph, net, frame, outputs: Vec::new(), times: Some(times) };
    for layer in 0..network.layers().len() {
        walk.graph.enter(network.layers()[layer].name.clone());
        let mut output = walk.current(layer)?;
        if network.layers()[layer].spikes {
            output = unrolled(&mut walk, layer, output, times[network.layers()[layer].stage])?;
        }
        walk.graph.leave();
        walk.outputs.push(output);
    }
    if let Some(&logits) = walk.outputs.last() {
        let classes = network.classes();
        let graph = &mut walk.graph;
        let by_step = graph.reshape(logits, &[-1, last as i64, classes as i64])?;
        graph.refine(by_step, [Dim::from("batch"), last.into(), classes.into()])?;
        let mean = graph.reduce_mean(by_step, &[1], false)?;
        graph.output("logits", mean)?;
        graph.output("logits_t", by_step)?;
    }
    walk.finish("seq", metadata)
}

/// The neurons of a layer over all steps; the result is `[batch * steps, ...]`.
fn unrolled(walk: &mut Walk<'_>, layer: usize, current: Value, steps: usize) -> Result<Value> {
    let each = walk.each(layer);
    let timed = walk.graph.reshape(current, &[[-1, steps as i64].as_slice(), &each].concat())?;
    let parts = walk.graph.split(timed, &vec![1; steps], 1)?;
    let currents = parts.into_iter().map(|part| walk.graph.squeeze(part, &[1])).collect::<zoo_formats::Result<Vec<_>>>()?;
    let mut state = None;
    let mut spikes = Vec::with_capacity(steps);
    for current in currents {
        let (fired, after) = walk.fire(state, current)?;
        state = Some(after);
        spikes.push(walk.graph.unsqueeze(fired, &[1])?);
    }
    let joined = walk.graph.concat(&spikes, 1)?;
    Ok(walk.graph.reshape(joined, &[[-1].as_slice(), &each].concat())?)
}
