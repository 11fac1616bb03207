//! The nodes of an event graph and what they are made of.

use serde::{Deserialize, Serialize};

/// A neuron parameter: one value for the layer, or the name of a tensor with one value a channel (shape `[C]`) or one
/// value a neuron (the layer's own shape).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Param {
    /// One value.
    Scalar(f64),
    /// Name of a tensor in `graph.safetensors`.
    Tensor(String),
}

impl From<f64> for Param {
    fn from(value: f64) -> Self {
        Self::Scalar(value)
    }
}

impl From<f32> for Param {
    fn from(value: f32) -> Self {
        Self::Scalar(f64::from(value))
    }
}

impl From<&str> for Param {
    fn from(name: &str) -> Self {
        Self::Tensor(name.into())
    }
}

/// What arrives at an input node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Unit events; a run feeds event counts per step, `[batch, T, ...]`.
    Events,
    /// Events that carry a real value, fed as `[batch, T, ...]`.
    GradedEvents,
    /// One analog image that is applied unchanged at every step, fed as `[batch, ...]`.
    Constant,
    /// One analog frame a step, fed as `[batch, T, ...]`.
    Frames,
}

/// What happens to the membrane `v` when a neuron fires.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reset {
    /// `v -= n * threshold` for `n` spikes (soft reset).
    Subtract,
    /// `v = 0`.
    Zero,
    /// `v` takes this value, as `v_reset` of NIR.
    Value(f64),
}

/// How the membrane is compared with the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compare {
    /// Fires at `v > threshold`.
    #[serde(rename = ">")]
    Greater,
    /// Fires at `v >= threshold`.
    #[serde(rename = ">=")]
    GreaterEqual,
}

/// What a spike carries to the next layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payload {
    /// The value 1.
    Unit,
    /// The neuron's threshold (amplitude-carrying spikes of converted networks).
    Theta,
}

/// How many spikes a neuron may emit in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpikesPerStep {
    /// At most one.
    One,
    /// `trunc(v / threshold)` where `v` is positive, 0 elsewhere (sinabs' `MultiSpike`); needs `reset = subtract`.
    Trunc,
}

/// The dynamics between input current `x` and membrane `v`, for one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Dynamics {
    /// `v += x`.
    If,
    /// `v = decay * v + gain * x`.
    Lif {
        /// Factor a step, in `[0, 1]`.
        decay: Param,
        /// Factor on the input current; `1` for the plain form, `1 - decay` for a normalised input.
        gain: f64,
    },
    /// `i = decay_syn * i + gain_syn * x ; v = decay_mem * v + gain_mem * i`, starting from `i = 0`.
    CubaLif {
        /// Factor of the membrane a step, in `[0, 1]`.
        decay_mem: Param,
        /// Factor of the synaptic current a step, in `[0, 1]`.
        decay_syn: Param,
        /// Factor on the input current.
        gain_syn: f64,
        /// Factor on the synaptic current where it enters the membrane.
        gain_mem: f64,
    },
}

/// A layer of spiking neurons.
///
/// One step, for each neuron: dynamics, then firing (`compare`, `spikes`), then `reset`, then `floor`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neuron {
    /// From input current to membrane.
    pub dynamics: Dynamics,
    /// Firing threshold; greater than 0.
    pub threshold: Param,
    /// `>` or `>=`.
    pub compare: Compare,
    /// What firing does to the membrane.
    pub reset: Reset,
    /// How many spikes a step.
    pub spikes: SpikesPerStep,
    /// What a spike carries.
    pub payload: Payload,
    /// Lower bound of the membrane, applied after the reset; at most 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<f64>,
    /// Steps after a spike during which the membrane is held and input is discarded.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refractory: u32,
    /// Membrane before the first step.
    #[serde(default = "zero_param", skip_serializing_if = "is_zero_param")]
    pub v_init: Param,
}

impl Neuron {
    /// IF as sinabs and the conversion papers use it: `>=`, subtractive reset, one unit spike a step.
    pub fn integrate_and_fire(threshold: impl Into<Param>) -> Self {
        Self {
            dynamics: Dynamics::If,
            threshold: threshold.into(),
            compare: Compare::GreaterEqual,
            reset: Reset::Subtract,
            spikes: SpikesPerStep::One,
            payload: Payload::Unit,
            floor: None,
            refractory: 0,
            v_init: Param::Scalar(0.0),
        }
    }

    /// LIF as the directly trained papers use it: `v = decay * v + x`, strict `>`, reset to zero, one unit spike a step.
    pub fn leaky(decay: impl Into<Param>, threshold: impl Into<Param>) -> Self {
        Self {
            dynamics: Dynamics::Lif { decay: decay.into(), gain: 1.0 },
            compare: Compare::Greater,
            reset: Reset::Zero,
            ..Self::integrate_and_fire(threshold)
        }
    }
}

