//! Everything a graph must fulfil beyond fitting shapes.

use super::{Dynamics, EventGraph, Neuron, Node, Op, Param, ReadoutRule, Reset, SpikesPerStep, at, limits};
use zoo_core::{DType, Error, Result, Tensor};

impl EventGraph {
    /// Checks topology, shapes, weights and neuron parameters.
    ///
    /// # Errors
    /// [`Error::Artifact`] or [`Error::Shape`] naming the first node that is wrong, with what was expected and found.
    pub fn validate(&self) -> Result<()> {
        if self.steps == 0 || self.steps > limits::STEPS {
            return Err(at("", format!("expected 1 to {} steps, found {}", limits::STEPS, self.steps)));
        }
        let shapes = self.shapes()?;
        for (node, shape) in self.nodes.iter().zip(&shapes) {
            self.check_node(node, shape)?;
        }
        if !self.nodes.iter().any(|n| matches!(n.op, Op::Input { .. })) {
            return Err(at("", "there is no input node"));
        }
        self.check_readout(&shapes)
    }

    fn check_node(&self, node: &Node, shape: &[usize]) -> Result<()> {
        match &node.op {
            Op::Conv1d { weight, bias, .. } | Op::Conv2d { weight, bias, .. } | Op::Linear { weight, bias } => {
                self.finite(node, weight)?;
                let Some(bias) = bias else { return Ok(()) };
                let tensor = self.finite(node, bias)?;
                if tensor.shape() != [shape[0]] {
                    return Err(Error::shape(format!("event graph, node `{}`, bias", node.name), [shape[0]], tensor.shape()));
                }
                Ok(())
            }
            Op::Delay { steps } => {
                let held = shape.iter().product::<usize>().saturating_mul(*steps);
                if *steps == 0 || *steps > limits::STEPS || held > limits::DELAY_ELEMENTS {
                    let expected = format!("1 to {} steps holding at most {} values", limits::STEPS, limits::DELAY_ELEMENTS);
                    return Err(at(&node.name, format!("expected a delay of {expected}, found {steps} steps, {held} values")));
                }
                Ok(())
            }
            Op::Scale { factor } => self.param(node, "factor", factor, shape, "a finite value", |_| true),
            Op::Neuron(neuron) => self.check_neuron(node, neuron, shape),
            Op::Li { decay, gain, v_init } => {
                self.decay(node, "decay", decay, shape)?;
                finite_gain(node, "gain", *gain)?;
                self.param(node, "v_init", v_init, shape, "a finite value", |_| true)
            }
            Op::Input { .. } | Op::SumPool2d { .. } | Op::AvgPool2d { .. } | Op::Add {} | Op::Concat {} | Op::Flatten {} => Ok(()),
        }
    }

    fn check_neuron(&self, node: &Node, neuron: &Neuron, shape: &[usize]) -> Result<()> {
        self.param(node, "threshold", &neuron.threshold, shape, "a value above 0", |v| v > 0.0)?;
        self.param(node, "v_init", &neuron.v_init, shape, "a finite value", |_| true)?;
        match &neuron.dynamics {
            Dynamics::If => {}
            Dynamics::Lif { decay, gain } => {
                self.decay(node, "decay", decay, shape)?;
                finite_gain(node, "gain", *gain)?;
            }
            Dynamics::CubaLif { decay_mem, decay_syn, gain_syn, gain_mem } => {
                self.decay(node, "decay_mem", decay_mem, shape)?;
                self.decay(node, "decay_syn", decay_syn, shape)?;
                finite_gain(node, "gain_syn", *gain_syn)?;
                finite_gain(node, "gain_mem", *gain_mem)?;
            }
        }
        if let Some(floor) = neuron.floor.filter(|f| !f.is_finite() || *f > 0.0) {
            return Err(at(&node.name, format!("floor: expected a finite value of at most 0, found {floor}")));
        }
        if let Reset::Value(value) = neuron.reset {
            if !value.is_finite() {
                return Err(at(&node.name, format!("reset value: expected a finite value, found {value}")));
            }
            self.param(node, "threshold", &neuron.threshold, shape, "a value above the reset value", |v| v > value)?;
        }
        if neuron.spikes == SpikesPerStep::Trunc && neuron.reset != Reset::Subtract {
            return Err(at(&node.name, "spikes = trunc needs reset = subtract; several spikes a step have no meaning otherwise"));
        }
        Ok(())
    }

