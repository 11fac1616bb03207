//! From an event graph to NIR.

use super::at;
use super::dialect::{Dialect, Loss, LossKind, NirOptions};
use super::graph::{Conv, NirGraph, NirNode, Pool};
use crate::Result;
use crate::event_graph::{Dynamics, EventGraph, Neuron, Node, Op, Param, Payload, Reset, SpikesPerStep};
use std::collections::BTreeMap;
use zoo_core::Tensor;

impl NirGraph {
    /// The graph as NIR, for a reader of the dialect, and what that reader will not know.
    ///
    /// Additions become several edges, spikes that carry their threshold become a `Scale`, and so does a gain that the
    /// dialect's reader would leave out.
    ///
    /// # Errors
    /// [`zoo_core::Error::Artifact`] naming the node that NIR has no words for, or listing the losses whose kind is not in
    /// `accept`.
    pub fn from_event_graph(graph: &EventGraph, options: &NirOptions, accept: &[LossKind]) -> Result<(Self, Vec<Loss>)> {
        options.check()?;
        graph.validate()?;
        let shapes = graph.shapes()?;
        let mut export = Export { graph, options, nir: Self::default(), losses: Vec::new(), exits: BTreeMap::new() };
        for (node, shape) in graph.nodes.iter().zip(&shapes) {
            export.node(node, shape, &shapes)?;
        }
        export.finish(&shapes)?;
        let Export { nir, losses, .. } = export;
        let refused: Vec<_> = losses.iter().filter(|l| !accept.contains(&l.kind)).map(|l| format!("{l} ({:?})", l.kind)).collect();
        if refused.is_empty() {
            return Ok((nir, losses));
        }
        let why = format!(
            "a reader of dialect {} would not know: {}; accept these kinds of loss, or change the model",
            options.dialect,
            refused.join("; ")
        );
        Err(zoo_core::Error::artifact("nir", "the graph", why).into())
    }
}

struct Export<'a> {
    graph: &'a EventGraph,
    options: &'a NirOptions,
    nir: NirGraph,
    losses: Vec<Loss>,
    /// The NIR node that gives an event node's output, where that is another.
    exits: BTreeMap<String, String>,
}

