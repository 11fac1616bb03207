//! Networks as lists of layers: what training, export and import agree on.
//!
//! Every convolution is followed by batch normalisation. A layer may add an earlier layer's output before its neurons
//! (ResNet) or after them (SEW-ResNet).

mod arch;
mod shape;

use serde::{Deserialize, Serialize};
use zoo_core::{Error, Result};

/// Architectures of the paper (specification section 5) and their scaled-down kin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// Four pairs of convolutions (64 to 512 channels) with analog average pools between; DVS-CIFAR10.
    Vggsnn,
    /// The same widths; the second convolution of each pair has stride 2, there are no pools.
    VggsnnWoap,
    /// Stem of 64 channels, basic blocks 128 x 3, 256 x 3, 512 x 2, two linear layers with neurons between; CIFAR.
    Resnet19,
    /// ResNet-34 with neurons after each addition; ImageNet.
    SpikingResnet34,
    /// ResNet-34 with each addition after the neurons; ImageNet.
    SewResnet34,
    /// 12 (stride 2), 24, pool, 32, 32, pool: the network of the scaled-down reproduction.
    VggsnnMini,
}

/// Leaky integrate-and-fire with hard reset (specification section 2): `u <- decay u + x; s = 1[u > v_threshold];
/// u <- (1 - s) u`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Neuron {
    /// Factor on the membrane a step.
    pub decay: f32,
    /// The membrane must exceed it to fire.
    pub v_threshold: f32,
    /// Half width of the triangular surrogate; training only.
    pub surrogate_width: f32,
    /// The paper's control: `s = sigmoid(k (u - v_threshold))` with its exact gradient in place of the step. Training
    /// only; such a network does not spike and is not exported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigmoid: Option<f32>,
}

impl Default for Neuron {
    /// The paper's values for every experiment: 0.5, 1, 1.
    fn default() -> Self {
        Self { decay: 0.5, v_threshold: 1.0, surrogate_width: 1.0, sigmoid: None }
    }
}

/// What a layer computes before its neurons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Convolution with a square window, then batch normalisation.
    Conv {
        /// Output channels.
        out: usize,
        /// Side of the window.
        kernel: usize,
        /// Step of the window.
        stride: usize,
        /// Zeros on each side.
        padding: usize,
        /// Whether the convolution has a bias of its own.
        bias: bool,
    },
    /// Fully connected, with bias.
    Linear {
        /// Outputs.
        out: usize,
    },
    /// Mean over windows whose stride is their side.
    AvgPool {
        /// Side.
        kernel: usize,
    },
    /// Greatest value of windows of side 3 and stride 2, padded by 1.
    MaxPool,
    /// Mean over all pixels.
    GlobalAvgPool,
}

/// Where a layer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The frame.
    Frame,
    /// A layer's output, by its place.
    Layer(usize),
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Stem of its tensors' names; of the layer's own name where it has none.
    pub name: String,
    /// Stem of its batch normalisation's names.
    pub norm: Option<String>,
    /// What it reads.
    pub input: Source,
    /// What it computes.
    pub op: Op,
    /// Added before the neurons.
    pub add: Option<usize>,
    /// Whether neurons follow.
    pub spikes: bool,
    /// Added after the neurons.
    pub add_after: Option<usize>,
}

/// A network: layers in forward order, the last one gives the logits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    layers: Vec<Layer>,
    shapes: Vec<[usize; 3]>,
    input: [usize; 3],
}

/// The parts of a batch normalisation as files name them.
pub const NORM: [&str; 4] = ["gamma", "beta", "mean", "var"];

impl Network {
    /// A network for frames of shape `input` (channels, rows, columns).
    ///
    /// # Errors
    /// [`Error::Config`] if the frames are too small or absurdly large for it.
    pub fn new(architecture: Architecture, input: [usize; 3], classes: usize) -> Result<Self> {
        if classes == 0 || classes > 1 << 20 || input.iter().any(|&side| side == 0 || side > 1 << 14) {
            return Err(Error::Config {
                key: "network.input".into(),
                expected: "three sides of 1 to 16384, and 1 to 2^20 classes".into(),
                found: format!("{input:?} and {classes}"),
            });
        }
        let layers = arch::layers(architecture, classes);
        let shapes = shape::shapes(&layers, input)?;
        Ok(Self { layers, shapes, input })
    }

    /// The layers.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Channels, rows and columns of a frame.
    pub fn input(&self) -> [usize; 3] {
        self.input
    }

    /// Channels, rows and columns of a layer's output; a linear layer's are `[outputs, 1, 1]`.
    pub fn shape(&self, layer: usize) -> [usize; 3] {
        self.shapes[layer]
    }

    /// Shape of what a layer reads.
    pub fn input_shape(&self, layer: usize) -> [usize; 3] {
        match self.layers[layer].input {
            Source::Frame => self.input,
            Source::Layer(n) => self.shapes[n],
        }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.shapes.last().map_or(0, |s| s[0])
    }

    /// Places of the spiking layers.
    pub fn spiking(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.layers.len()).filter(|&n| self.layers[n].spikes)
    }

    /// Places of the layers with weights.
    pub fn weighted(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.layers.len()).filter(|&n| matches!(self.layers[n].op, Op::Conv { .. } | Op::Linear { .. }))
    }

    /// Shape of a layer's weight: `[out, in, kernel, kernel]` or `[out, in]`; empty for a pool.
    pub fn weight_shape(&self, layer: usize) -> Vec<usize> {
        let [c, h, w] = self.input_shape(layer);
        match self.layers[layer].op {
            Op::Conv { out, kernel, .. } => vec![out, c, kernel, kernel],
            Op::Linear { out } => vec![out, c * h * w],
            _ => Vec::new(),
        }
    }

    /// Whether a layer's weight has a bias beside it.
    pub fn has_bias(&self, layer: usize) -> bool {
        match self.layers[layer].op {
            Op::Conv { bias, .. } => bias,
            Op::Linear { .. } => true,
            _ => false,
        }
    }

    /// Names and shapes of all tensors of a trained file.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let mut all = Vec::new();
        for layer in self.weighted() {
            let Layer { name, norm, .. } = &self.layers[layer];
            let out = self.shapes[layer][0];
            all.push((format!("{name}.weight"), self.weight_shape(layer)));
            if self.has_bias(layer) {
                all.push((format!("{name}.bias"), vec![out]));
            }
            if let Some(norm) = norm {
                all.extend(NORM.map(|part| (format!("{norm}.{part}"), vec![out])));
            }
        }
        all
    }

    /// Number of trained values.
    pub fn parameters(&self) -> usize {
        let trained = |name: &str| !name.ends_with(".mean") && !name.ends_with(".var");
        self.tensors().iter().filter(|(name, _)| trained(name)).map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }

    /// Multiplications of weights with inputs in one time step.
    pub fn macs(&self) -> usize {
        let one = |layer: usize| self.weight_shape(layer).iter().product::<usize>() * self.shapes[layer][1] * self.shapes[layer][2];
        self.weighted().map(one).sum()
    }
}
