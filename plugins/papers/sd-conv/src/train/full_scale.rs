//! One step of a full-scale network.

use crate::full_scale::{ConvSpec, FullScale};
use rand::Rng;
use zoo_core::Result;
use zoo_train::burn::tensor::{Tensor, activation};
use zoo_train::ops::{self, Conv2dOptions, Pool2dOptions};
use zoo_train::params::{Init, ParamStore};
use zoo_train::seeds::Seeds;

/// One forward and backward pass with fresh weights on one random image: its loss and the norm of its gradient. Shows that
/// the network can be trained, nothing about accuracy.
///
/// # Errors
/// Whatever building and running find.
pub fn full_scale_step(config: &FullScale) -> Result<(f64, f64)> {
    let network = config.describe();
    let mut params = ParamStore::on_cpu(0);
    let mut rng = Seeds::new(0).stream("synthetic", 0);
    let side = config.image;
    let pixels = (0..3 * side * side).map(|_| rng.random::<f32>()).collect();
    let mut x: Tensor<4> = params.input(pixels, [1, 3, side, side])?;
    x = conv(&mut params, "stem", &network.stem, None, x)?;
    if network.pooled {
        x = ops::max_pool2d(x, Pool2dOptions::square(3).stride(2).padding(1))?;
    }
    for (n, block) in network.blocks.iter().enumerate() {
        let input = x.clone();
        for (i, spec) in block.convs.iter().enumerate() {
            let dynamic = (!spec.depthwise).then_some(config);
            x = conv(&mut params, &format!("blocks.{n}.{i}"), spec, dynamic, x)?;
        }
        if let Some(shortcut) = &block.shortcut {
            let mut around = input;
            for (i, spec) in shortcut.iter().enumerate() {
                around = conv(&mut params, &format!("blocks.{n}.shortcut.{i}"), spec, None, around)?;
            }
            x = x + around;
        }
        if block.rectified {
            x = activation::relu(x);
        }
    }
    let [n, c, h, w] = x.dims();
    params.add_linear("fc", c, config.classes, true)?;
    let logits = params.linear("fc", x.reshape([n, c, h * w]).mean_dim(2).reshape([n, c]))?;
    let loss = ops::cross_entropy(logits, &[0], config.recipe.label_smoothing as f32)?;
    let value = loss.clone().into_data().iter::<f32>().next().unwrap_or(f32::NAN);
    Ok((f64::from(value), params.backward(&loss).norm()))
}

/// A convolution with normalisation and rectifier; with a configuration, kernels are mixed: each runs, and outputs are
/// added by their shares.
fn conv(params: &mut ParamStore, name: &str, spec: &ConvSpec, dynamic: Option<&FullScale>, x: Tensor<4>) -> Result<Tensor<4>> {
    let options = Conv2dOptions::padded(spec.kernel / 2).stride(spec.stride).groups(if spec.depthwise { spec.inputs } else { 1 });
    let shape = [spec.outputs, spec.fan(), spec.kernel, spec.kernel];
    let init = Init::Kaiming { fan: spec.outputs * spec.kernel * spec.kernel };
    let mut y = match dynamic {
        None => {
            params.parameter(format!("{name}.weight"), &shape, init)?;
            ops::conv2d(x, params.get(&format!("{name}.weight"))?, None, options)?
        }
        Some(config) => {
            let [n, c, h, w] = x.dims();
            let hidden = (c / config.reduction).max(1);
            params.add_linear(&format!("{name}.attention.fc1"), c, hidden, false)?;
            params.add_linear(&format!("{name}.attention.fc2"), hidden, config.kernels, true)?;
            let pooled = x.clone().reshape([n, c, h * w]).mean_dim(2).reshape([n, c]);
            let inner = activation::relu(params.linear(&format!("{name}.attention.fc1"), pooled)?);
            let shares = activation::softmax(params.linear(&format!("{name}.attention.fc2"), inner)?, 1);
            let mut parts = Vec::with_capacity(config.kernels);
            for k in 0..config.kernels {
                params.parameter(format!("{name}.kernels.{k}"), &shape, init)?;
                let part = ops::conv2d(x.clone(), params.get(&format!("{name}.kernels.{k}"))?, None, options)?;
                parts.push(part * shares.clone().narrow(1, k, 1).reshape([n, 1, 1, 1]));
            }
            parts.into_iter().reduce(|a, b| a + b).unwrap_or(x)
        }
    };
    let norm = format!("{name}.bn");
    params.add_batch_norm(&norm, spec.outputs)?;
    y = params.batch_norm(&norm, y)?;
    Ok(if spec.rectified { activation::relu(y) } else { y })
}
