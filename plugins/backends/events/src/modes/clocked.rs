//! The dense reference: every value of every node at every step, straight from the graph.
//!
//! It shares neither layout nor loops with the event executors; what it shares is the graph's order of summation.

use super::feed::Feed;
use super::outcome::{LayerRecord, Outcome, Raster};
use crate::layers::Counters;
use crate::num::Num;
use std::collections::VecDeque;
use zoo_core::{Error, Result};
use zoo_formats::event_graph::{Compare, Dynamics, EventGraph, Neuron, Op, Param, Payload, ReadoutRule, Reset, SpikesPerStep};

/// A run in mode `clocked`, in `f32` or `f64`. Values between nodes are `f32`, in `[C, H, W]` order.
pub struct Clocked<N: Num> {
    graph: EventGraph,
    edges: Vec<Vec<usize>>,
    order: Vec<usize>,
    shapes: Vec<Vec<usize>>,
    cells: Vec<State<N>>,
    values: Vec<Vec<f32>>,
    lines: Vec<VecDeque<Vec<f32>>>,
}

#[derive(Default)]
struct State<N> {
    v: Vec<N>,
    synaptic: Vec<N>,
    refractory: Vec<u32>,
}

impl<N: Num> Clocked<N> {
    /// Prepares a run.
    ///
    /// # Errors
    /// What [`EventGraph::validate`] finds; [`Error::Argument`] for integers, which the reference does not offer.
    pub fn new(graph: &EventGraph) -> Result<Self> {
        graph.validate()?;
        if N::INTEGER {
            return Err(Error::argument("precision of a clocked run", "f32 or f64", "int8"));
        }
        let shapes = graph.shapes()?;
        Ok(Self {
            edges: graph.edges()?,
            order: graph.order()?,
            values: shapes.iter().map(|s| vec![0.0; s.iter().product()]).collect(),
            cells: shapes.iter().map(|_| State::default()).collect(),
            lines: shapes.iter().map(|_| VecDeque::new()).collect(),
            shapes,
            graph: graph.clone(),
        })
    }

