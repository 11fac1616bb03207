//! Turning nodes into units and deposits.

use super::params::{Cell, Rule, Values};
use super::{Deposit, DepositKind, Extent, Multiplicity, NOWHERE, Plan, Unit, UnitKind, quantise, weights};
use crate::num::Num;
use zoo_core::{Error, Result};
use zoo_formats::event_graph::{Compare, Dynamics, EventGraph, Neuron, Op, Param, Payload, Reset, Source, SpikesPerStep};

/// Operands an addition may have after additions of additions are opened.
const OPERANDS: usize = 1024;

struct Lowering<'a> {
    graph: &'a EventGraph,
    edges: Vec<Vec<usize>>,
    extents: Vec<Extent>,
    /// Unit of each node that has one.
    unit: Vec<Option<usize>>,
}

/// Compiles a graph.
///
/// # Errors
/// What [`EventGraph::validate`] finds; [`Error::UnsupportedOperator`] naming a node an integer run can't express.
pub fn lower<N: Num>(graph: &EventGraph) -> Result<Plan<N>> {
    graph.validate()?;
    let extents = graph.shapes()?.iter().map(|s| Extent::of(s)).collect();
    let mut low = Lowering { graph, edges: graph.edges()?, extents, unit: vec![None; graph.nodes.len()] };
    let readout = graph.nodes.iter().position(|n| n.name == graph.readout.node).unwrap_or(0);
    let needed = low.needed(readout)?;
    let members: Vec<_> = graph.order()?.into_iter().filter(|&n| needed[n]).collect();
    members.iter().enumerate().for_each(|(unit, &node)| low.unit[node] = Some(unit));
    let mut units = members.iter().map(|&node| low.unit_of::<N>(node)).collect::<Result<Vec<_>>>()?;
    let inputs: Vec<_> = (0..units.len()).filter(|&u| matches!(units[u].kind, UnitKind::Input { .. })).collect();
    for (position, &u) in inputs.iter().enumerate() {
        if let UnitKind::Input { index, .. } = &mut units[u].kind {
            *index = position;
        }
    }
    let steady: Vec<bool> = units.iter().map(|u| matches!(u.kind, UnitKind::Input { source: Source::Constant, .. })).collect();
    let mut readers = vec![Vec::new(); units.len()];
    let mut delays = vec![Vec::new(); units.len()];
    for (u, unit) in units.iter_mut().enumerate() {
        unit.constant = !unit.deposits.is_empty() && unit.deposits.iter().all(|d| steady[d.from]);
        unit.deposits.iter().enumerate().for_each(|(i, d)| readers[d.from].push((u, i)));
        if let UnitKind::Delay { from, .. } = unit.kind {
            delays[from].push(u);
        }
    }
    let readout = low.unit[readout].unwrap_or(0);
    let analog = matches!(units[readout].kind, UnitKind::Emit { .. });
    let (rule, per_step) = (graph.readout.rule, graph.readout.per_step);
    Ok(Plan { steps: graph.steps, units, inputs, readout, rule, per_step, analog, readers, delays })
}