    fn check_readout(&self, shapes: &[Vec<usize>]) -> Result<()> {
        let name = &self.readout.node;
        let Some(index) = self.nodes.iter().position(|n| n.name == *name) else {
            return Err(at("", format!("the readout names node `{name}`, which is not in the graph")));
        };
        if shapes[index].len() != 1 {
            return Err(Error::Shape {
                what: format!("event graph, readout of node `{name}`"),
                expected: "[classes] (insert a flatten)".into(),
                found: format!("{:?}", shapes[index]),
            });
        }
        if self.readout.rule == ReadoutRule::Membrane && !matches!(self.nodes[index].op, Op::Neuron(_) | Op::Li { .. }) {
            return Err(at(name, format!("a membrane readout needs a neuron or li node, found {}", self.nodes[index].op.name())));
        }
        Ok(())
    }

    fn decay(&self, node: &Node, what: &str, param: &Param, shape: &[usize]) -> Result<()> {
        self.param(node, what, param, shape, "a value from 0 to 1", |v| (0.0..=1.0).contains(&v))
    }

    fn param(&self, node: &Node, what: &str, param: &Param, shape: &[usize], expected: &str, ok: impl Fn(f64) -> bool) -> Result<()> {
        let bad = |v: f64| !v.is_finite() || !ok(v);
        match param {
            Param::Scalar(v) if bad(*v) || !(*v as f32).is_finite() => {
                Err(at(&node.name, format!("{what}: expected {expected}, found {v}")))
            }
            // A threshold that rounds to zero as `f32` would fire without end.
            Param::Scalar(v) if bad(f64::from(*v as f32)) => Err(at(&node.name, format!("{what}: {v} is too small for f32"))),
            Param::Scalar(_) => Ok(()),
            Param::Tensor(name) => {
                let tensor = self.finite(node, name)?;
                if tensor.shape() != [shape[0]] && tensor.shape() != shape {
                    let expected = format!("[{}] or {shape:?}", shape[0]);
                    let found = format!("{:?}", tensor.shape());
                    return Err(Error::Shape { what: format!("event graph, node `{}`, {what}", node.name), expected, found });
                }
                match tensor.as_slice::<f32>()?.iter().find(|v| bad(f64::from(**v))) {
                    Some(v) => Err(at(&node.name, format!("{what}: expected {expected} everywhere, found {v}"))),
                    None => Ok(()),
                }
            }
        }
    }

    /// The tensor, after making sure that it is `f32` and holds neither NaN nor infinity.
    fn finite(&self, node: &Node, name: &str) -> Result<&Tensor> {
        let tensor = self.weight(node, name)?;
        if tensor.dtype() != DType::F32 {
            let what = format!("event graph, node `{}`, tensor `{name}`", node.name);
            return Err(Error::DType { what, expected: "f32".into(), found: tensor.dtype().to_string() });
        }
        match tensor.as_slice::<f32>()?.iter().position(|v| !v.is_finite()) {
            Some(i) => Err(at(
                &node.name,
                format!("tensor `{name}`: expected finite values, found {} at element {i}", tensor.as_slice::<f32>()?[i]),
            )),
            None => Ok(tensor),
        }
    }
}

fn finite_gain(node: &Node, what: &str, value: f64) -> Result<()> {
    if (value as f32).is_finite() { Ok(()) } else { Err(at(&node.name, format!("{what}: expected a finite value, found {value}"))) }
}
