//! The network description shared by the ANN, its spiking twin and every export.
//!
//! A [`Network`] is a list of [`Node`]s in forward order. Layers are named by their index in that list, so weight
//! files say `layers.{index}.weight`; pools take an index too, since they may spike.

mod arch;

pub use arch::ARCHITECTURES;

use zoo_core::{Error, Result};

/// Shape of an activation without its batch axis: channels, height, width.
pub type Shape = [usize; 3];

/// Where a node reads from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The image.
    Image,
    /// The output of an earlier node.
    Node(usize),
}

/// What a node computes before its activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Cross-correlation with a square or, for [`Op::Linear`]-like uses, any kernel.
    Conv {
        /// Output channels.
        out: usize,
        /// Kernel height and width.
        kernel: usize,
        /// Stride of both axes.
        stride: usize,
        /// Zero padding on every side.
        padding: usize,
        /// Channel groups.
        groups: usize,
    },
    /// A fully connected layer over the flattened (channel, row, column) input.
    Linear {
        /// Output features.
        out: usize,
    },
    /// Average pooling; padding counts as zeros, as in the authors' stem pool.
    AvgPool {
        /// Window height and width.
        kernel: usize,
        /// Stride of both axes.
        stride: usize,
        /// Zero padding on every side.
        padding: usize,
    },
    /// Average over all positions.
    GlobalAvgPool,
}

impl Op {
    /// Whether the node carries a weight tensor.
    pub fn weighted(self) -> bool {
        matches!(self, Self::Conv { .. } | Self::Linear { .. })
    }
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it computes.
    pub op: Op,
    /// What it reads.
    pub input: Source,
    /// A second input added to the current before the activation (paper code: `SpikeResModule`).
    pub residual: Option<Source>,
    /// Whether a ReLU follows in the ANN, and hence integrate-and-fire neurons in the SNN.
    pub relu: bool,
    /// Whether the ANN was trained with batch normalisation after this layer.
    pub batch_norm: bool,
}

/// A feed-forward network with shapes worked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    input: Shape,
    nodes: Vec<Node>,
    shapes: Vec<Shape>,
}

impl Network {
    /// Checks a list of nodes and works out the shapes.
    ///
    /// # Errors
    /// [`Error::Argument`] for a node that reads a later node, a kernel that does not fit or groups that do not divide,
    /// [`Error::Shape`] where a residual does not match, [`Error::Argument`] unless the last node is a plain linear layer.
    pub fn new(input: Shape, nodes: Vec<Node>) -> Result<Self> {
        let mut shapes: Vec<Shape> = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            let place = |part: &str| format!("{part} of layer {index}");
            let shape_of = |source: Source| match source {
                Source::Image => Ok(input),
                Source::Node(n) => {
                    shapes.get(n).copied().ok_or_else(|| Error::argument(place("input"), format!("an earlier layer (below {index})"), n))
                }
            };
            let out = output_shape(index, node.op, shape_of(node.input)?)?;
            if let Some(residual) = node.residual {
                let found = shape_of(residual)?;
                if found != out {
                    return Err(Error::shape(place("residual"), out, found));
                }
            }
            shapes.push(out);
        }
        match nodes.last() {
            Some(Node { op: Op::Linear { .. }, relu: false, residual: None, .. }) => Ok(Self { input, nodes, shapes }),
            other => Err(Error::argument("last layer", "a linear layer without ReLU", format!("{other:?}"))),
        }
    }

    /// Shape of the image.
    pub fn input(&self) -> Shape {
        self.input
    }

    /// Layers in forward order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Output shape of a layer. Panics if there is no such layer, like indexing.
    pub fn shape(&self, index: usize) -> Shape {
        self.shapes[index]
    }

    /// Shape of what a layer reads.
    pub fn input_shape(&self, index: usize) -> Shape {
        self.source_shape(self.nodes[index].input)
    }

    /// Shape of a source.
    pub fn source_shape(&self, source: Source) -> Shape {
        match source {
            Source::Image => self.input,
            Source::Node(n) => self.shapes[n],
        }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.shapes.last().map_or(0, |s| s[0])
    }

    /// Indices of the layers whose ReLU becomes integrate-and-fire neurons.
    pub fn spiking(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        (0..self.nodes.len()).filter(|&n| self.nodes[n].relu)
    }

    /// Indices of the layers with weights.
    pub fn weighted(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.nodes.len()).filter(|&n| self.nodes[n].op.weighted())
    }

    /// Shape of a layer's weight, `[out, in / groups, height, width]` or `[out, in]`; `None` for pools.
    pub fn weight_shape(&self, index: usize) -> Option<Vec<usize>> {
        let [c, h, w] = self.input_shape(index);
        match self.nodes[index].op {
            Op::Conv { out, kernel, groups, .. } => Some(vec![out, c / groups, kernel, kernel]),
            Op::Linear { out } => Some(vec![out, c * h * w]),
            Op::AvgPool { .. } | Op::GlobalAvgPool => None,
        }
    }

    /// Number of weights and biases.
    pub fn parameters(&self) -> usize {
        let weight = |n| self.weight_shape(n).map_or(0, |s| s.iter().product::<usize>() + self.shapes[n][0]);
        (0..self.nodes.len()).map(weight).sum()
    }

    /// Multiply-accumulates of one forward pass, borders counted as if padded.
    pub fn macs(&self) -> usize {
        let macs = |n: usize| {
            let [c, h, w] = self.shapes[n];
            self.weight_shape(n).map_or(0, |s| s[1..].iter().product::<usize>() * c * h * w)
        };
        (0..self.nodes.len()).map(macs).sum()
    }

    /// The same network with its pools followed by integrate-and-fire neurons (the papers' `AvgPoolConv`): in the ANN
    /// the added ReLU changes nothing, since averages of ReLU outputs are not negative.
    #[must_use]
    pub fn with_spiking_pools(mut self) -> Self {
        for node in &mut self.nodes {
            if !node.op.weighted() {
                node.relu = true;
            }
        }
        self
    }
}

fn output_shape(index: usize, op: Op, [c, h, w]: Shape) -> Result<Shape> {
    let bad = |expected: &str| Err(Error::argument(format!("layer {index}"), expected, format!("{op:?} on input {:?}", [c, h, w])));
    let window = |kernel: usize, stride: usize, padding: usize| {
        let axis = |n: usize| (n + 2 * padding).checked_sub(kernel).filter(|_| stride > 0 && kernel > 0).map(|room| room / stride + 1);
        axis(h).zip(axis(w))
    };
    match op {
        Op::Conv { out, kernel, stride, padding, groups } => {
            if groups == 0 || c % groups != 0 || out % groups != 0 || out == 0 {
                return bad("channels that the groups divide");
            }
            match window(kernel, stride, padding) {
                Some((h, w)) => Ok([out, h, w]),
                None => bad("a kernel that fits the padded input and a stride of at least 1"),
            }
        }
        Op::Linear { out: 0 } => bad("at least one output"),
        Op::Linear { out } => Ok([out, 1, 1]),
        Op::AvgPool { kernel, stride, padding } => match window(kernel, stride, padding) {
            Some((h, w)) => Ok([c, h, w]),
            None => bad("a window that fits the padded input and a stride of at least 1"),
        },
        Op::GlobalAvgPool => Ok([c, 1, 1]),
    }
}
