//! Networks as lists of layers in stages: what training, export and import agree on.

mod arch;

use serde::{Deserialize, Serialize};
use zoo_core::{Error, Result};

/// Architectures of the paper (specification section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// Stem of 128 channels, basic blocks 128 x 3, 256 x 3, 512 x 2; eight stages; CIFAR.
    Resnet19,
    /// Stem of 64 channels, basic blocks 64, 128, 256 and 512, two each; eight stages; CIFAR and DVS frames.
    Resnet18,
    /// 13 convolutions with average pools between; a stage each; CIFAR.
    Vgg14,
    /// Eight convolutions in four stages, no biases; events of 128 x 128 pixels.
    Vgg9Event,
    /// Four convolutions and two linear layers in three stages, no biases; gestures of 128 x 128 pixels.
    GestureEvent,
    /// 8, pool, 16, pool, 16 (stride 2), linear: 6,160 weights, four stages, no biases; N-MNIST.
    Nmnist3c1fc,
}

impl Architecture {
    /// Whether it is an event network: no biases, integrate-and-fire neurons that may fire several times a step.
    pub fn is_event(self) -> bool {
        matches!(self, Self::Vgg9Event | Self::GestureEvent | Self::Nmnist3c1fc)
    }
}

/// The two neuron models of the paper (specification section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Neuron {
    /// Time-stepped: `u <- decay u + x; s = 1[u > v_threshold]; u <- (1 - s) u`.
    Lif,
    /// Event-driven: `v <- v + x; n = trunc(v / v_threshold); v <- max(v - n v_threshold, v_min)`, firing at `>=`.
    If,
}

/// Firing threshold of both models.
pub const V_THRESHOLD: f32 = 1.0;
/// Factor on a leaky membrane a step.
pub const DECAY: f32 = 0.5;
/// Floor of an integrate-and-fire membrane.
pub const V_MIN: f32 = -1.0;

/// What a layer computes before its neurons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Convolution with a square window, no bias of its own.
    Conv {
        /// Output channels.
        out: usize,
        /// Side of the window.
        kernel: usize,
        /// Step of the window.
        stride: usize,
        /// Zeros on each side.
        padding: usize,
    },
    /// Fully connected.
    Linear {
        /// Outputs.
        out: usize,
        /// Whether it has a bias.
        bias: bool,
    },
    /// Mean over windows whose stride is their side.
    AvgPool {
        /// Side.
        kernel: usize,
    },
    /// Mean over all pixels.
    GlobalAvgPool,
}

/// Where a layer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The frames.
    Frame,
    /// A layer's output, by its place.
    Layer(usize),
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Stem of its tensors' names.
    pub name: String,
    /// Stem of its batch normalisation's names.
    pub norm: Option<String>,
    /// Stage it belongs to; what it reads from another stage goes through a temporal transformation module.
    pub stage: usize,
    /// What it reads.
    pub input: Source,
    /// What it computes.
    pub op: Op,
    /// Added before the neurons.
    pub add: Option<usize>,
    /// Whether neurons follow.
    pub spikes: bool,
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
    /// A network for frames of shape `input` (channels, rows, columns); `group` blocks of the architecture make a stage.
    ///
    /// # Errors
    /// [`Error::Config`] if the frames are too small or absurdly large for it.
    pub fn new(architecture: Architecture, input: [usize; 3], classes: usize, group: usize) -> Result<Self> {
        if classes == 0 || classes > 1 << 20 || input.iter().any(|&side| side == 0 || side > 1 << 14) {
            return Err(Error::Config {
                key: "network.input".into(),
                expected: "three sides of 1 to 16384, and 1 to 2^20 classes".into(),
                found: format!("{input:?} and {classes}"),
            });
        }
        let mut layers = arch::layers(architecture, classes);
        layers.iter_mut().for_each(|layer| layer.stage /= group.max(1));
        let mut shapes: Vec<[usize; 3]> = Vec::with_capacity(layers.len());
        for layer in &layers {
            let from = match layer.input {
                Source::Frame => input,
                Source::Layer(n) => shapes[n],
            };
            let shape = shape_of(layer.op, from).ok_or_else(|| Error::Config {
                key: "network.input".into(),
                expected: format!("frames large enough for layer `{}`", layer.name),
                found: format!("{input:?}, which leaves {from:?}"),
            })?;
            shapes.push(shape);
        }
        Ok(Self { layers, shapes, input })
    }

    /// The same layers without batch normalisation: what is left after bias removal.
    #[must_use]
    pub fn without_norms(mut self) -> Self {
        self.layers.iter_mut().for_each(|layer| layer.norm = None);
        self
    }

    /// The layers.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Number of stages.
    pub fn stages(&self) -> usize {
        self.layers.iter().map(|l| l.stage + 1).max().unwrap_or(0)
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
            Op::Linear { out, .. } => vec![out, c * h * w],
            _ => Vec::new(),
        }
    }

    /// Whether a layer's weight has a bias beside it.
    pub fn has_bias(&self, layer: usize) -> bool {
        matches!(self.layers[layer].op, Op::Linear { bias: true, .. })
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

    /// Multiplications of weights with inputs if each stage runs for its number of steps.
    pub fn macs(&self, times: &[usize]) -> usize {
        let one = |layer: usize| self.weight_shape(layer).iter().product::<usize>() * self.shapes[layer][1] * self.shapes[layer][2];
        self.weighted().map(|layer| one(layer) * times.get(self.layers[layer].stage).copied().unwrap_or(0)).sum()
    }
}