impl Export<'_> {
    fn lose(&mut self, kind: LossKind, node: &str, detail: String) {
        self.losses.push(Loss { kind, node: node.into(), detail });
    }

    fn insert(&mut self, name: &str, node: NirNode) -> Result<()> {
        match self.nir.nodes.insert(name.into(), node) {
            None => Ok(()),
            Some(_) => Err(at(name, "the name is needed for a node that the conversion adds; rename it")),
        }
    }

    /// One value a neuron, in `f64`.
    fn spread(&self, param: &Param, shape: &[usize]) -> Result<Vec<f64>> {
        let count: usize = shape.iter().product();
        match param {
            Param::Scalar(value) => Ok(vec![*value; count]),
            Param::Tensor(name) => {
                let tensor = &self.graph.tensors[name];
                let values = tensor.to_f32();
                // Validated: one value a neuron, or one a channel.
                let each = count / values.len().max(1);
                Ok(values.iter().flat_map(|&v| std::iter::repeat_n(f64::from(v), each)).collect())
            }
        }
    }

    fn full(shape: &[usize], value: f64) -> Result<Tensor> {
        Ok(Tensor::from_vec(shape, vec![value; shape.iter().product()])?)
    }

    fn bias(&self, bias: Option<&String>, channels: usize) -> Result<Tensor> {
        match bias {
            Some(name) => Ok(self.graph.tensors[name].clone()),
            None => Ok(Tensor::from_vec([channels], vec![0f32; channels])?),
        }
    }

    fn shape_of<'s>(&self, name: &str, shapes: &'s [Vec<usize>]) -> &'s [usize] {
        self.graph.nodes.iter().position(|n| n.name == name).map_or(&[], |i| &shapes[i])
    }

    fn node(&mut self, node: &Node, shape: &[usize], shapes: &[Vec<usize>]) -> Result<()> {
        let name = node.name.as_str();
        let tensors = &self.graph.tensors;
        let dt = self.options.dt;
        let conv = |weight: &str, bias: Option<&String>, [stride, padding, dilation]: [&[usize]; 3], groups: usize| {
            Ok::<_, crate::Error>(Conv {
                weight: tensors[weight].clone(),
                bias: self.bias(bias, shape[0])?,
                input_shape: Some(self.shape_of(&node.inputs[0], shapes)[1..].to_vec()),
                stride: stride.to_vec(),
                padding: padding.to_vec(),
                dilation: dilation.to_vec(),
                groups,
            })
        };
        let converted = match &node.op {
            Op::Add {} => return Ok(()),
            Op::Concat {} => return Err(at(name, "NIR has no concatenation")),
            Op::Input { shape, source } => {
                if *source != self.options.source {
                    self.lose(LossKind::Source, name, format!("input is {source:?}, read as {:?}", self.options.source));
                }
                NirNode::Input { shape: shape.clone() }
            }
            Op::Conv1d { weight, bias, stride, padding, dilation, groups } => {
                NirNode::Conv1d(conv(weight, bias.as_ref(), [stride, padding, dilation], *groups)?)
            }
            Op::Conv2d { weight, bias, stride, padding, dilation, groups } => {
                NirNode::Conv2d(conv(weight, bias.as_ref(), [stride, padding, dilation], *groups)?)
            }
            // The importers of sinabs and Norse know only the form with a bias.
            Op::Linear { weight, bias: None } if !matches!(self.options.dialect, Dialect::Sinabs | Dialect::Norse) => {
                NirNode::Linear { weight: tensors[weight].clone() }
            }
            Op::Linear { weight, bias } => NirNode::Affine { weight: tensors[weight].clone(), bias: self.bias(bias.as_ref(), shape[0])? },
            Op::SumPool2d { kernel, stride, padding } => {
                NirNode::SumPool2d(Pool { kernel_size: *kernel, stride: *stride, padding: *padding })
            }
            Op::AvgPool2d { kernel, stride, padding } => {
                NirNode::AvgPool2d(Pool { kernel_size: *kernel, stride: *stride, padding: *padding })
            }
            Op::Flatten {} => {
                let input_type = Some(self.shape_of(&node.inputs[0], shapes).to_vec());
                NirNode::Flatten { start_dim: 0, end_dim: -1, input_type }
            }
            Op::Scale { factor } => NirNode::Scale { scale: Tensor::from_vec(shape, self.spread(factor, shape)?)? },
            Op::Delay { steps } => NirNode::Delay { delay: Self::full(shape, *steps as f64 * dt)? },
            Op::Li { decay, gain, v_init } => {
                if *v_init != Param::Scalar(0.0) {
                    self.lose(LossKind::VInit, name, "the membrane does not start at 0".into());
                }
                return self.integrator(node, shape, decay, *gain);
            }
            Op::Neuron(neuron) => return self.neuron(node, shape, neuron),
        };
        self.insert(name, converted)?;
        self.connect(node, name)
    }

    /// Edges to `entry` from all that the node reads, additions resolved.
    fn connect(&mut self, node: &Node, entry: &str) -> Result<()> {
        let mut sources = Vec::new();
        for input in &node.inputs {
            self.sources(input, &mut sources);
        }
        for (i, from) in sources.iter().enumerate() {
            if sources[..i].contains(from) {
                return Err(at(entry, format!("NIR can't say that `{from}` is added to itself; scale it instead")));
            }
            self.nir.edges.push((from.clone(), entry.into()));
        }
        Ok(())
    }

    fn sources(&self, name: &str, found: &mut Vec<String>) {
        match self.graph.node(name) {
            Some(Node { op: Op::Add {}, inputs, .. }) => inputs.iter().for_each(|input| self.sources(input, found)),
            _ => found.push(name.into()),
        }
    }

    /// Puts a product ahead of a node where the dialect's reader would leave a gain out; returns the node edges lead to.
    fn entry(&mut self, name: &str, shape: &[usize], gain: f64) -> Result<String> {
        if gain == 1.0 {
            return Ok(name.into());
        }
        let entry = format!("{name}.gain");
        self.insert(&entry, NirNode::Scale { scale: Self::full(shape, gain)? })?;
        self.nir.edges.push((entry.clone(), name.into()));
        Ok(entry)
    }

    /// `tau` and `r` of a leak; `None` where no neuron leaks.
    fn leak(&self, name: &str, shape: &[usize], decay: &Param, gain: f64) -> Result<Option<(Tensor, Tensor)>> {
        let decays = self.spread(decay, shape)?;
        if decays.iter().all(|&d| d == 1.0) {
            return Ok(None);
        }
        let sinabs = self.options.dialect == Dialect::Sinabs;
        if decays.iter().any(|&d| d == 1.0 || (sinabs && d == 0.0)) {
            return Err(at(name, "a decay of 1 beside others (or of 0, for sinabs) has no finite time constant"));
        }
        let dt = self.options.dt;
        let tau: Vec<f64> = decays.iter().map(|&d| if sinabs { -1.0 / d.ln() } else { dt / (1.0 - d) }).collect();
        let r = tau.iter().map(|&tau| if sinabs { 1.0 } else { gain * tau / dt }).collect();
        Ok(Some((Tensor::from_vec(shape, tau)?, Tensor::from_vec(shape, r)?)))
    }

    fn integrator(&mut self, node: &Node, shape: &[usize], decay: &Param, gain: f64) -> Result<()> {
        let name = node.name.as_str();
        let sinabs = self.options.dialect == Dialect::Sinabs;
        let converted = match self.leak(name, shape, decay, gain)? {
            Some((tau, r)) => NirNode::Li { tau, r, v_leak: Self::full(shape, 0.0)? },
            None => NirNode::I { r: Self::full(shape, gain / self.options.dt)? },
        };
        let entry = self.entry(name, shape, if sinabs && matches!(converted, NirNode::Li { .. }) { gain } else { 1.0 })?;
        self.insert(name, converted)?;
        self.connect(node, &entry)
    }

    fn neuron(&mut self, node: &Node, shape: &[usize], neuron: &Neuron) -> Result<()> {
        let name = node.name.as_str();
        let dialect = self.options.dialect;
        let thresholds = self.spread(&neuron.threshold, shape)?;
        let v_threshold = Tensor::from_vec(shape, thresholds.clone())?;
        let v_reset = match neuron.reset {
            Reset::Value(value) => Some(Self::full(shape, value)?),
            Reset::Zero | Reset::Subtract => None,
        };
        let v_leak = Self::full(shape, 0.0)?;
        let (converted, gain) = match &neuron.dynamics {
            Dynamics::If => self.integrate_and_fire(name, shape, 1.0, v_threshold, v_reset)?,
            Dynamics::Lif { decay, gain } => match self.leak(name, shape, decay, *gain)? {
                None => self.integrate_and_fire(name, shape, *gain, v_threshold, v_reset)?,
                Some((tau, r)) => {
                    let outside = if dialect == Dialect::Sinabs { *gain } else { 1.0 };
                    (NirNode::Lif { tau, r, v_leak, v_threshold, v_reset }, outside)
                }
            },
            Dynamics::CubaLif { decay_mem, decay_syn, gain_syn, gain_mem } => {
                if dialect == Dialect::Sinabs {
                    return Err(at(name, "sinabs has no CubaLIF in its NIR importer; choose another dialect"));
                }
                let mem = self.leak(name, shape, decay_mem, *gain_mem)?;
                let syn = self.leak(name, shape, decay_syn, *gain_syn)?;
                let Some(((tau_mem, r), (tau_syn, w_in))) = mem.zip(syn) else {
                    return Err(at(name, "a CubaLIF needs decays below 1 for both its currents"));
                };
                (NirNode::CubaLif { tau_mem, tau_syn, r, v_leak, w_in: Some(w_in), v_threshold, v_reset }, 1.0)
            }
        };
        self.losses_of(name, neuron, matches!(converted, NirNode::If { .. }), &thresholds);
        let entry = self.entry(name, shape, gain)?;
        self.insert(name, converted)?;
        self.connect(node, &entry)?;
        if neuron.payload == Payload::Theta {
            let exit = format!("{name}.payload");
            self.insert(&exit, NirNode::Scale { scale: Tensor::from_vec(shape, thresholds)? })?;
            self.exits.insert(name.into(), exit);
        }
        Ok(())
    }

    fn integrate_and_fire(
        &self,
        name: &str,
        shape: &[usize],
        gain: f64,
        v_threshold: Tensor,
        v_reset: Option<Tensor>,
    ) -> Result<(NirNode, f64)> {
        if self.options.dialect == Dialect::SnnTorch {
            return Err(at(name, "snnTorch reads an IF as a leaky neuron with a decay of 0.9; choose another dialect"));
        }
        let (r, outside) = if self.options.dialect.if_gain() { (gain / self.options.dt, 1.0) } else { (1.0, gain) };
        Ok((NirNode::If { r: Self::full(shape, r)?, v_threshold, v_reset }, outside))
    }

    fn losses_of(&mut self, name: &str, neuron: &Neuron, is_if: bool, thresholds: &[f64]) {
        let dialect = self.options.dialect;
        let kept = match neuron.reset {
            Reset::Subtract => dialect.subtracts(),
            Reset::Zero => !dialect.subtracts(),
            // SpikingJelly's importer wants v_leak = v_reset, which a leak towards 0 is not.
            Reset::Value(_) => dialect == Dialect::NirStrict || (dialect == Dialect::SpikingJelly && is_if),
        };
        if !kept {
            let read = if dialect.subtracts() { "a subtraction of the threshold" } else { "a reset to v_reset" };
            self.lose(LossKind::Reset, name, format!("reset {:?}, read as {read}", neuron.reset));
        }
        if neuron.compare != dialect.compare() {
            self.lose(LossKind::Compare, name, format!("fires at {:?}, read as {:?}", neuron.compare, dialect.compare()));
        }
        if neuron.spikes != dialect.spikes() {
            let several = if dialect.spikes() == SpikesPerStep::Trunc { "several" } else { "one" };
            self.lose(LossKind::SpikesPerStep, name, format!("spikes a step: {:?}, read as {several}", neuron.spikes));
        }
        let implied = thresholds.first().filter(|_| dialect == Dialect::Sinabs && is_if).map(|v| -v);
        if neuron.floor != implied {
            self.lose(LossKind::Floor, name, format!("floor {:?}, read as {implied:?}", neuron.floor));
        }
        if neuron.refractory != 0 {
            self.lose(LossKind::Refractory, name, format!("{} refractory steps, read as none", neuron.refractory));
        }
        let start = match neuron.reset {
            Reset::Value(value) if dialect == Dialect::SpikingJelly => value,
            _ => 0.0,
        };
        if neuron.v_init != Param::Scalar(start) {
            self.lose(LossKind::VInit, name, format!("the membrane does not start at {start}, where it is read to"));
        }
    }

    /// Adds the output, moves edges to where spikes got their payload, and compares the readout with the options.
    fn finish(&mut self, shapes: &[Vec<usize>]) -> Result<()> {
        let readout = &self.graph.readout;
        if self.graph.steps != self.options.steps || readout.rule != self.options.readout || readout.per_step {
            let ours = format!("{} steps, {:?}{}", self.graph.steps, readout.rule, if readout.per_step { ", each step" } else { "" });
            let detail = format!("readout {ours}, read as {} steps, {:?}", self.options.steps, self.options.readout);
            self.lose(LossKind::Readout, &readout.node, detail);
        }
        let shape = self.shape_of(&readout.node, shapes).to_vec();
        let output = Node { name: "output".into(), inputs: vec![readout.node.clone()], op: Op::Add {} };
        self.insert("output", NirNode::Output { shape })?;
        self.connect(&output, "output")?;
        for (from, _) in &mut self.nir.edges {
            if let Some(exit) = self.exits.get(from) {
                from.clone_from(exit);
            }
        }
        let payloads: Vec<_> = self.exits.iter().map(|(name, exit)| (name.clone(), exit.clone())).collect();
        self.nir.edges.extend(payloads);
        Ok(())
    }
}
