//! The network in the training engine.

use crate::network::{NORM, Network, Neuron, Op, Source};
use zoo_core::{Error, Result, Weights};
use zoo_train::burn::tensor::{Tensor, activation};
use zoo_train::ops::{self, Conv2dOptions, Lif, Pool2dOptions};
use zoo_train::params::{Init, ParamStore};

/// How the engine names the parts of a batch normalisation, in the order of [`NORM`].
const ENGINE_NORM: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

/// A spiking network that can be trained.
#[derive(Clone, Debug)]
pub struct SpikingNet {
    network: Network,
    lif: Lif,
    sigmoid: Option<f32>,
}

impl SpikingNet {
    /// A network with one kind of neuron.
    pub fn new(network: Network, neuron: Neuron) -> Self {
        let Neuron { decay, v_threshold, surrogate_width, sigmoid } = neuron;
        Self { network, lif: Lif { decay, v_threshold, surrogate_width }, sigmoid }
    }

    /// The layers.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Adds the network's tensors: convolution weights by Kaiming's rule over the outputs' fan, as the authors draw them,
    /// the rest as PyTorch does.
    ///
    /// # Errors
    /// [`Error::Argument`] if a name is taken.
    pub fn add_to(&self, params: &mut ParamStore) -> Result<()> {
        for layer in self.network.weighted() {
            let description = &self.network.layers()[layer];
            let shape = self.network.weight_shape(layer);
            let out = shape[0];
            match description.op {
                Op::Conv { kernel, .. } => {
                    params.parameter(format!("{}.weight", description.name), &shape, Init::Kaiming { fan: out * kernel * kernel })?;
                    if self.network.has_bias(layer) {
                        let fan_in = shape[1] * kernel * kernel;
                        params.parameter(format!("{}.bias", description.name), &[out], Init::FanIn { fan_in })?;
                    }
                }
                _ => params.add_linear(&description.name, shape[1], out, true)?,
            }
            if let Some(norm) = &description.norm {
                params.add_batch_norm(norm, out)?;
            }
        }
        Ok(())
    }

    /// Logits `[steps, batch, classes]` of frames `[steps * batch, channels, rows, columns]`, all items of a step together.
    ///
    /// # Errors
    /// [`Error::Shape`] if the frames do not fit; whatever the engine finds.
    pub fn forward(&self, params: &mut ParamStore, frames: Vec<f32>, steps: usize) -> Result<Tensor<3>> {
        let [c, h, w] = self.network.input();
        let rows = frames.len() / (c * h * w);
        let x = params.input(frames, [rows, c, h, w])?;
        let mut outputs: Vec<Tensor<4>> = Vec::with_capacity(self.network.layers().len());
        for (n, layer) in self.network.layers().iter().enumerate() {
            let input = match layer.input {
                Source::Frame => x.clone(),
                Source::Layer(n) => outputs[n].clone(),
            };
            let square = |kernel: [usize; 2]| Pool2dOptions { kernel, stride: kernel, padding: [0, 0], count_include_pad: true };
            let mut y = match layer.op {
                Op::Conv { stride, padding, .. } => params.conv2d(&layer.name, input, Conv2dOptions::padded(padding).stride(stride))?,
                Op::Linear { out } => params.linear(&layer.name, input.flatten(1, 3))?.reshape([rows, out, 1, 1]),
                Op::AvgPool { kernel } => ops::avg_pool2d(input, square([kernel; 2]))?,
                Op::GlobalAvgPool => {
                    let [_, h, w] = self.network.input_shape(n);
                    ops::avg_pool2d(input, square([h, w]))?
                }
                Op::MaxPool => {
                    let pool = Pool2dOptions { kernel: [3; 2], stride: [2; 2], padding: [1; 2], count_include_pad: true };
                    ops::max_pool2d(input, pool)?
                }
            };
            if let Some(norm) = &layer.norm {
                y = params.batch_norm(norm, y)?;
            }
            if let Some(other) = layer.add {
                y = y + outputs[other].clone();
            }
            if layer.spikes {
                y = match self.sigmoid {
                    None => ops::lif(y, steps, self.lif)?,
                    Some(k) => sigmoid(y, steps, self.lif, k)?,
                };
            }
            if let Some(other) = layer.add_after {
                y = y + outputs[other].clone();
            }
            outputs.push(y);
        }
        let logits = outputs.pop().ok_or_else(|| Error::shape("network", "at least one layer", 0))?;
        Ok(logits.reshape([steps, rows / steps.max(1), self.network.classes()]))
    }

    /// The trained tensors under the names of a file.
    ///
    /// # Errors
    /// [`Error::Keys`] if the store is not this network's.
    pub fn weights(&self, params: &ParamStore) -> Result<Weights> {
        let mut inner = params.weights()?;
        for norm in self.norms() {
            for (ours, engine) in NORM.iter().zip(ENGINE_NORM) {
                let name = format!("{norm}.{engine}");
                let tensor = inner.tensors.remove(&name);
                let missing = || Error::Keys { what: "model parameters".into(), missing: vec![name.clone()], unexpected: Vec::new() };
                inner.insert(format!("{norm}.{ours}"), tensor.ok_or_else(missing)?);
            }
        }
        Ok(inner)
    }

    /// Puts a file's tensors into a store that [`Self::add_to`] filled.
    ///
    /// # Errors
    /// [`Error::Keys`], [`Error::Shape`] or [`Error::DType`] if the file is not this network's.
    pub fn load(&self, params: &mut ParamStore, weights: &Weights) -> Result<()> {
        let tensors = self.network.tensors();
        weights.expect_keys("weights of this network", tensors.iter().map(|(name, _)| name.as_str()))?;
        let mut inner = Weights { tensors: weights.tensors.clone(), ..Weights::default() };
        for norm in self.norms() {
            for (ours, engine) in NORM.iter().zip(ENGINE_NORM) {
                if let Some(tensor) = inner.tensors.remove(&format!("{norm}.{ours}")) {
                    inner.insert(format!("{norm}.{engine}"), tensor);
                }
            }
        }
        params.load(&inner)
    }

    fn norms(&self) -> impl Iterator<Item = &str> {
        self.network.layers().iter().filter_map(|l| l.norm.as_deref())
    }
}

/// The control: the step replaced by `sigmoid(k (u - v_threshold))`, which the engine differentiates exactly.
///
/// # Shapes
/// As [`ops::lif`].
///
/// # Errors
/// [`Error::Argument`] if `steps` does not divide the first axis.
pub fn sigmoid<const D: usize>(x: Tensor<D>, steps: usize, lif: Lif, k: f32) -> Result<Tensor<D>> {
    let rows = x.dims()[0];
    if steps == 0 || !rows.is_multiple_of(steps) {
        return Err(Error::argument("time steps", format!("a divisor of the first axis, {rows}"), steps));
    }
    let mut state: Option<Tensor<D>> = None;
    let mut out = Vec::with_capacity(steps);
    for now in x.chunk(steps, 0) {
        let u = match state.take() {
            Some(state) => state * lif.decay + now,
            None => now,
        };
        let s = activation::sigmoid((u.clone() - lif.v_threshold) * k);
        state = Some((s.clone().neg() + 1.0) * u);
        out.push(s);
    }
    Ok(Tensor::cat(out, 0))
}
