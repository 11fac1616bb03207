//! From NIR to an event graph.

use super::flatten::{Flat, flatten};
use super::neuron::{Firing, Lowering, Values};
use super::read::wide;
use super::{Conv, Loss, LossKind, NirGraph, NirNode, NirOptions, Pool, at};
use crate::Result;
use crate::event_graph::{EventGraph, Node, Op, Readout};
use std::collections::{BTreeMap, BTreeSet};
use zoo_core::Tensor;

impl NirGraph {
    /// The event graph that a framework's importer would run, and what had to be added to the file's meaning.
    ///
    /// Nested graphs are taken apart (`outer.inner`), several edges into a node become an addition, a loop gets a delay
    /// of one step, scalars stand for all neurons, an absent `v_reset` for zeros, and an output of several axes is
    /// flattened.
    ///
    /// # Errors
    /// [`zoo_core::Error::Artifact`] naming the node that the dialect or the event graph has no meaning for,
    /// [`zoo_core::Error::Shape`] for shapes that do not fit.
    pub fn to_event_graph(&self, options: &NirOptions) -> Result<(EventGraph, Vec<Loss>)> {
        options.check()?;
        let flat = flatten(self)?;
        let mut import = Import { options, nodes: Vec::new(), tensors: BTreeMap::new(), last: BTreeMap::new(), losses: Vec::new() };
        let outputs: Vec<_> = flat.iter().filter(|f| matches!(f.node, NirNode::Output { .. })).collect();
        let [output] = outputs[..] else {
            return Err(at("", format!("expected one Output node, found {}", outputs.len())));
        };
        let loops = loops(&flat, options);
        for node in &flat {
            import.node(node, &flat, &loops)?;
        }
        let readout = import.input_of(output, &loops)?;
        import.rename();
        let readout = import.exit(&readout);
        let Import { nodes, tensors, losses, .. } = import;
        let mut graph = EventGraph {
            steps: options.steps,
            nodes,
            readout: Readout { node: readout, rule: options.readout, per_step: false },
            tensors,
            metadata: BTreeMap::new(),
        };
        let shapes = graph.shapes()?;
        let at_readout = graph.nodes.iter().position(|n| n.name == graph.readout.node);
        if at_readout.is_some_and(|i| shapes[i].len() != 1) {
            let name = format!("{}.flat", graph.readout.node);
            graph.nodes.push(Node { name: name.clone(), inputs: vec![graph.readout.node], op: Op::Flatten {} });
            graph.readout.node = name;
        }
        graph.validate()?;
        Ok((graph, losses))
    }
}

/// Edges (from, to) that close a loop which no delay interrupts.
fn loops(flat: &[Flat<'_>], options: &NirOptions) -> BTreeSet<(String, String)> {
    let index: BTreeMap<&str, usize> = flat.iter().enumerate().map(|(i, f)| (f.name.as_str(), i)).collect();
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); flat.len()];
    for (to, node) in flat.iter().enumerate() {
        for from in node.inputs.iter().map(|name| index[name.as_str()]) {
            if !matches!(flat[from].node, NirNode::Delay { delay } if wide(delay).iter().all(|d| (d / options.dt).round() >= 1.0)) {
                next[from].push(to);
            }
        }
    }
    // Depth first from the inputs, so that a loop is cut where it leads back and not where it is entered.
    let mut starts: Vec<usize> = (0..flat.len()).filter(|&i| matches!(flat[i].node, NirNode::Input { .. })).collect();
    starts.extend(0..flat.len());
    let (mut state, mut found) = (vec![0u8; flat.len()], BTreeSet::new());
    for start in starts {
        let mut stack = if state[start] == 0 { vec![(start, 0)] } else { Vec::new() };
        while let Some((node, child)) = stack.pop() {
            state[node] = 1;
            let Some(&to) = next[node].get(child) else {
                state[node] = 2;
                continue;
            };
            stack.push((node, child + 1));
            match state[to] {
                0 => stack.push((to, 0)),
                1 => {
                    found.insert((flat[node].name.clone(), flat[to].name.clone()));
                }
                _ => {}
            }
        }
    }
    found
}

struct Import<'a> {
    options: &'a NirOptions,
    nodes: Vec<Node>,
    tensors: BTreeMap<String, Tensor>,
    /// The node that gives the output of a file's node, where that is another.
    last: BTreeMap<String, String>,
    losses: Vec<Loss>,
}

