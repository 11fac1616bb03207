//! The three ONNX forms of a dynamic convolution (specification section 7). All have the outputs `logits` and
//! `routing.<layer>`.

use crate::config::PaperConfig;
use crate::layer::DynamicConv;
use crate::model::WHITE;
use crate::network::{EPSILON, NORM, TinySd, tensor};
use zoo_core::{Artifact, DType, Dim, Result};
use zoo_formats::onnx::{Conv, Graph, Pool, Value};

/// How a kernel that depends on its input is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One image: the mixture of kernels is computed and handed to `Conv`. Not every runtime takes a computed weight.
    A,
    /// Any batch: all kernels run, and their outputs are mixed. The same by linearity, at `K` times the work.
    B,
    /// A batch of [`GROUPS`]: a group an image, as in training.
    C,
}

/// Images of form C.
pub const GROUPS: usize = 4;

impl Form {
    /// All forms, the one that every runtime takes first.
    pub const ALL: [Self; 3] = [Self::B, Self::A, Self::C];

    /// Name of the graph.
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "form-a",
            Self::B => "form-b",
            Self::C => "form-c",
        }
    }
}

/// Builds a network's graph.
///
/// # Shapes
/// Input `input [batch, channels, rows, columns]` with a batch of 1 in form A and [`GROUPS`] in form C; output `logits
/// [batch, classes]` and for each dynamic convolution `routing.layerN [batch, K]`.
///
/// # Errors
/// Whatever the graph builder finds.
pub fn graph(net: &TinySd, form: Form, opset: Option<u32>, paper: &PaperConfig) -> Result<Artifact> {
    let mut graph = match opset {
        Some(opset) => Graph::with_opset(form.name(), opset)?,
        None => Graph::new(form.name()),
    }
    .variant(form.name());
    let g = &mut graph;
    let batch = match form {
        Form::A => Dim::Fixed(1),
        Form::B => Dim::from("batch"),
        Form::C => Dim::Fixed(GROUPS),
    };
    let [channels, ..] = net.config.input;
    let input = g.input("input", DType::F32, std::iter::once(batch).chain(net.config.input.map(Dim::Fixed)))?;
    let stem = g.initializer("stem.weight", &tensor(&[net.config.widths[0], channels, 3, 3], &net.stem)?)?;
    let mut x = g.conv(input, stem, None, &Conv::square(1, 1))?;
    x = normalise(g, net, 0, x)?;
    let mut routings = Vec::new();
    for (n, (layer, side)) in net.layers.iter().zip(net.sides()).enumerate() {
        let name = format!("layer{}", n + 1);
        let shares = routing(g, layer, &name, x)?;
        x = match form {
            Form::A | Form::C => mixed(g, layer, &name, x, shares, side, if form == Form::A { 1 } else { GROUPS })?,
            Form::B => parallel(g, layer, &name, x, shares, side)?,
        };
        x = normalise(g, net, n + 1, x)?;
        if n + 1 < net.layers.len() {
            x = g.max_pool(x, &Pool::square(2, 2))?;
        }
        routings.push((name, shares));
    }
    let pooled = g.global_average_pool(x)?;
    let last = net.config.widths[net.config.widths.len() - 1];
    let weight = g.initializer("fc.weight", &tensor(&[net.config.classes, last, 1, 1], &net.head.0)?)?;
    let bias = g.initializer("fc.bias", &tensor(&[net.config.classes], &net.head.1)?)?;
    let maps = g.conv(pooled, weight, Some(bias), &Conv::square(1, 0))?;
    let logits = g.flatten(maps, 1)?;
    g.output("logits", logits)?;
    for (name, shares) in routings {
        g.output(&format!("routing.{name}"), shares)?;
    }
    graph.metadata("zoo.paper", "arXiv:2204.02227");
    graph.metadata("zoo.licence", "CC0-1.0");
    graph.metadata("zoo.config_hash", paper.training_hash());
    graph.metadata(WHITE, paper.white.to_string());
    graph.finish().map_err(Into::into)
}