    /// Runs a whole sample from the beginning.
    ///
    /// # Errors
    /// [`Error::Argument`] if the number of feeds is not that of the inputs.
    pub fn run(&mut self, feeds: &[Feed<'_>]) -> Result<Outcome> {
        let inputs: Vec<_> = self.order.iter().copied().filter(|&n| matches!(self.graph.nodes[n].op, Op::Input { .. })).collect();
        if inputs.len() != feeds.len() {
            return Err(Error::argument("feeds", inputs.len().to_string(), feeds.len()));
        }
        self.reset();
        let readout = self.graph.nodes.iter().position(|n| n.name == self.graph.readout.node).unwrap_or(0);
        let classes = self.values[readout].len();
        let mut sums = vec![0.0f64; classes];
        let mut per_step = Vec::new();
        let mut rasters = vec![Raster::default(); self.graph.nodes.len()];
        for step in 0..self.graph.steps {
            for (&node, feed) in inputs.iter().zip(feeds) {
                let n = self.values[node].len();
                match feed {
                    Feed::Image(image) => self.values[node].copy_from_slice(image),
                    Feed::Frames(frames) => self.values[node].copy_from_slice(&frames[step * n..(step + 1) * n]),
                    Feed::Impulses(list) => {
                        self.values[node].fill(0.0);
                        list.iter().filter(|e| e.step as usize == step).for_each(|e| self.values[node][e.index as usize] += e.value);
                    }
                }
            }
            let mut exact = Vec::new();
            for at in self.order.clone() {
                let current = self.evaluate(at)?;
                if at == readout {
                    exact = current;
                }
            }
            for node in 0..self.graph.nodes.len() {
                if matches!(self.graph.nodes[node].op, Op::Delay { .. }) {
                    let value = self.values[self.edges[node][0]].clone();
                    self.lines[node].push_back(value);
                }
                for (i, &v) in self.values[node].iter().enumerate().filter(|(_, v)| **v != 0.0) {
                    rasters[node].push(step as u32, i as u32, v);
                }
            }
            if self.graph.readout.rule == ReadoutRule::Membrane {
                per_step.extend(self.cells[readout].v.iter().map(|v| v.to_f64() as f32));
            } else {
                // A current is summed unrounded; spikes and membranes are what the node puts out.
                let now: Vec<f64> = if exact.is_empty() { self.values[readout].iter().map(|&v| f64::from(v)).collect() } else { exact };
                sums.iter_mut().zip(&now).for_each(|(s, n)| *s += n);
                per_step.extend(now.iter().map(|&n| n as f32));
            }
        }
        let logits = match self.graph.readout.rule {
            ReadoutRule::Membrane => self.cells[readout].v.iter().map(|v| v.to_f64() as f32).collect(),
            ReadoutRule::Sum => sums.iter().map(|&s| s as f32).collect(),
            ReadoutRule::Mean => sums.iter().map(|s| (s / self.graph.steps as f64) as f32).collect(),
        };
        let layers = self.order.iter().map(|&n| {
            let node = &self.graph.nodes[n];
            LayerRecord {
                name: node.name.clone(),
                neurons: self.values[n].len(),
                spiking: matches!(node.op, Op::Neuron(_)),
                raster: std::mem::take(&mut rasters[n]),
                membrane: self.cells[n].v.iter().map(|v| v.to_f64()).collect(),
                counters: Counters::default(),
            }
        });
        Ok(Outcome { logits, per_step, layers: layers.collect() })
    }

    fn reset(&mut self) {
        for node in 0..self.graph.nodes.len() {
            self.lines[node].clear();
            let n = self.values[node].len();
            let init = match &self.graph.nodes[node].op {
                Op::Neuron(neuron) => &neuron.v_init,
                Op::Li { v_init, .. } => v_init,
                _ => continue,
            };
            let v = (0..n).map(|i| self.param(init, node, i)).collect();
            self.cells[node] = State { v, synaptic: vec![N::default(); n], refractory: vec![0; n] };
        }
    }

    fn number(value: f32) -> N {
        N::from_f64(f64::from(value))
    }

    fn param(&self, param: &Param, node: usize, i: usize) -> N {
        match param {
            Param::Scalar(v) => Self::number(*v as f32),
            Param::Tensor(name) => {
                let values = self.graph.tensors[name].as_slice::<f32>().unwrap_or(&[]);
                let n = self.values[node].len();
                let channels = self.shapes[node][0];
                Self::number(if values.len() == n { values[i] } else { values[i / (n / channels)] })
            }
        }
    }

    /// Sets the node's values for this step; gives its unrounded current if it is one.
    fn evaluate(&mut self, at: usize) -> Result<Vec<f64>> {
        let op = self.graph.nodes[at].op.clone();
        let from = self.edges[at].clone();
        match &op {
            Op::Input { .. } => return Ok(Vec::new()),
            Op::Delay { steps } => {
                let full = self.lines[at].len() == *steps;
                let past = if full { self.lines[at].pop_front() } else { None };
                self.values[at] = past.unwrap_or_else(|| vec![0.0; self.values[at].len()]);
                return Ok(Vec::new());
            }
            Op::Neuron(neuron) => {
                let x = self.current(&from)?;
                self.fire(at, neuron, &x);
                return Ok(Vec::new());
            }
            Op::Li { decay, gain, .. } => {
                let x = self.current(&from)?;
                for (i, &x) in x.iter().enumerate() {
                    let decay = N::decay(self.param(decay, at, i).to_f64());
                    let x = if *gain == 1.0 { x } else { x.decayed(N::decay(*gain)) };
                    let v = self.cells[at].v[i].decayed(decay).plus(x);
                    self.cells[at].v[i] = v;
                    self.values[at][i] = v.to_f64() as f32;
                }
                return Ok(Vec::new());
            }
            _ => {}
        }
        let current = match &op {
            Op::SumPool2d { .. } | Op::AvgPool2d { .. } => self.pool(at, from[0]),
            Op::Scale { factor } => {
                (0..self.values[at].len()).map(|i| Self::number(self.values[from[0]][i]).product(self.param(factor, at, i))).collect()
            }
            Op::Flatten {} => self.values[from[0]].iter().map(|&v| Self::number(v)).collect(),
            Op::Concat {} => from.iter().flat_map(|&f| self.values[f].iter().map(|&v| Self::number(v))).collect(),
            _ => self.current(&[at])?,
        };
        self.values[at] = current.iter().map(|v| v.to_f64() as f32).collect();
        Ok(current.iter().map(|v| v.to_f64()).collect())
    }

    /// The sum of nodes, with additions opened: biases first, then products, both in operand order.
    fn current(&self, nodes: &[usize]) -> Result<Vec<N>> {
        let mut leaves = Vec::new();
        let mut stack: Vec<_> = nodes.iter().rev().copied().collect();
        while let Some(node) = stack.pop() {
            match self.graph.nodes[node].op {
                Op::Add {} => stack.extend(self.edges[node].iter().rev()),
                _ => leaves.push(node),
            }
        }
        let mut sum = vec![N::default(); self.values[nodes[0]].len()];
        for &leaf in &leaves {
            if let Op::Conv1d { bias: Some(b), .. } | Op::Conv2d { bias: Some(b), .. } | Op::Linear { bias: Some(b), .. } =
                &self.graph.nodes[leaf].op
            {
                let bias = self.graph.tensors[b].as_slice::<f32>()?;
                let area = sum.len() / bias.len();
                sum.iter_mut().enumerate().for_each(|(i, s)| *s = s.plus(Self::number(bias[i / area])));
            }
        }
        for &leaf in &leaves {
            match &self.graph.nodes[leaf].op {
                Op::Linear { weight, .. } => self.linear(leaf, self.graph.tensors[weight].as_slice()?, &mut sum),
                Op::Conv2d { weight, stride, padding, dilation, groups, .. } => {
                    let kernel = &self.graph.tensors[weight].shape()[2..];
                    let window = [kernel[0], kernel[1], stride[0], stride[1], padding[0], padding[1], dilation[0], dilation[1]];
                    self.conv(leaf, self.graph.tensors[weight].as_slice()?, window, *groups, &mut sum);
                }
                Op::Conv1d { weight, stride, padding, dilation, groups, .. } => {
                    let kernel = self.graph.tensors[weight].shape()[2];
                    let window = [1, kernel, 1, stride[0], 0, padding[0], 1, dilation[0]];
                    self.conv(leaf, self.graph.tensors[weight].as_slice()?, window, *groups, &mut sum);
                }
                _ => sum.iter_mut().zip(&self.values[leaf]).for_each(|(s, &v)| *s = s.plus(Self::number(v))),
            }
        }
        Ok(sum)
    }

    fn linear(&self, node: usize, weight: &[f32], sum: &mut [N]) {
        let input = self.edges[node][0];
        let x = &self.values[input];
        // A flattened image is visited by position: y, x, channel.
        let mut source = input;
        while matches!(self.graph.nodes[source].op, Op::Flatten {}) {
            source = self.edges[source][0];
        }
        let channels = if self.shapes[source].len() > 1 { self.shapes[source][0] } else { 1 };
        let area = x.len() / channels;
        for (out, sum) in sum.iter_mut().enumerate() {
            for pixel in 0..area {
                for c in 0..channels {
                    let i = c * area + pixel;
                    *sum = sum.plus(Self::number(weight[out * x.len() + i]).product(Self::number(x[i])));
                }
            }
        }
    }

    fn conv(&self, node: usize, weight: &[f32], window: [usize; 8], groups: usize, sum: &mut [N]) {
        let [ky, kx, sy, sx, py, px, dy, dx] = window;
        let input = self.edges[node][0];
        let size = |shape: &[usize]| if shape.len() == 3 { (shape[0], shape[1], shape[2]) } else { (shape[0], 1, shape[1]) };
        let (channels, h, w) = size(&self.shapes[input]);
        let (out_channels, oh, ow) = size(&self.shapes[node]);
        let (group_in, group_out) = (channels / groups, out_channels / groups);
        let x = &self.values[input];
        for co in 0..out_channels {
            let first = co / group_out * group_in;
            for oy in 0..oh {
                for ox in 0..ow {
                    let sum = &mut sum[(co * oh + oy) * ow + ox];
                    for y in 0..ky {
                        let Some(iy) = (oy * sy + y * dy).checked_sub(py).filter(|&iy| iy < h) else { continue };
                        for k in 0..kx {
                            let Some(ix) = (ox * sx + k * dx).checked_sub(px).filter(|&ix| ix < w) else { continue };
                            for ci in 0..group_in {
                                let weight = weight[((co * group_in + ci) * ky + y) * kx + k];
                                let value = x[((first + ci) * h + iy) * w + ix];
                                *sum = sum.plus(Self::number(weight).product(Self::number(value)));
                            }
                        }
                    }
                }
            }
        }
    }

    fn pool(&self, node: usize, input: usize) -> Vec<N> {
        let (kernel, stride, padding, mean) = match &self.graph.nodes[node].op {
            Op::SumPool2d { kernel, stride, padding } => (kernel, stride, padding, false),
            Op::AvgPool2d { kernel, stride, padding } => (kernel, stride, padding, true),
            _ => return Vec::new(),
        };
        let (h, w) = (self.shapes[input][1], self.shapes[input][2]);
        let &[channels, oh, ow] = self.shapes[node].as_slice() else { return Vec::new() };
        let mut out = Vec::with_capacity(channels * oh * ow);
        for c in 0..channels {
            for oy in 0..oh {
                for ox in 0..ow {
                    let mut sum = N::default();
                    for y in (oy * stride[0]..oy * stride[0] + kernel[0]).filter_map(|y| y.checked_sub(padding[0])).filter(|&y| y < h) {
                        for x in (ox * stride[1]..ox * stride[1] + kernel[1]).filter_map(|x| x.checked_sub(padding[1])).filter(|&x| x < w) {
                            sum = sum.plus(Self::number(self.values[input][(c * h + y) * w + x]));
                        }
                    }
                    out.push(if mean { sum.product(N::from_f64(1.0 / (kernel[0] * kernel[1]) as f64)) } else { sum });
                }
            }
        }
        out
    }

    fn fire(&mut self, at: usize, neuron: &Neuron, x: &[N]) {
        for (i, &x) in x.iter().enumerate() {
            self.values[at][i] = 0.0;
            if self.cells[at].refractory[i] > 0 {
                self.cells[at].refractory[i] -= 1;
                continue;
            }
            let mut v = self.cells[at].v[i];
            v = match &neuron.dynamics {
                Dynamics::If => v.plus(x),
                Dynamics::Lif { decay, gain } => {
                    let x = if *gain == 1.0 { x } else { x.decayed(N::decay(*gain)) };
                    v.decayed(N::decay(self.param(decay, at, i).to_f64())).plus(x)
                }
                Dynamics::CubaLif { decay_mem, decay_syn, gain_syn, gain_mem } => {
                    let syn = self.cells[at].synaptic[i]
                        .decayed(N::decay(self.param(decay_syn, at, i).to_f64()))
                        .plus(x.decayed(N::decay(*gain_syn)));
                    self.cells[at].synaptic[i] = syn;
                    v.decayed(N::decay(self.param(decay_mem, at, i).to_f64())).plus(syn.decayed(N::decay(*gain_mem)))
                }
            };
            let theta = self.param(&neuron.threshold, at, i);
            let fires = match neuron.compare {
                Compare::Greater => v > theta,
                Compare::GreaterEqual => v >= theta,
            };
            if fires {
                let n = if neuron.spikes == SpikesPerStep::Trunc { v.whole(theta).max(1) } else { 1 };
                v = match neuron.reset {
                    Reset::Subtract => v.minus(theta.repeated(n)),
                    Reset::Zero => N::default(),
                    Reset::Value(value) => N::from_f64(value),
                };
                let amplitude = if neuron.payload == Payload::Theta { theta.to_f64() as f32 } else { 1.0 };
                self.values[at][i] = amplitude * n as f32;
                self.cells[at].refractory[i] = neuron.refractory;
            }
            if let Some(floor) = neuron.floor {
                let floor = N::from_f64(floor);
                v = if v < floor { floor } else { v };
            }
            self.cells[at].v[i] = v;
        }
    }
}