impl Lowering<'_> {
    /// Nodes that must be units: neurons, the readout, and whatever they read as events.
    fn needed(&self, readout: usize) -> Result<Vec<bool>> {
        let nodes = &self.graph.nodes;
        let mut needed = vec![false; nodes.len()];
        let own = |n: &usize| *n == readout || matches!(nodes[*n].op, Op::Neuron(_) | Op::Li { .. } | Op::Input { .. });
        let mut work: Vec<_> = (0..nodes.len()).filter(own).collect();
        while let Some(node) = work.pop() {
            if !std::mem::replace(&mut needed[node], true) {
                work.extend(self.sources(node)?);
            }
        }
        Ok(needed)
    }

    /// Nodes whose events a unit reads.
    fn sources(&self, node: usize) -> Result<Vec<usize>> {
        match self.graph.nodes[node].op {
            Op::Input { .. } => Ok(Vec::new()),
            Op::SumPool2d { .. } | Op::AvgPool2d { .. } | Op::Scale { .. } | Op::Flatten {} | Op::Concat {} | Op::Delay { .. } => {
                Ok(self.edges[node].clone())
            }
            _ => Ok(self.operands(node)?.into_iter().map(|leaf| self.source(leaf)).collect()),
        }
    }

    /// The node whose events an operand reads: the operand itself, or what is behind its weights.
    fn source(&self, leaf: usize) -> usize {
        match self.graph.nodes[leaf].op {
            Op::Conv1d { .. } | Op::Conv2d { .. } => self.edges[leaf][0],
            Op::Linear { .. } => {
                let mut at = self.edges[leaf][0];
                while matches!(self.graph.nodes[at].op, Op::Flatten {}) {
                    at = self.edges[at][0];
                }
                at
            }
            _ => leaf,
        }
    }

    /// What is summed into a node's current, in order, with additions opened.
    fn operands(&self, node: usize) -> Result<Vec<usize>> {
        let mut stack = match self.graph.nodes[node].op {
            Op::Neuron(_) | Op::Li { .. } => self.edges[node].clone(),
            _ => vec![node],
        };
        let mut leaves = Vec::new();
        while let Some(at) = stack.pop() {
            if matches!(self.graph.nodes[at].op, Op::Add {}) {
                stack.extend(self.edges[at].iter().rev());
            } else {
                leaves.push(at);
            }
            if leaves.len() + stack.len() > OPERANDS {
                let found = format!("more than {OPERANDS}");
                return Err(Error::argument(
                    format!("operands summed at node `{}`", self.graph.nodes[node].name),
                    format!("at most {OPERANDS}"),
                    found,
                ));
            }
        }
        Ok(leaves)
    }

    fn unit_of<N: Num>(&self, node: usize) -> Result<Unit<N>> {
        let graph = self.graph;
        let this = &graph.nodes[node];
        let extent = self.extents[node];
        let gain = if N::INTEGER && self.unit_emits_counts(node) { quantise::gain(graph, &self.edges, node)? } else { 1.0 };
        let mut unit = Unit {
            name: this.name.clone(),
            extent,
            kind: UnitKind::Emit { factor: None },
            deposits: Vec::new(),
            bias: None,
            multiplicity: self.multiplicity(node),
            scale: 1.0,
            gain,
            constant: false,
        };
        match &this.op {
            Op::Input { source, .. } => {
                if N::INTEGER && *source != Source::Events {
                    return Err(quantise::refuse(this, "inputs other than events"));
                }
                unit.kind = UnitKind::Input { index: 0, source: *source };
            }
            Op::Delay { steps } => unit.kind = UnitKind::Delay { from: self.unit_index(self.edges[node][0]), steps: *steps },
            Op::SumPool2d { kernel, stride, padding } | Op::AvgPool2d { kernel, stride, padding } => {
                if matches!(this.op, Op::AvgPool2d { .. }) && !N::INTEGER {
                    let factor = N::from_f64(1.0 / (kernel[0] * kernel[1]) as f64);
                    unit.kind = UnitKind::Emit { factor: Some(Values::Same(factor)) };
                }
                unit.deposits = vec![self.pool(node, *kernel, *stride, *padding)];
            }
            Op::Scale { factor } => {
                if !N::INTEGER {
                    let factor = self.values(factor, node)?.map(|v| N::from_f64(f64::from(v)));
                    unit.kind = UnitKind::Emit { factor: Some(factor) };
                }
                unit.deposits = vec![self.map(self.edges[node][0], None, 1.0)];
            }
            Op::Flatten {} => {
                let from = self.extents[self.edges[node][0]];
                let target = (0..from.len()).map(|i| from.to_chw(i) as u32).collect();
                unit.deposits = vec![self.map(self.edges[node][0], Some(target), 1.0)];
            }
            Op::Concat {} => {
                let mut offset = 0;
                for &input in &self.edges[node] {
                    let from = self.extents[input];
                    let target = (0..from.len()).map(|i| ((i / from.c) * extent.c + offset + i % from.c) as u32).collect();
                    unit.deposits.push(self.map(input, Some(target), 1.0));
                    offset += from.c;
                }
            }
            Op::Neuron(neuron) => self.sum_into(&mut unit, node, Some(neuron))?,
            _ => self.sum_into(&mut unit, node, None)?,
        }
        Ok(unit)
    }

    /// Whether a unit's output is made of counts in integer runs: all but the plain current of a readout.
    fn unit_emits_counts(&self, node: usize) -> bool {
        !matches!(self.graph.nodes[node].op, Op::Conv1d { .. } | Op::Conv2d { .. } | Op::Linear { .. } | Op::Add {} | Op::Li { .. })
    }

    /// Fills in a unit that sums operands: neurons, integrators, and plain sums.
    fn sum_into<N: Num>(&self, unit: &mut Unit<N>, node: usize, neuron: Option<&Neuron>) -> Result<()> {
        let graph = self.graph;
        let this = &graph.nodes[node];
        let leaves = self.operands(node)?;
        let li = matches!(this.op, Op::Li { .. });
        if N::INTEGER {
            let analog_between = neuron.is_none() && this.name != graph.readout.node;
            if li || analog_between {
                return Err(quantise::refuse(this, "analog signals other than the readout"));
            }
            unit.scale = self.scale(node, neuron, &leaves)?;
        }
        let mut bias: Option<Vec<N>> = None;
        for &leaf in &leaves {
            let op = &graph.nodes[leaf].op;
            let from = self.source(leaf);
            let ratio = if N::INTEGER { quantise::gain(graph, &self.edges, from)? / unit.scale } else { 1.0 };
            // `[N]` stands for whatever image was flattened into it.
            match weights::product(graph, &graph.nodes[leaf], self.extents[from], self.extents[leaf], ratio)? {
                Some(kind) => unit.deposits.push(Deposit { from: self.unit_index(from), node: graph.nodes[leaf].name.clone(), kind }),
                None => unit.deposits.push(self.map(leaf, None, ratio)),
            }
            if let Op::Conv1d { bias: Some(name), .. } | Op::Conv2d { bias: Some(name), .. } | Op::Linear { bias: Some(name), .. } = op {
                let values = graph.tensors[name].as_slice::<f32>()?;
                let image = bias.get_or_insert_with(|| vec![N::default(); unit.extent.len()]);
                for (i, b) in image.iter_mut().enumerate() {
                    *b = b.plus(N::from_f64(f64::from(values[i % unit.extent.c]) / unit.scale));
                }
            }
        }
        unit.bias = bias.filter(|b| b.iter().any(|v| v.to_f64() != 0.0));
        if let Some(neuron) = neuron {
            unit.kind = UnitKind::Cells(Box::new(self.cell(node, neuron, unit)?));
        } else if let Op::Li { decay, gain, v_init } = &this.op {
            let rule = Rule::Leaky {
                decay: self.values(decay, node)?.map(|d| N::decay(f64::from(d))),
                gain: N::decay(*gain),
                plain: *gain == 1.0,
            };
            let v_init = self.values(v_init, node)?.map(|v| N::from_f64(f64::from(v)));
            unit.kind = UnitKind::Cells(Box::new(Cell {
                rule,
                fires: false,
                threshold: Values::Same(N::default()),
                compare: Compare::Greater,
                reset: Reset::Zero,
                reset_value: N::default(),
                spikes: SpikesPerStep::One,
                payload: Payload::Unit,
                floor: None,
                refractory: 0,
                v_init,
                always: true,
            }));
        }
        Ok(())
    }

    fn cell<N: Num>(&self, node: usize, neuron: &Neuron, unit: &Unit<N>) -> Result<Cell<N>> {
        let value = |v: f64| N::from_f64(v / unit.scale);
        let number = |param: &Param| Ok::<_, Error>(self.values(param, node)?.map(|v| value(f64::from(v))));
        let decay = |param: &Param| Ok::<_, Error>(self.values(param, node)?.map(|v| N::decay(f64::from(v))));
        let rule = match &neuron.dynamics {
            Dynamics::If => Rule::If,
            Dynamics::Lif { decay: d, gain } => Rule::Leaky { decay: decay(d)?, gain: N::decay(*gain), plain: *gain == 1.0 },
            Dynamics::CubaLif { .. } if N::INTEGER => return Err(quantise::refuse(&self.graph.nodes[node], "synaptic currents")),
            Dynamics::CubaLif { decay_mem, decay_syn, gain_syn, gain_mem } => {
                Rule::Cuba { mem: decay(decay_mem)?, syn: decay(decay_syn)?, gain_syn: N::decay(*gain_syn), gain_mem: N::decay(*gain_mem) }
            }
        };
        let threshold = number(&neuron.threshold)?;
        if !threshold.all(|t| t > N::default()) {
            return Err(quantise::refuse(&self.graph.nodes[node], "a threshold that rounds to 0 against its weights"));
        }
        Ok(Cell {
            always: unit.bias.is_some() || matches!(rule, Rule::Cuba { .. }),
            rule,
            fires: true,
            threshold,
            compare: neuron.compare,
            reset: neuron.reset,
            reset_value: if let Reset::Value(v) = neuron.reset { value(v) } else { N::default() },
            spikes: neuron.spikes,
            payload: neuron.payload,
            floor: neuron.floor.map(value),
            refractory: neuron.refractory,
            v_init: number(&neuron.v_init)?,
        })
    }

    /// The unit of current of a summing unit in an integer run.
    fn scale(&self, node: usize, neuron: Option<&Neuron>, leaves: &[usize]) -> Result<f64> {
        let graph = self.graph;
        let (mut weights, mut others) = (Vec::new(), Vec::new());
        for &leaf in leaves {
            let gain = quantise::gain(graph, &self.edges, self.source(leaf))?;
            match &graph.nodes[leaf].op {
                Op::Conv1d { weight, bias, .. } | Op::Conv2d { weight, bias, .. } | Op::Linear { weight, bias } => {
                    weights.extend(graph.tensors[weight].as_slice::<f32>()?.iter().map(|&w| f64::from(w) * gain));
                    if let Some(bias) = bias {
                        others.extend(graph.tensors[bias].as_slice::<f32>()?.iter().map(|&b| f64::from(b)));
                    }
                }
                _ => others.push(gain),
            }
        }
        if let Some(neuron) = neuron {
            others.extend(quantise::spread(&self.values(&neuron.threshold, node)?));
            others.extend(quantise::spread(&self.values(&neuron.v_init, node)?));
            others.extend(neuron.floor);
        }
        Ok(quantise::scale(&weights, &others))
    }

    fn unit_index(&self, node: usize) -> usize {
        self.unit[node].unwrap_or(0)
    }

    fn map<N: Num>(&self, from: usize, target: Option<Vec<u32>>, factor: f64) -> Deposit<N> {
        let kind = DepositKind::Map { target, fan_in: 1, factor: N::from_f64(factor) };
        Deposit { from: self.unit_index(from), node: self.graph.nodes[from].name.clone(), kind }
    }

    fn pool<N: Num>(&self, node: usize, kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> Deposit<N> {
        let input = self.edges[node][0];
        let (from, to) = (self.extents[input], self.extents[node]);
        let axis = |size: usize, outputs: usize, i: usize| -> Vec<Vec<u32>> {
            let hits =
                |x| super::geometry::reached(x, kernel[i], stride[i], padding[i], 1, outputs).into_iter().map(|(_, o)| o as u32).collect();
            (0..size).map(hits).collect()
        };
        let (rows, columns): (Vec<Vec<u32>>, _) = (axis(from.h, to.h, 0), axis(from.w, to.w, 1));
        let kind = if rows.iter().chain(&columns).all(|hits: &Vec<u32>| hits.len() <= 1) {
            let at = |i: usize| {
                let (pixel, c) = (i / from.c, i % from.c);
                let hit = rows[pixel / from.w].first().zip(columns[pixel % from.w].first());
                hit.map_or(NOWHERE, |(&y, &x)| ((y as usize * to.w + x as usize) * to.c + c) as u32)
            };
            let target = Some((0..from.len()).map(at).collect());
            DepositKind::Map { target, fan_in: kernel[0] * kernel[1], factor: N::from_f64(1.0) }
        } else {
            DepositKind::Pool { rows, columns, channels: to.c, width: to.w }
        };
        Deposit { from: self.unit_index(input), node: self.graph.nodes[node].name.clone(), kind }
    }

    /// A parameter, with tensors expanded to one value a position.
    fn values(&self, param: &Param, node: usize) -> Result<Values<f32>> {
        let extent = self.extents[node];
        match param {
            Param::Scalar(v) => Ok(Values::Same(*v as f32)),
            Param::Tensor(name) => {
                let source = self.graph.tensors[name].as_slice::<f32>()?;
                let get = |i: usize| if source.len() == extent.len() { source[extent.to_chw(i)] } else { source[i % extent.c] };
                Ok(Values::Each((0..extent.len()).map(get).collect()))
            }
        }
    }

    fn multiplicity(&self, start: usize) -> Multiplicity {
        let mut at = start;
        for _ in 0..=self.graph.nodes.len() {
            match &self.graph.nodes[at].op {
                Op::Input { source: Source::Events, .. } => return Multiplicity::Value,
                Op::Neuron(neuron) => {
                    return match (neuron.payload, self.values(&neuron.threshold, at)) {
                        (Payload::Unit, _) => Multiplicity::Value,
                        (Payload::Theta, Ok(values)) if at == start || matches!(values, Values::Same(_)) => Multiplicity::Amplitude(values),
                        _ => Multiplicity::Analog,
                    };
                }
                Op::SumPool2d { .. } | Op::Flatten {} | Op::Delay { .. } => at = self.edges[at][0],
                Op::Concat {}
                    if self.edges[at]
                        .iter()
                        .all(|&f| matches!(self.graph.nodes[f].op, Op::Neuron(Neuron { payload: Payload::Unit, .. }))) =>
                {
                    return Multiplicity::Value;
                }
                _ => return Multiplicity::Analog,
            }
        }
        Multiplicity::Analog
    }
}
