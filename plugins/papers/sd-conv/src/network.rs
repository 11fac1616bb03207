//! TinySD: a static stem, dynamic convolutions with batch normalisation and poolings between them, a static head
//! (specification section 5).

use crate::config::NetworkConfig;
use crate::layer::{DynamicConv, Shape, conv3x3};
use zoo_core::{Error, Result, Tensor, Weights};

/// What batch normalisation adds to a variance.
pub const EPSILON: f32 = 1e-5;
/// The parts of a batch normalisation.
pub const NORM: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

/// A batch normalisation: the four parts in the order of [`NORM`].
pub type Norm = [Vec<f32>; 4];

/// A network with its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct TinySd {
    /// Sizes.
    pub config: NetworkConfig,
    /// `[widths[0], channels, 3, 3]`.
    pub stem: Vec<f32>,
    /// After the stem and after each dynamic convolution.
    pub norms: Vec<Norm>,
    /// The dynamic convolutions.
    pub layers: Vec<DynamicConv>,
    /// `[classes, widths.last]` and `[classes]`.
    pub head: (Vec<f32>, Vec<f32>),
}

/// Sizes of the dynamic convolutions.
pub fn shapes(config: &NetworkConfig) -> Vec<Shape> {
    let shape =
        |pair: &[usize]| Shape { inputs: pair[0], outputs: pair[1], hidden: (pair[0] / config.reduction).max(1), kernels: config.kernels };
    config.widths.windows(2).map(shape).collect()
}

/// Names and shapes of all tensors, in the style of the public code's `state_dict`.
pub fn tensors(config: &NetworkConfig) -> Vec<(String, Vec<usize>)> {
    let first = config.widths[0];
    let mut all = vec![("stem.weight".to_string(), vec![first, config.input[0], 3, 3])];
    for (n, &width) in config.widths.iter().enumerate() {
        all.extend(NORM.iter().map(|part| (format!("bn{n}.{part}"), vec![width])));
    }
    for (n, s) in shapes(config).into_iter().enumerate() {
        let name = format!("layer{}", n + 1);
        all.push((format!("{name}.B.convC.weight"), vec![s.kernels, s.outputs, s.inputs, 3, 3]));
        all.push((format!("{name}.B.convC.bias"), vec![s.kernels, s.outputs]));
        all.push((format!("{name}.attention.fc1.weight"), vec![s.hidden, s.inputs, 1, 1]));
        all.push((format!("{name}.attention.fc2.weight"), vec![s.kernels, s.hidden, 1, 1]));
        all.push((format!("{name}.attention.fc2.bias"), vec![s.kernels]));
    }
    let last = config.widths[config.widths.len() - 1];
    all.push(("fc.weight".into(), vec![config.classes, last, 1, 1]));
    all.push(("fc.bias".into(), vec![config.classes]));
    all
}

impl TinySd {
    /// The network that weights describe; pruned weights are already 0.
    ///
    /// # Errors
    /// [`Error::Keys`], [`Error::Shape`], [`Error::DType`]; [`Error::Argument`] for values that are not finite.
    pub fn read(config: NetworkConfig, weights: &Weights) -> Result<Self> {
        let tensors = tensors(&config);
        weights.expect_keys("weights of TinySD", tensors.iter().map(|(name, _)| name.as_str()))?;
        let mut values = Vec::with_capacity(tensors.len());
        for (name, shape) in &tensors {
            let found = weights.f32(name, shape)?;
            if let Some(bad) = found.iter().find(|v| !v.is_finite()) {
                return Err(Error::argument(format!("weight `{name}`"), "finite numbers", bad));
            }
            values.push(found.to_vec());
        }
        let mut values = values.into_iter();
        let mut next = || values.next().unwrap_or_default();
        let stem = next();
        let norms = config.widths.iter().map(|_| std::array::from_fn(|_| next())).collect();
        let layers = shapes(&config)
            .into_iter()
            .map(|shape| DynamicConv { shape, weight: next(), bias: next(), fc1: next(), fc2: next(), fc2_bias: next() })
            .collect();
        let head = (next(), next());
        Ok(Self { config, stem, norms, layers, head })
    }

    /// Logits of an image `[channels, rows, columns]`, and the shares of the kernels in each dynamic convolution.
    ///
    /// # Errors
    /// [`Error::Shape`] if the image has another size.
    pub fn forward(&self, image: &[f32]) -> Result<(Vec<f32>, Vec<Vec<f32>>)> {
        let [channels, mut rows, mut columns] = self.config.input;
        if image.len() != channels * rows * columns {
            return Err(Error::shape("image", self.config.input, image.len()));
        }
        let mut x = conv3x3(image, &self.stem, None, channels, [rows, columns]);
        normalise(&mut x, &self.norms[0]);
        let mut routing = Vec::with_capacity(self.layers.len());
        for (n, (layer, norm)) in self.layers.iter().zip(&self.norms[1..]).enumerate() {
            routing.push(layer.routing(&x, 1.0));
            x = layer.forward(&x, [rows, columns], 1.0);
            normalise(&mut x, norm);
            if n + 1 < self.layers.len() {
                x = max_pool2(&x, [rows, columns]);
                (rows, columns) = (rows / 2, columns / 2);
            }
        }
        let pooled: Vec<f32> = x.chunks_exact(rows * columns).map(|c| c.iter().sum::<f32>() / (rows * columns) as f32).collect();
        let rows_of = self.head.0.chunks_exact(pooled.len());
        let logits = rows_of.zip(&self.head.1).map(|(w, b)| w.iter().zip(&pooled).map(|(w, x)| w * x).sum::<f32>() + b).collect();
        Ok((logits, routing))
    }

    /// Rows and columns at which each dynamic convolution works.
    pub fn sides(&self) -> Vec<[usize; 2]> {
        let [_, rows, columns] = self.config.input;
        (0..self.layers.len()).map(|n| [rows >> n, columns >> n]).collect()
    }
}

/// Normalises and rectifies.
fn normalise(x: &mut [f32], [weight, bias, mean, variance]: &Norm) {
    let each = x.len() / weight.len().max(1);
    for (c, plane) in x.chunks_exact_mut(each.max(1)).enumerate() {
        let scale = weight[c] / (variance[c] + EPSILON).sqrt();
        plane.iter_mut().for_each(|v| *v = ((*v - mean[c]) * scale + bias[c]).max(0.0));
    }
}

fn max_pool2(x: &[f32], [rows, columns]: [usize; 2]) -> Vec<f32> {
    let mut out = Vec::with_capacity(x.len() / 4);
    for plane in x.chunks_exact(rows * columns) {
        for y in 0..rows / 2 {
            for x in 0..columns / 2 {
                let at = |dy: usize, dx: usize| plane[(2 * y + dy) * columns + 2 * x + dx];
                out.push(at(0, 0).max(at(0, 1)).max(at(1, 0)).max(at(1, 1)));
            }
        }
    }
    out
}

/// A tensor over a copy of the values.
pub(crate) fn tensor(shape: &[usize], values: &[f32]) -> Result<Tensor> {
    Tensor::from_vec(shape, values.to_vec())
}
