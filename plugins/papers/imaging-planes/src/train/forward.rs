//! The network in the training engine.

use crate::unet::{Head, STAGES, Unet};
use zoo_core::Result;
use zoo_train::burn::tensor::{Tensor, activation};
use zoo_train::ops::{self, Conv2dOptions, Pool2dOptions};
use zoo_train::params::{Init, ParamStore};

/// Deviation of a fresh batch normalisation's factors around 1.
const NORM_SPREAD: f32 = 0.02;

/// Adds the network's tensors, drawn as the authors' code does: Kaiming's normal for convolutions and linear layers,
/// factors of batch normalisation around 1, PyTorch's default for the biases that the code leaves alone.
///
/// # Errors
/// [`zoo_core::Error::Argument`] if a name is taken.
pub fn add_tensors(params: &mut ParamStore, network: &Unet) -> Result<()> {
    let mut fan = 1;
    for (name, shape) in network.tensors() {
        let normalisation = name.contains(".1.");
        if name.contains(".running_") {
            params.buffer(&name, &shape, Init::Constant(if name.ends_with("var") { 1.0 } else { 0.0 }))?;
        } else if normalisation && name.ends_with("weight") {
            params.parameter(&name, &shape, Init::Normal { std: NORM_SPREAD })?;
            let values = params.values(&name)?.into_iter().map(|v| v + 1.0).collect();
            params.set_values(&name, values)?;
        } else if normalisation {
            params.parameter(&name, &shape, Init::Constant(0.0))?;
        } else if name.ends_with("weight") {
            // For a transposed convolution, `[in, out, 2, 2]`, PyTorch's fan-in is out * 4, by the same formula.
            fan = shape[1..].iter().product();
            params.parameter(&name, &shape, Init::Kaiming { fan })?;
        } else {
            params.parameter(&name, &shape, Init::FanIn { fan_in: fan })?;
        }
    }
    Ok(())
}

/// What a forward pass gives.
pub struct Outputs {
    /// Heat maps or class scores, `[n, outputs, rows, columns]`.
    pub maps: Option<Tensor<4>>,
    /// Slice location `[n, 1]`, or class scores of the classifier.
    pub head: Option<Tensor<2>>,
}

/// Runs the network on `[n, 1, rows, columns]`. `dropout` multiplies the hidden layer of the slice head, `[n, hidden]`.
///
/// # Errors
/// Shapes that do not fit.
pub fn forward(params: &mut ParamStore, network: &Unet, x: Tensor<4>, dropout: Option<Tensor<2>>) -> Result<Outputs> {
    let padded = Conv2dOptions::padded(1);
    let mut skips = Vec::new();
    let mut y = x;
    for stage in 0..STAGES {
        if stage > 0 {
            y = ops::max_pool2d(y, Pool2dOptions::square(2))?;
        }
        for layer in ["conv1", "conv2"] {
            let name = format!("{}.{layer}", Unet::stage(stage));
            y = params.conv2d(&format!("{name}.0"), y, padded)?;
            y = activation::relu(params.batch_norm(&format!("{name}.1"), y)?);
        }
        skips.push(y.clone());
    }
    let center = y.clone();
    let mut maps = None;
    if network.head != Head::Classifier {
        for stage in (0..STAGES - 1).rev() {
            let name = format!("up_concat{}", stage + 1);
            y = Tensor::cat(vec![params.conv_transpose2x2(&format!("{name}.up"), y)?, skips[stage].clone()], 1);
            for layer in ["conv1", "conv2"] {
                y = activation::relu(params.conv2d(&format!("{name}.conv.{layer}.0"), y, padded)?);
            }
        }
        let last = if network.head == Head::Pretext { "final" } else { "final_" };
        maps = Some(params.conv2d(last, y, Conv2dOptions::default())?);
    }
    let mut head = None;
    if network.head != Head::Segmentation {
        let [n, c, h, w] = center.dims();
        let pooled = ops::max_pool2d(center, Pool2dOptions { kernel: [h, w], stride: [h, w], padding: [0, 0], count_include_pad: true })?;
        let mut hidden = params.linear("global_layers.0", pooled.reshape([n, c]))?;
        if let Some(mask) = dropout {
            hidden = hidden * mask;
        }
        head = Some(params.linear("global_layers.3", activation::relu(hidden))?);
    }
    Ok(Outputs { maps, head })
}
