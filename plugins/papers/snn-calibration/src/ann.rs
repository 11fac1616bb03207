//! The source network: ReLU, batch normalisation already folded.

use crate::kernel::{Kernel, average_pool, channels_first};
use crate::network::{Network, Source};
use rayon::prelude::*;
use std::sync::Arc;
use zoo_core::{Error, Result, Weights};

/// An ANN ready to run.
#[derive(Clone, Debug)]
pub struct Ann {
    network: Network,
    /// One entry a layer; pools have none.
    kernels: Vec<Option<Arc<Kernel>>>,
    /// One value an output channel of every layer; zeros for pools.
    biases: Vec<Vec<f32>>,
}

impl Ann {
    /// Takes `layers.{n}.weight` and `layers.{n}.bias` of every weighted layer; other names are left alone.
    ///
    /// # Errors
    /// [`Error::Keys`], [`Error::Shape`] or [`Error::DType`] for a tensor that is missing or does not fit,
    /// [`Error::Argument`] for one that is not finite.
    pub fn new(network: Network, weights: &Weights) -> Result<Self> {
        let mut kernels = Vec::new();
        let mut biases = Vec::new();
        for layer in 0..network.nodes().len() {
            let channels = network.shape(layer)[0];
            match network.weight_shape(layer) {
                Some(shape) => {
                    let weight = weights.f32(&weight_key(layer), &shape)?;
                    let bias = weights.f32(&bias_key(layer), &[channels])?;
                    finite(&weight_key(layer), weight)?;
                    finite(&bias_key(layer), bias)?;
                    kernels.push(Some(Arc::new(Kernel::new(&network, layer, weight)?)));
                    biases.push(bias.to_vec());
                }
                None => {
                    kernels.push(None);
                    biases.push(vec![0.0; channels]);
                }
            }
        }
        Ok(Self { network, kernels, biases })
    }

    /// The network's description.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The prepared weights of a layer; `None` for pools.
    pub fn kernel(&self, layer: usize) -> Option<&Arc<Kernel>> {
        self.kernels[layer].as_ref()
    }

    /// The bias of a layer, one value a channel.
    pub fn bias(&self, layer: usize) -> &[f32] {
        &self.biases[layer]
    }

    /// Activations of every layer for one image.
    ///
    /// # Shapes
    /// `image` and results are (row, column, channel).
    pub fn activations(&self, image: &[f32]) -> Vec<Vec<f32>> {
        let mut done: Vec<Vec<f32>> = Vec::with_capacity(self.kernels.len());
        for (layer, node) in self.network.nodes().iter().enumerate() {
            let read = |source: Source| match source {
                Source::Image => image,
                Source::Node(n) => &done[n],
            };
            let shape = self.network.shape(layer);
            let mut out = vec![0.0; shape.iter().product()];
            if let Some(kernel) = &self.kernels[layer] {
                out.chunks_exact_mut(shape[0]).for_each(|row| row.copy_from_slice(&self.biases[layer]));
                kernel.accumulate(read(node.input), &mut out);
            } else {
                average_pool(node.op, self.network.input_shape(layer), shape, read(node.input), &mut out);
            }
            if let Some(residual) = node.residual {
                out.iter_mut().zip(read(residual)).for_each(|(o, r)| *o += r);
            }
            if node.relu {
                out.iter_mut().for_each(|o| *o = o.max(0.0));
            }
            done.push(out);
        }
        done
    }

    /// Logits of every image.
    pub fn logits(&self, images: &[Vec<f32>]) -> Vec<Vec<f32>> {
        images.par_iter().map(|image| self.activations(image).pop().unwrap_or_default()).collect()
    }

    /// The folded weights under the zoo's names.
    ///
    /// # Errors
    /// [`Error::Shape`] if a tensor's size overflows.
    pub fn weights(&self) -> Result<Weights> {
        let mut weights = Weights::new();
        for (layer, kernel) in self.kernels.iter().enumerate() {
            if let (Some(kernel), Some(shape)) = (kernel, self.network.weight_shape(layer)) {
                weights.insert(weight_key(layer), zoo_core::Tensor::from_vec(shape, kernel.weight())?);
                weights.insert(bias_key(layer), zoo_core::Tensor::from_vec([self.biases[layer].len()], self.biases[layer].clone())?);
            }
        }
        Ok(weights)
    }

    /// One layer's activation in the usual (channel, row, column) order.
    pub fn channels_first(&self, layer: usize, activation: &[f32]) -> Vec<f32> {
        channels_first(self.network.shape(layer), activation)
    }
}

/// Name of a layer's folded weight.
pub fn weight_key(layer: usize) -> String {
    format!("layers.{layer}.weight")
}

/// Name of a layer's folded bias.
pub fn bias_key(layer: usize) -> String {
    format!("layers.{layer}.bias")
}

/// Refuses NaN and infinities, which integrate-and-fire neurons would carry along silently.
pub(crate) fn finite(name: &str, values: &[f32]) -> Result<()> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::argument(format!("weight `{name}`"), "finite numbers", format!("{} at element {at}", values[at]))),
    }
}
