//! The network in the training engine.

use super::pruning::Pruning;
use crate::config::PaperConfig;
use crate::network::shapes;
use zoo_core::Result;
use zoo_train::burn::tensor::{Tensor, activation};
use zoo_train::ops::{self, Conv2dOptions, Pool2dOptions};
use zoo_train::params::{Init, Mode, ParamStore};

/// Adds the network's tensors, drawn as the public code draws them, and what pruning learns.
pub(super) fn add_tensors(params: &mut ParamStore, paper: &PaperConfig, pruning: &Pruning) -> Result<()> {
    let config = &paper.network;
    let first = config.widths[0];
    params.parameter("stem.weight", &[first, config.input[0], 3, 3], Init::Kaiming { fan: 9 * first })?;
    for (n, &width) in config.widths.iter().enumerate() {
        params.add_batch_norm(&format!("bn{n}"), width)?;
    }
    for (n, s) in shapes(config).into_iter().enumerate() {
        let name = format!("layer{}", n + 1);
        let kernels = [s.kernels, s.outputs, s.inputs, 3, 3];
        params.parameter(format!("{name}.B.convC.weight"), &kernels, Init::Kaiming { fan: 9 * s.outputs })?;
        params.parameter(format!("{name}.B.convC.bias"), &[s.kernels, s.outputs], Init::Constant(0.0))?;
        params.parameter(format!("{name}.attention.fc1.weight"), &[s.hidden, s.inputs, 1, 1], Init::Kaiming { fan: s.hidden })?;
        params.parameter(format!("{name}.attention.fc2.weight"), &[s.kernels, s.hidden, 1, 1], Init::Kaiming { fan: s.kernels })?;
        params.parameter(format!("{name}.attention.fc2.bias"), &[s.kernels], Init::Constant(0.0))?;
    }
    let last = config.widths[config.widths.len() - 1];
    params.parameter("fc.weight", &[config.classes, last, 1, 1], Init::FanIn { fan_in: last })?;
    params.parameter("fc.bias", &[config.classes], Init::FanIn { fan_in: last })?;
    pruning.add_parameters(params, paper)
}

/// What a forward pass gives.
pub(super) struct Outputs {
    /// `[n, classes]`.
    pub(super) logits: Tensor<2>,
    /// Share of weights that each layer keeps.
    pub(super) density: Vec<f64>,
    /// Mean entropy of the kernels' shares in each layer, in nats; only where it was asked for.
    pub(super) entropy: Vec<f64>,
    /// Mean of `exp(-t)` over the layers, where thresholds are learned.
    pub(super) softness: Option<Tensor<1>>,
}

/// Runs images of the configured size. All kernels run and their outputs are mixed, which by linearity is the mixed
/// kernel's output.
pub(super) fn logits(
    params: &mut ParamStore,
    paper: &PaperConfig,
    pruning: &Pruning,
    values: Vec<f32>,
    temperature: f32,
) -> Result<Outputs> {
    let [c, h, w] = paper.network.input;
    let n = values.len() / (c * h * w).max(1);
    let padded = Conv2dOptions::padded(1);
    let mut x: Tensor<4> = params.input(values, [n, c, h, w])?;
    x = params.conv2d("stem", x, padded)?;
    x = activation::relu(params.batch_norm("bn0", x)?);
    let layers = shapes(&paper.network);
    let (mut density, mut softness, mut entropy) = (Vec::new(), Vec::new(), Vec::new());
    for (index, s) in layers.iter().enumerate() {
        let name = format!("layer{}", index + 1);
        let [_, _, h, w] = x.dims();
        let pruned = pruning.apply(params, index)?;
        density.push(pruned.density);
        softness.extend(pruned.softness);
        let bias: Tensor<2> = params.get(&format!("{name}.B.convC.bias"))?;
        let kernels = pruned.weight.reshape([s.kernels * s.outputs, s.inputs, 3, 3]);
        let y = ops::conv2d(x.clone(), kernels, Some(bias.reshape([s.kernels * s.outputs])), padded)?;
        let shares = routing(params, &name, x, temperature)?;
        if params.mode() == Mode::Eval {
            entropy.push(mean_entropy(&shares));
        }
        let y = y.reshape([n, s.kernels, s.outputs * h * w]) * shares.reshape([n, s.kernels, 1]);
        x = y.sum_dim(1).reshape([n, s.outputs, h, w]);
        x = activation::relu(params.batch_norm(&format!("bn{}", index + 1), x)?);
        if index + 1 < layers.len() {
            x = ops::max_pool2d(x, Pool2dOptions::square(2))?;
        }
    }
    let [_, last, h, w] = x.dims();
    let pooled = x.reshape([n, last, h * w]).mean_dim(2).reshape([n, last]);
    let head: Tensor<4> = params.get("fc.weight")?;
    let logits = ops::linear(pooled, head.reshape([paper.network.classes, last]), Some(params.get("fc.bias")?))?;
    let softness = if softness.is_empty() { None } else { Some(Tensor::cat(softness, 0).mean()) };
    Ok(Outputs { logits, density, entropy, softness })
}

/// Mean over images of the entropy of shares `[n, K]`, in nats.
fn mean_entropy(shares: &Tensor<2>) -> f64 {
    let images = shares.dims()[0].max(1) as f64;
    let values = shares.clone().into_data();
    values.iter::<f64>().filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum::<f64>() / images
}

/// Shares of the kernels, `[n, K]`.
fn routing(params: &ParamStore, name: &str, x: Tensor<4>, temperature: f32) -> Result<Tensor<2>> {
    let [n, c, h, w] = x.dims();
    let pooled = x.reshape([n, c, h * w]).mean_dim(2).reshape([n, c]);
    let fc1: Tensor<4> = params.get(&format!("{name}.attention.fc1.weight"))?;
    let fc2: Tensor<4> = params.get(&format!("{name}.attention.fc2.weight"))?;
    let [hidden, kernels] = [fc1.dims()[0], fc2.dims()[0]];
    let inner = activation::relu(ops::linear(pooled, fc1.reshape([hidden, c]), None)?);
    let z = ops::linear(inner, fc2.reshape([kernels, hidden]), Some(params.get(&format!("{name}.attention.fc2.bias"))?))?;
    Ok(activation::softmax(z / temperature, 1))
}