impl Import<'_> {
    fn push(&mut self, name: String, inputs: Vec<String>, op: Op) -> Result<()> {
        if self.nodes.iter().any(|n| n.name == name) {
            return Err(at(&name, "the name is needed for a node that the conversion adds; rename it"));
        }
        self.nodes.push(Node { name, inputs, op });
        Ok(())
    }

    /// The node that gives the output of a file's node; for a delay of no step, whatever feeds it.
    fn exit(&self, name: &str) -> String {
        let mut name = name;
        // A loop of such delays alone has been cut by a real one.
        while let Some(last) = self.last.get(name) {
            name = last;
        }
        name.into()
    }

    fn rename(&mut self) {
        let mut nodes = std::mem::take(&mut self.nodes);
        for input in nodes.iter_mut().flat_map(|node| &mut node.inputs) {
            *input = self.exit(input);
        }
        self.nodes = nodes;
    }

    /// The node that brings a node its input: its source, delayed where that closes a loop, or a sum of several.
    fn input_of(&mut self, node: &Flat<'_>, loops: &BTreeSet<(String, String)>) -> Result<String> {
        let mut sources = Vec::new();
        for from in &node.inputs {
            if !loops.contains(&(from.clone(), node.name.clone())) {
                sources.push(from.clone());
                continue;
            }
            let delayed = format!("{from}.delayed");
            if !self.nodes.iter().any(|n| n.name == delayed) {
                self.push(delayed.clone(), vec![from.clone()], Op::Delay { steps: 1 })?;
                let detail = format!("the loop back to `{}` gets a delay of one step", node.name);
                self.losses.push(Loss { kind: LossKind::LoopDelay, node: from.clone(), detail });
            }
            sources.push(delayed);
        }
        match sources.len() {
            0 => Err(at(&node.name, "no edge leads to it")),
            1 => Ok(sources.swap_remove(0)),
            _ => {
                let name = format!("{}.sum", node.name);
                self.push(name.clone(), sources, Op::Add {})?;
                Ok(name)
            }
        }
    }

    fn node(&mut self, flat: &Flat<'_>, all: &[Flat<'_>], loops: &BTreeSet<(String, String)>) -> Result<()> {
        let name = flat.name.as_str();
        let op = match flat.node {
            NirNode::Output { .. } => return Ok(()),
            NirNode::Input { shape } => {
                if !flat.inputs.is_empty() {
                    return Err(at(name, "an edge leads to an Input node"));
                }
                let shape = input_shape(name, shape, all)?;
                return self.push(name.into(), Vec::new(), Op::Input { shape, source: self.options.source });
            }
            other => other,
        };
        let input = self.input_of(flat, loops)?;
        let mut chain = self.lower(name, op)?;
        // The last of a chain keeps the file's name, what comes before it gets a suffix.
        let last = chain.pop();
        let mut from = input;
        for (suffix, op) in chain {
            let link = format!("{name}.{suffix}");
            self.push(link.clone(), vec![from], op)?;
            from = link;
        }
        match last {
            Some((_, op)) => self.push(name.into(), vec![from], op),
            None => {
                self.last.insert(name.into(), from);
                Ok(())
            }
        }
    }

    fn weight(&mut self, key: String, tensor: &Tensor) -> Result<String> {
        self.tensors.insert(key.clone(), Tensor::from_vec(tensor.shape(), tensor.to_f32())?);
        Ok(key)
    }

    /// A bias, unless it is all zero.
    fn bias(&mut self, name: &str, tensor: &Tensor) -> Result<Option<String>> {
        if tensor.to_f32().iter().all(|&v| v == 0.0) { Ok(None) } else { self.weight(format!("{name}.bias"), tensor).map(Some) }
    }

    fn lower(&mut self, name: &str, node: &NirNode) -> Result<Vec<(&'static str, Op)>> {
        let single = |op| Ok(vec![("", op)]);
        match node {
            NirNode::Affine { weight, bias } => {
                let (weight, bias) = (self.weight(format!("{name}.weight"), weight)?, self.bias(name, bias)?);
                single(Op::Linear { weight, bias })
            }
            NirNode::Linear { weight } => single(Op::Linear { weight: self.weight(format!("{name}.weight"), weight)?, bias: None }),
            NirNode::Conv1d(conv) => {
                let Conv { stride, padding, dilation, groups, .. } = conv;
                let axis = |values: &[usize]| values.first().map(|&v| [v]).ok_or_else(|| at(name, "expected one axis"));
                let (stride, padding, dilation) = (axis(stride)?, axis(padding)?, axis(dilation)?);
                let (weight, bias) = (self.weight(format!("{name}.weight"), &conv.weight)?, self.bias(name, &conv.bias)?);
                single(Op::Conv1d { weight, bias, stride, padding, dilation, groups: *groups })
            }
            NirNode::Conv2d(conv) => {
                let Conv { stride, padding, dilation, groups, .. } = conv;
                let axes = |values: &[usize]| <[usize; 2]>::try_from(values).map_err(|_| at(name, "expected two axes"));
                let (stride, padding, dilation) = (axes(stride)?, axes(padding)?, axes(dilation)?);
                let (weight, bias) = (self.weight(format!("{name}.weight"), &conv.weight)?, self.bias(name, &conv.bias)?);
                single(Op::Conv2d { weight, bias, stride, padding, dilation, groups: *groups })
            }
            NirNode::SumPool2d(Pool { kernel_size, stride, padding }) => {
                single(Op::SumPool2d { kernel: *kernel_size, stride: *stride, padding: *padding })
            }
            NirNode::AvgPool2d(Pool { kernel_size, stride, padding }) => {
                single(Op::AvgPool2d { kernel: *kernel_size, stride: *stride, padding: *padding })
            }
            NirNode::Flatten { start_dim, end_dim, input_type } => {
                let last = input_type.as_ref().map(|shape| shape.len() as i64 - 1);
                if *start_dim != 0 || !(*end_dim == -1 || Some(*end_dim) == last) {
                    return Err(at(name, format!("expected a flatten of all axes (0 to -1), found {start_dim} to {end_dim}")));
                }
                single(Op::Flatten {})
            }
            NirNode::Scale { scale } => single(Op::Scale { factor: Values::of(scale).param(format!("{name}.scale"), &mut self.tensors)? }),
            NirNode::Delay { delay } => {
                let Some(seconds) = Values::of(delay).uniform() else {
                    return Err(at(name, "delay: expected one value for the layer, found several"));
                };
                let steps = (seconds / self.options.dt).round();
                if !(0.0..=1e6).contains(&steps) {
                    return Err(at(name, format!("delay: expected 0 to 1000000 steps of {} s, found {seconds} s", self.options.dt)));
                }
                // A delay below half a step is none.
                if steps == 0.0 { Ok(Vec::new()) } else { single(Op::Delay { steps: steps as usize }) }
            }
            NirNode::Input { .. } | NirNode::Output { .. } | NirNode::Graph(_) => Err(at(name, "is no operation")),
            neuron => self.neuron(name, neuron),
        }
    }

    fn neuron(&mut self, name: &str, node: &NirNode) -> Result<Vec<(&'static str, Op)>> {
        let one = Tensor::scalar(1.0f32);
        let mut lowering = Lowering { name, options: self.options, tensors: &mut self.tensors, chain: Vec::new() };
        match node {
            NirNode::Threshold { threshold } => lowering.threshold(threshold)?,
            NirNode::I { r } => lowering.integrator("", None, r, None)?,
            NirNode::Li { tau, r, v_leak } => lowering.integrator("", Some(tau), r, Some(v_leak))?,
            NirNode::CubaLi { tau_mem, tau_syn, r, v_leak, w_in } => {
                lowering.not_for_sinabs("CubaLI")?;
                lowering.integrator("syn", Some(tau_syn), w_in.as_ref().unwrap_or(&one), None)?;
                lowering.integrator("", Some(tau_mem), r, Some(v_leak))?;
            }
            NirNode::If { r, v_threshold, v_reset } => {
                lowering.integrate_and_fire(r, &Firing { v_threshold, v_reset: v_reset.as_ref(), v_leak: None })?;
            }
            NirNode::Lif { tau, r, v_leak, v_threshold, v_reset } => {
                lowering.leaky(tau, r, &Firing { v_threshold, v_reset: v_reset.as_ref(), v_leak: Some(v_leak) })?;
            }
            NirNode::CubaLif { tau_mem, tau_syn, r, v_leak, w_in, v_threshold, v_reset } => {
                let firing = Firing { v_threshold, v_reset: v_reset.as_ref(), v_leak: Some(v_leak) };
                lowering.current_based([tau_syn, w_in.as_ref().unwrap_or(&one)], [tau_mem, r], &firing)?;
            }
            other => return Err(at(name, format!("there is no meaning for {} here", other.kind()))),
        }
        Ok(lowering.chain)
    }
}

