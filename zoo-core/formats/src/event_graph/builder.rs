//! Making a graph in code.

use super::{EventGraph, Neuron, Node, Op, Param, Readout, ReadoutRule, Source, at};
use std::collections::BTreeMap;
use zoo_core::{Error, Result, Tensor};

/// Builds an [`EventGraph`]. Nodes may name nodes that are added later (needed for loops through a delay).
///
/// Tensors are stored as `NODE.weight`, `NODE.bias` ... Settings such as [`Builder::stride`] apply to the node added last.
#[derive(Clone, Debug)]
pub struct Builder {
    graph: EventGraph,
    failure: Option<String>,
}

impl Builder {
    pub(super) fn new(steps: usize) -> Self {
        let readout = Readout { node: String::new(), rule: ReadoutRule::Sum, per_step: false };
        let graph = EventGraph { steps, nodes: Vec::new(), readout, tensors: BTreeMap::new(), metadata: BTreeMap::new() };
        Self { graph, failure: None }
    }

    /// Adds any node.
    #[must_use]
    pub fn node<'a>(mut self, name: &str, inputs: impl IntoIterator<Item = &'a str>, op: Op) -> Self {
        let inputs = inputs.into_iter().map(str::to_string).collect();
        self.graph.nodes.push(Node { name: name.into(), inputs, op });
        self
    }

    /// Adds a named tensor, for [`Param::Tensor`] or [`Builder::node`].
    #[must_use]
    pub fn tensor(mut self, name: impl Into<String>, tensor: Tensor) -> Self {
        self.graph.tensors.insert(name.into(), tensor);
        self
    }

    /// Adds an input. Shape of one step of one sample: `[C, H, W]`, `[C, L]` or `[N]`.
    #[must_use]
    pub fn input(self, name: &str, shape: impl Into<Vec<usize>>, source: Source) -> Self {
        self.node(name, [], Op::Input { shape: shape.into(), source })
    }

    /// Adds a convolution of stride 1 without padding; weight `[C_out, C_in / groups, K_y, K_x]`, bias `[C_out]`.
    #[must_use]
    pub fn conv2d(self, name: &str, from: &str, weight: Tensor, bias: Option<Tensor>) -> Self {
        let (weight, bias, builder) = self.weights(name, weight, bias);
        builder.node(name, [from], Op::Conv2d { weight, bias, stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 })
    }

    /// Adds a one-dimensional convolution of stride 1 without padding; weight `[C_out, C_in / groups, K]`.
    #[must_use]
    pub fn conv1d(self, name: &str, from: &str, weight: Tensor, bias: Option<Tensor>) -> Self {
        let (weight, bias, builder) = self.weights(name, weight, bias);
        builder.node(name, [from], Op::Conv1d { weight, bias, stride: [1], padding: [0], dilation: [1], groups: 1 })
    }

    /// Adds a linear layer; weight `[N_out, N_in]`, bias `[N_out]`.
    #[must_use]
    pub fn linear(self, name: &str, from: &str, weight: Tensor, bias: Option<Tensor>) -> Self {
        let (weight, bias, builder) = self.weights(name, weight, bias);
        builder.node(name, [from], Op::Linear { weight, bias })
    }

    /// Adds a sum pool whose stride is its window.
    #[must_use]
    pub fn sum_pool2d(self, name: &str, from: &str, kernel: [usize; 2]) -> Self {
        self.node(name, [from], Op::SumPool2d { kernel, stride: kernel, padding: [0, 0] })
    }

    /// Adds an average pool whose stride is its window.
    #[must_use]
    pub fn avg_pool2d(self, name: &str, from: &str, kernel: [usize; 2]) -> Self {
        self.node(name, [from], Op::AvgPool2d { kernel, stride: kernel, padding: [0, 0] })
    }

    /// Adds the sum of nodes of one shape.
    #[must_use]
    pub fn add<'a>(self, name: &str, from: impl IntoIterator<Item = &'a str>) -> Self {
        self.node(name, from, Op::Add {})
    }

    /// Joins nodes along the channel axis.
    #[must_use]
    pub fn concat<'a>(self, name: &str, from: impl IntoIterator<Item = &'a str>) -> Self {
        self.node(name, from, Op::Concat {})
    }

    /// Adds a flatten.
    #[must_use]
    pub fn flatten(self, name: &str, from: &str) -> Self {
        self.node(name, [from], Op::Flatten {})
    }

    /// Adds a product with a constant.
    #[must_use]
    pub fn scale(self, name: &str, from: &str, factor: impl Into<Param>) -> Self {
        self.node(name, [from], Op::Scale { factor: factor.into() })
    }

    /// Adds a delay.
    #[must_use]
    pub fn delay(self, name: &str, from: &str, steps: usize) -> Self {
        self.node(name, [from], Op::Delay { steps })
    }

    /// Adds a layer of spiking neurons.
    #[must_use]
    pub fn neuron(self, name: &str, from: &str, neuron: Neuron) -> Self {
        self.node(name, [from], Op::Neuron(neuron))
    }

    /// Adds a leaky integrator that never fires: `v = decay * v + x`.
    #[must_use]
    pub fn li(self, name: &str, from: &str, decay: impl Into<Param>) -> Self {
        self.node(name, [from], Op::Li { decay: decay.into(), gain: 1.0, v_init: Param::Scalar(0.0) })
    }

    /// Sets the stride of the convolution or pool added last.
    #[must_use]
    pub fn stride(self, value: [usize; 2]) -> Self {
        self.set("stride", |op| match op {
            Op::Conv2d { stride, .. } | Op::SumPool2d { stride, .. } | Op::AvgPool2d { stride, .. } => assign(stride, value),
            Op::Conv1d { stride, .. } => assign(stride, [value[1]]),
            _ => false,
        })
    }

    /// Sets the padding of the convolution or pool added last.
    #[must_use]
    pub fn padding(self, value: [usize; 2]) -> Self {
        self.set("padding", |op| match op {
            Op::Conv2d { padding, .. } | Op::SumPool2d { padding, .. } | Op::AvgPool2d { padding, .. } => assign(padding, value),
            Op::Conv1d { padding, .. } => assign(padding, [value[1]]),
            _ => false,
        })
    }

    /// Sets the dilation of the convolution added last.
    #[must_use]
    pub fn dilation(self, value: [usize; 2]) -> Self {
        self.set("dilation", |op| match op {
            Op::Conv2d { dilation, .. } => assign(dilation, value),
            Op::Conv1d { dilation, .. } => assign(dilation, [value[1]]),
            _ => false,
        })
    }

    /// Sets the groups of the convolution added last.
    #[must_use]
    pub fn groups(self, value: usize) -> Self {
        self.set("groups", |op| match op {
            Op::Conv2d { groups, .. } | Op::Conv1d { groups, .. } => assign(groups, value),
            _ => false,
        })
    }

    /// Sets which node gives the logits, and how.
    #[must_use]
    pub fn readout(mut self, node: &str, rule: ReadoutRule) -> Self {
        self.graph.readout.node = node.into();
        self.graph.readout.rule = rule;
        self
    }

    /// Also gives the outputs of each step.
    #[must_use]
    pub fn per_step(mut self) -> Self {
        self.graph.readout.per_step = true;
        self
    }

    /// Adds a line of metadata.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.graph.metadata.insert(key.into(), value.into());
        self
    }

    /// Checks the graph and gives it out.
    ///
    /// # Errors
    /// What [`EventGraph::validate`] finds, or [`Error::Artifact`] for a setting applied to a node without it.
    pub fn build(self) -> Result<EventGraph, Error> {
        if let Some(why) = self.failure {
            return Err(at("", why));
        }
        self.graph.validate()?;
        Ok(self.graph)
    }

    fn weights(mut self, name: &str, weight: Tensor, bias: Option<Tensor>) -> (String, Option<String>, Self) {
        let key = format!("{name}.weight");
        self.graph.tensors.insert(key.clone(), weight);
        let bias = bias.map(|bias| {
            let key = format!("{name}.bias");
            self.graph.tensors.insert(key.clone(), bias);
            key
        });
        (key, bias, self)
    }

    fn set(mut self, what: &str, apply: impl FnOnce(&mut Op) -> bool) -> Self {
        let done = self.graph.nodes.last_mut().is_some_and(|node| apply(&mut node.op));
        if !done {
            let last = self.graph.nodes.last().map_or("no node", |n| n.op.name());
            self.failure.get_or_insert_with(|| format!("{what} was set on {last}, which has none"));
        }
        self
    }
}

fn assign<T>(target: &mut T, value: T) -> bool {
    *target = value;
    true
}
