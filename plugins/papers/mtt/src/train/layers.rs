//! The network in the training engine.

use crate::config::{LossKind, NetworkConfig};
use crate::network::{NORM, Network, Neuron, Op, Source};
use crate::ttm::Ttm;
use zoo_core::{Error, Result, Weights};
use zoo_train::burn::tensor::Tensor;
use zoo_train::ops::{self, Conv2dOptions, Lif, MultiSpikeIf, Pool2dOptions};
use zoo_train::params::{Init, ParamStore};

/// How the engine names the parts of a batch normalisation, in the order of [`NORM`].
const ENGINE_NORM: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

/// A spiking network that can be trained.
#[derive(Clone, Debug)]
pub struct SpikingNet {
    network: Network,
    neuron: Neuron,
    ttm: Ttm,
    input_ttm: Ttm,
    still: bool,
}

/// Frames `[steps * batch, channels, rows, columns]` for every step there is, or one image an item.
#[derive(Clone, Debug)]
pub struct Frames {
    /// Values, all items of a step together.
    pub values: Vec<f32>,
    /// Steps; 1 for still images.
    pub steps: usize,
}

/// Takes frames `[before * batch, ...]` to `[after * batch, ...]`.
///
/// # Errors
/// [`Error::Shape`] if `before` does not divide the first axis, or as [`Ttm::matrix`].
pub fn transform(ttm: Ttm, x: Tensor<4>, before: usize, after: usize) -> Result<Tensor<4>> {
    if before == after {
        return Ok(x);
    }
    let [rows, c, h, w] = x.dims();
    if before == 0 || !rows.is_multiple_of(before) {
        return Err(Error::shape("frames at a stage boundary", format!("{before} steps"), rows));
    }
    let batch = rows / before;
    let matrix = ttm.matrix(before, after)?;
    let matrix = Tensor::<1>::from_floats(matrix.values.as_slice(), &x.device()).reshape([after, before]);
    Ok(matrix.matmul(x.reshape([before, batch * c * h * w])).reshape([after * batch, c, h, w]))
}

impl SpikingNet {
    /// A network as configured.
    pub fn new(network: Network, config: NetworkConfig) -> Self {
        let NetworkConfig { neuron, ttm, input_ttm, still, .. } = config;
        Self { network, neuron, ttm, input_ttm, still }
    }

    /// The layers.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Adds the network's tensors, drawn as PyTorch draws them.
    ///
    /// # Errors
    /// [`Error::Argument`] if a name is taken.
    pub fn add_to(&self, params: &mut ParamStore) -> Result<()> {
        for layer in self.network.weighted() {
            let description = &self.network.layers()[layer];
            let shape = self.network.weight_shape(layer);
            let fan_in = shape.iter().skip(1).product();
            params.parameter(format!("{}.weight", description.name), &shape, Init::FanIn { fan_in })?;
            if self.network.has_bias(layer) {
                params.parameter(format!("{}.bias", description.name), &shape[..1], Init::FanIn { fan_in })?;
            }
            if let Some(norm) = &description.norm {
                params.add_batch_norm(norm, shape[0])?;
            }
        }
        Ok(())
    }

    /// Logits `[steps of the last stage, batch, classes]` with stage g running for `times[g]` steps.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Argument`] if frames or times do not fit; whatever the engine finds.
    pub fn forward(&self, params: &mut ParamStore, frames: Frames, times: &[usize]) -> Result<Tensor<3>> {
        if times.len() != self.network.stages() || times.contains(&0) {
            return Err(Error::argument("times", format!("{} numbers of at least 1", self.network.stages()), format!("{times:?}")));
        }
        let [c, h, w] = self.network.input();
        let rows = frames.values.len() / (c * h * w);
        let x = params.input(frames.values, [rows, c, h, w])?;
        let batch = rows / frames.steps.max(1);
        let mut outputs: Vec<Tensor<4>> = Vec::with_capacity(self.network.layers().len());
        let first = times[0];
        // One image is the current of every step; recordings come with all the steps they have.
        let x = if self.still { x.repeat(&[first, 1, 1, 1]) } else { transform(self.input_ttm, x, frames.steps, first)? };
        for (n, layer) in self.network.layers().iter().enumerate() {
            let steps = times[layer.stage];
            let read = |from: usize| transform(self.ttm, outputs[from].clone(), times[self.network.layers()[from].stage], steps);
            let input = match layer.input {
                Source::Frame => x.clone(),
                Source::Layer(from) => read(from)?,
            };
            let square = |kernel: [usize; 2]| Pool2dOptions { kernel, stride: kernel, padding: [0, 0], count_include_pad: true };
            let mut y = match layer.op {
                Op::Conv { stride, padding, .. } => params.conv2d(&layer.name, input, Conv2dOptions::padded(padding).stride(stride))?,
                Op::Linear { out, .. } => params.linear(&layer.name, input.flatten(1, 3))?.reshape([steps * batch, out, 1, 1]),
                Op::AvgPool { kernel } => ops::avg_pool2d(input, square([kernel; 2]))?,
                Op::GlobalAvgPool => {
                    let [_, h, w] = self.network.input_shape(n);
                    ops::avg_pool2d(input, square([h, w]))?
                }
            };
            if let Some(norm) = &layer.norm {
                y = params.batch_norm(norm, y)?;
            }
            if let Some(other) = layer.add {
                y = y + read(other)?;
            }
            if layer.spikes {
                y = match self.neuron {
                    Neuron::Lif => ops::lif(y, steps, Lif::default())?,
                    Neuron::If => ops::multi_spike_if(y, steps, MultiSpikeIf::default())?,
                };
            }
            outputs.push(y);
        }
        let logits = outputs.pop().ok_or_else(|| Error::shape("network", "at least one layer", 0))?;
        let steps = times[times.len() - 1];
        Ok(logits.reshape([steps, batch, self.network.classes()]))
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

/// The loss of logits `[steps, batch, classes]`.
///
/// # Errors
/// As [`ops::cross_entropy`].
pub fn loss(kind: LossKind, logits: Tensor<3>, labels: &[i64]) -> Result<Tensor<1>> {
    let [steps, batch, classes] = logits.dims();
    match kind {
        LossKind::Mean => ops::cross_entropy(logits.mean_dim(0).squeeze_dim(0), labels, 0.0),
        LossKind::EachStep => ops::cross_entropy(logits.reshape([steps * batch, classes]), &labels.repeat(steps), 0.0),
    }
}