fn normalise(g: &mut Graph, net: &TinySd, place: usize, x: Value) -> Result<Value> {
    let mut parts = Vec::with_capacity(4);
    for (part, values) in NORM.iter().zip(&net.norms[place]) {
        parts.push(g.initializer(&format!("bn{place}.{part}"), &tensor(&[values.len()], values)?)?);
    }
    let normed = g.batch_norm(x, parts[0], parts[1], parts[2], parts[3], EPSILON)?;
    g.relu(normed).map_err(Into::into)
}

/// `[batch, K]`; the temperature is 1 after training.
fn routing(g: &mut Graph, layer: &DynamicConv, name: &str, x: Value) -> Result<Value> {
    let s = layer.shape;
    let fc1 = g.initializer(&format!("{name}.attention.fc1.weight"), &tensor(&[s.hidden, s.inputs, 1, 1], &layer.fc1)?)?;
    let fc2 = g.initializer(&format!("{name}.attention.fc2.weight"), &tensor(&[s.kernels, s.hidden, 1, 1], &layer.fc2)?)?;
    let bias = g.initializer(&format!("{name}.attention.fc2.bias"), &tensor(&[s.kernels], &layer.fc2_bias)?)?;
    let pooled = g.global_average_pool(x)?;
    let inner = g.conv(pooled, fc1, None, &Conv::square(1, 0))?;
    let inner = g.relu(inner)?;
    let z = g.conv(inner, fc2, Some(bias), &Conv::square(1, 0))?;
    let z = g.flatten(z, 1)?;
    g.softmax(z, 1).map_err(Into::into)
}

/// Forms A and C: the mixture as the weight of one convolution with a group an image.
fn mixed(
    g: &mut Graph,
    layer: &DynamicConv,
    name: &str,
    x: Value,
    shares: Value,
    [rows, columns]: [usize; 2],
    images: usize,
) -> Result<Value> {
    let s = layer.shape;
    let [n, i, o, r, c] = [images, s.inputs, s.outputs, rows, columns].map(|v| v as i64);
    let weight = g.initializer(&format!("{name}.B.convC.weight"), &tensor(&[s.kernels, s.kernel_len()], &layer.weight)?)?;
    let bias = g.initializer(&format!("{name}.B.convC.bias"), &tensor(&[s.kernels, s.outputs], &layer.bias)?)?;
    let mixture = g.matmul(shares, weight)?;
    let mixture = g.reshape(mixture, &[n * o, i, 3, 3])?;
    let grouped = g.reshape(x, &[1, n * i, r, c])?;
    let y = g.conv(grouped, mixture, None, &Conv::square(1, 1).groups(n))?;
    let y = g.reshape(y, &[n, o, r, c])?;
    let shift = g.matmul(shares, bias)?;
    let shift = g.reshape(shift, &[n, o, 1, 1])?;
    g.add(y, shift).map_err(Into::into)
}

/// Form B: all kernels, then the mixture of their outputs.
fn parallel(g: &mut Graph, layer: &DynamicConv, name: &str, x: Value, shares: Value, [rows, columns]: [usize; 2]) -> Result<Value> {
    let s = layer.shape;
    let filters = s.kernels * s.outputs;
    let weight = g.initializer(&format!("{name}.B.convC.weight"), &tensor(&[filters, s.inputs, 3, 3], &layer.weight)?)?;
    let bias = g.initializer(&format!("{name}.B.convC.bias"), &tensor(&[filters], &layer.bias)?)?;
    let y = g.conv(x, weight, Some(bias), &Conv::square(1, 1))?;
    // Rows and columns in one axis, so that no runtime needs tensors of five.
    let pixels = (rows * columns) as i64;
    let y = g.reshape(y, &[-1, s.kernels as i64, s.outputs as i64 * pixels])?;
    let shares = g.unsqueeze(shares, &[2])?;
    let scaled = g.mul(y, shares)?;
    let y = g.reduce_sum(scaled, &[1], false)?;
    g.reshape(y, &[-1, s.outputs as i64, rows as i64, columns as i64]).map_err(Into::into)
}