fn shape_of(op: Op, [c, h, w]: [usize; 3]) -> Option<[usize; 3]> {
    let window = |side: usize, kernel: usize, stride: usize, padding: usize| Some((side + 2 * padding).checked_sub(kernel)? / stride + 1);
    let [c, h, w] = match op {
        Op::Conv { out, kernel, stride, padding } => [out, window(h, kernel, stride, padding)?, window(w, kernel, stride, padding)?],
        Op::Linear { out, .. } => [out, 1, 1],
        Op::AvgPool { kernel } => [c, h / kernel, w / kernel],
        Op::GlobalAvgPool => [c, 1, 1],
    };
    (h > 0 && w > 0).then_some([c, h, w])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(architecture: Architecture, input: [usize; 3], classes: usize) -> Network {
        Network::new(architecture, input, classes, 1).unwrap()
    }

    #[test]
    fn sizes_and_stages_of_the_specification() {
        let small = network(Architecture::Nmnist3c1fc, [2, 34, 34], 10);
        let without = small.clone().without_norms();
        assert_eq!((without.parameters(), small.stages()), (6_160, 4));
        assert_eq!(small.weighted().map(|n| small.weight_shape(n).iter().product()).collect::<Vec<usize>>(), [144, 1_152, 2_304, 2_560]);
        // 34^2 144 + 17^2 1152 + 4^2 2304 + 2560.
        assert_eq!(small.macs(&[1; 4]), 538_816);
        assert_eq!(small.macs(&[3, 0, 0, 0]), 3 * 34 * 34 * 144);
        for (architecture, input, classes, stages) in [
            (Architecture::Resnet19, [3, 32, 32], 10, 8),
            (Architecture::Resnet18, [2, 48, 48], 10, 8),
            (Architecture::Vgg14, [3, 32, 32], 100, 13),
            (Architecture::Vgg9Event, [2, 128, 128], 10, 4),
            (Architecture::GestureEvent, [2, 128, 128], 11, 3),
        ] {
            let network = network(architecture, input, classes);
            assert_eq!((network.stages(), network.classes()), (stages, classes), "{architecture:?}");
        }
        let vgg9 = network(Architecture::Vgg9Event, [2, 128, 128], 10);
        assert_eq!(vgg9.weight_shape(vgg9.layers().len() - 1), [10, 2048]);
        let gesture = network(Architecture::GestureEvent, [2, 128, 128], 11);
        assert_eq!(gesture.weighted().map(|n| gesture.weight_shape(n)[1]).collect::<Vec<_>>(), [2, 8, 16, 32, 512, 64]);
        assert!(Network::new(Architecture::Vgg14, [3, 8, 8], 10, 1).is_err());
        assert_eq!(Network::new(Architecture::Resnet18, [3, 32, 32], 10, 4).unwrap().stages(), 2);
    }
}