/// What a node does. Shapes are per sample: `[C, H, W]`, `[C, L]` or `[N]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Op {
    /// Where events or frames enter.
    Input {
        /// Shape of one step of one sample.
        shape: Vec<usize>,
        /// What arrives.
        source: Source,
    },
    /// One-dimensional convolution of `[C, L]`; weight `[C_out, C / groups, K]`. The bias is added at every step.
    Conv1d {
        /// Weight tensor.
        weight: String,
        /// Bias tensor, `[C_out]`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bias: Option<String>,
        /// Step of the window.
        stride: [usize; 1],
        /// Zeros on each side.
        padding: [usize; 1],
        /// Distance of taps.
        dilation: [usize; 1],
        /// Channel groups.
        groups: usize,
    },
    /// Two-dimensional convolution of `[C, H, W]`; weight `[C_out, C / groups, K_y, K_x]`. The bias is added at every step.
    Conv2d {
        /// Weight tensor.
        weight: String,
        /// Bias tensor, `[C_out]`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bias: Option<String>,
        /// Step of the window, y then x.
        stride: [usize; 2],
        /// Zeros on each side, y then x.
        padding: [usize; 2],
        /// Distance of taps, y then x.
        dilation: [usize; 2],
        /// Channel groups.
        groups: usize,
    },
    /// Matrix product of `[N]`; weight `[N_out, N]`. The bias is added at every step.
    Linear {
        /// Weight tensor.
        weight: String,
        /// Bias tensor, `[N_out]`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bias: Option<String>,
    },
    /// Sum over windows of `[C, H, W]`; input beyond the last full window is dropped.
    SumPool2d {
        /// Window, y then x.
        kernel: [usize; 2],
        /// Step of the window, y then x.
        stride: [usize; 2],
        /// Zeros on each side, y then x.
        padding: [usize; 2],
    },
    /// Mean over windows of `[C, H, W]`, padding counted; input beyond the last full window is dropped.
    AvgPool2d {
        /// Window, y then x.
        kernel: [usize; 2],
        /// Step of the window, y then x.
        stride: [usize; 2],
        /// Zeros on each side, y then x.
        padding: [usize; 2],
    },
    /// Sum of two or more inputs of one shape (residual connection).
    Add {},
    /// Joins inputs along the first (channel) axis.
    Concat {},
    /// `[C, H, W]` to `[C * H * W]`, in that order.
    Flatten {},
    /// Product with a constant.
    Scale {
        /// The constant; one value a layer or a channel.
        factor: Param,
    },
    /// The input of `steps` steps ago, zero before that. The only node a cycle may pass through.
    Delay {
        /// Steps; at least 1.
        steps: usize,
    },
    /// Spiking neurons.
    Neuron(Neuron),
    /// Leaky integrator without firing; passes its membrane on: `v = decay * v + gain * x`.
    Li {
        /// Factor a step, in `[0, 1]`.
        decay: Param,
        /// Factor on the input current.
        gain: f64,
        /// Membrane before the first step.
        #[serde(default = "zero_param", skip_serializing_if = "is_zero_param")]
        v_init: Param,
    },
}

impl Op {
    /// Names of all operations, as they stand in `graph.json`.
    pub const NAMES: [&'static str; 13] =
        ["input", "conv1d", "conv2d", "linear", "sum-pool2d", "avg-pool2d", "add", "concat", "flatten", "scale", "delay", "neuron", "li"];

    /// Name as it stands in `graph.json`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Input { .. } => "input",
            Self::Conv1d { .. } => "conv1d",
            Self::Conv2d { .. } => "conv2d",
            Self::Linear { .. } => "linear",
            Self::SumPool2d { .. } => "sum-pool2d",
            Self::AvgPool2d { .. } => "avg-pool2d",
            Self::Add {} => "add",
            Self::Concat {} => "concat",
            Self::Flatten {} => "flatten",
            Self::Scale { .. } => "scale",
            Self::Delay { .. } => "delay",
            Self::Neuron(_) => "neuron",
            Self::Li { .. } => "li",
        }
    }
}

/// A named node and where its inputs come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Unique name.
    pub name: String,
    /// Names of the nodes it reads, in order.
    pub inputs: Vec<String>,
    /// What it does.
    pub op: Op,
}

/// How outputs over time become logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadoutRule {
    /// Sum of the node's outputs over all steps. Spikes count by what they carry.
    Sum,
    /// The sum divided by the number of steps.
    Mean,
    /// Membrane of a `neuron` or `li` node after the last step.
    Membrane,
}

/// Which node gives the classes, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Readout {
    /// The node; its shape must have one axis.
    pub node: String,
    /// From outputs over time to logits.
    pub rule: ReadoutRule,
    /// Also give the outputs of each step, `[batch, T, classes]` (membranes for [`ReadoutRule::Membrane`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub per_step: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

fn zero_param() -> Param {
    Param::Scalar(0.0)
}

fn is_zero_param(param: &Param) -> bool {
    *param == Param::Scalar(0.0)
}
