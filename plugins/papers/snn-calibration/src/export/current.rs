//! What the three ONNX graphs share: weights, pools and residuals up to the current of a layer.

use crate::network::{Network, Op, Source};
use zoo_core::{DType, Dim, Result, Tensor};
use zoo_formats::onnx::{Conv, Graph, Pool, Value};

/// Name of a layer inside a graph.
pub(super) fn layer_name(layer: usize) -> String {
    format!("layer{layer}")
}

/// Walks a network and turns it into nodes.
pub(super) struct Walk<'a> {
    pub(super) graph: Graph,
    network: &'a Network,
    image: Value,
    outputs: Vec<Value>,
}

impl<'a> Walk<'a> {
    /// A graph with input `x`, `[batch, channels, rows, columns]`.
    pub(super) fn new(name: &str, opset: Option<u32>, network: &'a Network) -> Result<Self> {
        let mut graph = match opset {
            Some(opset) => Graph::with_opset(name, opset)?,
            None => Graph::new(name),
        };
        let image = graph.input("x", DType::F32, batched(&network.input()))?;
        Ok(Self { graph, network, image, outputs: Vec::new() })
    }

    fn read(&self, source: Source) -> Value {
        match source {
            Source::Image => self.image,
            Source::Node(n) => self.outputs[n],
        }
    }

    /// Adds a layer up to its current, without activation.
    pub(super) fn current(&mut self, layer: usize, weight: Option<&[f32]>, bias: &[f32]) -> Result<Value> {
        let node = &self.network.nodes()[layer];
        let input = self.read(node.input);
        let residual = node.residual.map(|source| self.read(source));
        let graph = &mut self.graph;
        graph.enter(layer_name(layer));
        let mut value = match (node.op, weight, self.network.weight_shape(layer)) {
            (op @ (Op::Conv { .. } | Op::Linear { .. }), Some(weight), Some(shape)) => {
                let weight = graph.initializer(&crate::ann::weight_key(layer), &Tensor::from_vec(shape, weight.to_vec())?)?;
                let bias = graph.initializer(&crate::ann::bias_key(layer), &Tensor::from_vec([bias.len()], bias.to_vec())?)?;
                match op {
                    Op::Conv { stride, padding, groups, .. } => {
                        let settings = Conv::square(stride as i64, padding as i64).groups(groups as i64);
                        graph.conv(input, weight, Some(bias), &settings)?
                    }
                    _ => {
                        let flat = if graph.value_type(input)?.shape.len() == 2 { input } else { graph.flatten(input, 1)? };
                        graph.linear(flat, weight, Some(bias))?
                    }
                }
            }
            (Op::AvgPool { kernel, stride, padding }, ..) => {
                let square = Pool::square(kernel as i64, stride as i64);
                graph.average_pool(input, &Pool { pads: vec![padding as i64; 4], count_include_pad: padding > 0, ..square })?
            }
            _ => graph.global_average_pool(input)?,
        };
        // Calibration may give a spiking pool a bias of its own.
        if weight.is_none() && bias.iter().any(|b| *b != 0.0) {
            let bias = graph.initializer(&crate::ann::bias_key(layer), &per_channel(bias, false)?)?;
            value = graph.add(value, bias)?;
        }
        if let Some(residual) = residual {
            value = graph.add(value, residual)?;
        }
        Ok(value)
    }

    /// Ends a layer with what later layers read.
    pub(super) fn done(&mut self, value: Value) {
        self.graph.leave();
        self.outputs.push(value);
    }

    /// Whether a layer's values have no spatial axes in the graph.
    pub(super) fn flat(&self, layer: usize) -> bool {
        matches!(self.network.nodes()[layer].op, Op::Linear { .. })
    }
}

/// Shape of a layer's values with a free batch axis.
pub(super) fn batched(shape: &[usize]) -> Vec<Dim> {
    std::iter::once(Dim::from("batch")).chain(shape.iter().map(|&d| Dim::Fixed(d))).collect()
}

/// A tensor with one value a channel that broadcasts over a layer's values: `[1, C, 1, 1]`, or `[1, C]` if flat.
pub(super) fn per_channel(values: &[f32], flat: bool) -> Result<Tensor> {
    let shape = if flat { vec![1, values.len()] } else { vec![1, values.len(), 1, 1] };
    Tensor::from_vec(shape, values.to_vec())
}