/// Shape of an input: that of the file, without leading axes of length 1 that its readers can't take (batch, time), or, if
/// the file has none, what a reader says.
fn input_shape(name: &str, declared: &[usize], all: &[Flat<'_>]) -> Result<Vec<usize>> {
    let readers = || all.iter().filter(|f| f.inputs.iter().any(|i| i == name)).map(|f| f.node);
    let rank = readers().find_map(|node| match node {
        NirNode::Affine { .. } | NirNode::Linear { .. } => Some(1),
        NirNode::Conv1d(_) => Some(2),
        NirNode::Conv2d(_) | NirNode::SumPool2d(_) | NirNode::AvgPool2d(_) => Some(3),
        _ => None,
    });
    if !declared.is_empty() {
        let extra = rank.map_or(0, |rank: usize| declared.len().saturating_sub(rank));
        let cut = declared[..extra].iter().take_while(|&&d| d == 1).count();
        return Ok(declared[cut..].to_vec());
    }
    let hint = readers().find_map(|node| match node {
        NirNode::Affine { weight, .. } | NirNode::Linear { weight } => weight.shape().last().map(|&n| vec![n]),
        NirNode::Conv1d(conv) | NirNode::Conv2d(conv) => {
            let channels = conv.weight.shape().get(1)?.checked_mul(conv.groups)?;
            Some(std::iter::once(channels).chain(conv.input_shape.clone()?).collect())
        }
        NirNode::Flatten { input_type, .. } => input_type.clone(),
        NirNode::If { v_threshold, .. } | NirNode::Lif { v_threshold, .. } => Some(v_threshold.shape().to_vec()).filter(|s| !s.is_empty()),
        _ => None,
    });
    hint.ok_or_else(|| at(name, "the file gives no shape for this input, and no reader of it does"))
}
