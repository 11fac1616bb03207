//! The clocked spiking twin: integrate-and-fire neurons with soft reset, one spike of amplitude `theta` a step at most.
//!
//! Specification section 2 (public code: `models/spiking_layer.py`):
//! `v += W s_in + b + theta / (2 T)`; `s = theta` where `v >= theta`; `v -= s`.

use crate::ann::Ann;
use crate::kernel::{Kernel, average_pool};
use crate::network::{Network, Source};
use rayon::prelude::*;
use std::sync::Arc;
use zoo_core::{Error, Result};

/// The neurons of one spiking layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Neurons {
    /// Firing threshold and spike amplitude of each channel; positive.
    pub threshold: Vec<f32>,
    /// Bias of each channel, added every step (bias calibration changes it).
    pub bias: Vec<f32>,
    /// Potential before the first step, (row, column, channel); `None` is zero everywhere.
    pub v_init: Option<Vec<f32>>,
    /// Weights that replace the ANN's after weight calibration, in the order of the weight file.
    pub weight: Option<Vec<f32>>,
}

/// A converted network.
#[derive(Clone, Debug)]
pub struct Snn {
    ann: Arc<Ann>,
    neurons: Vec<Option<Neurons>>,
    kernels: Vec<Option<Arc<Kernel>>>,
    steps: u32,
    shift: bool,
}

/// What one image did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Mean output current, one a class.
    pub logits: Vec<f32>,
    /// Spikes of all neurons over all steps.
    pub spikes: u64,
    /// Adds of weights caused by non-zero inputs of the layers that spikes reach, borders excluded.
    pub synops: u64,
    /// Multiply-accumulates of the layers that see only the constant image, done once.
    pub image_macs: u64,
}

/// Buffers of one running image; reused from image to image.
#[derive(Debug)]
pub struct Scratch {
    membrane: Vec<Vec<f32>>,
    out: Vec<Vec<f32>>,
    current: Vec<Vec<f32>>,
    sum: Vec<Vec<f32>>,
}

impl Snn {
    /// Converts an ANN: thresholds by layer index (one value, or one a channel), biases of the ANN, zero potentials.
    ///
    /// # Errors
    /// [`Error::Argument`] for no steps, a missing, superfluous or non-positive threshold; [`Error::Shape`] for a
    /// wrong number of them.
    pub fn new(ann: Arc<Ann>, thresholds: &[Option<Vec<f32>>], steps: u32, shift: bool) -> Result<Self> {
        if steps == 0 {
            return Err(Error::argument("time steps", "at least 1", steps));
        }
        let network = ann.network();
        let mut neurons = Vec::with_capacity(network.nodes().len());
        for (layer, node) in network.nodes().iter().enumerate() {
            let channels = network.shape(layer)[0];
            match (node.relu, thresholds.get(layer).and_then(Option::as_ref)) {
                (false, None) => neurons.push(None),
                (true, Some(values)) => {
                    let threshold = match values.as_slice() {
                        [one] => vec![*one; channels],
                        many if many.len() == channels => many.to_vec(),
                        many => return Err(Error::shape(format!("threshold of layer {layer}"), [channels], [many.len()])),
                    };
                    if let Some(bad) = threshold.iter().find(|t| !(t.is_finite() && **t > 0.0)) {
                        return Err(Error::argument(format!("threshold of layer {layer}"), "a positive number", bad));
                    }
                    neurons.push(Some(Neurons { threshold, bias: ann.bias(layer).to_vec(), v_init: None, weight: None }));
                }
                (relu, found) => {
                    let expected = if relu { "a threshold, since it spikes" } else { "no threshold, since it does not spike" };
                    return Err(Error::argument(format!("threshold of layer {layer}"), expected, format!("{found:?}")));
                }
            }
        }
        let kernels = (0..neurons.len()).map(|n| ann.kernel(n).cloned()).collect();
        Ok(Self { ann, neurons, kernels, steps, shift })
    }

    /// The ANN it came from.
    pub fn ann(&self) -> &Arc<Ann> {
        &self.ann
    }

    /// The network's description.
    pub fn network(&self) -> &Network {
        self.ann.network()
    }

    /// Number of time steps.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// Whether half a threshold over the steps is added to the current.
    pub fn shift(&self) -> bool {
        self.shift
    }

    /// The neurons of a layer; `None` if it does not spike.
    pub fn neurons(&self, layer: usize) -> Option<&Neurons> {
        self.neurons[layer].as_ref()
    }

    /// Replaces the neurons of a spiking layer.
    ///
    /// # Errors
    /// [`Error::Argument`] if the layer does not spike, [`Error::Shape`] if a vector has the wrong length.
    pub fn set_neurons(&mut self, layer: usize, neurons: Neurons) -> Result<()> {
        let [channels, rows, columns] = self.network().shape(layer);
        for (what, len, wanted) in [
            ("threshold", neurons.threshold.len(), channels),
            ("bias", neurons.bias.len(), channels),
            ("v_init", neurons.v_init.as_ref().map_or(channels * rows * columns, Vec::len), channels * rows * columns),
        ] {
            if len != wanted {
                return Err(Error::shape(format!("{what} of layer {layer}"), [wanted], [len]));
            }
        }
        if self.neurons[layer].is_none() {
            return Err(Error::argument(format!("layer {layer}"), "a spiking layer", "one that stays analog"));
        }
        self.kernels[layer] = match &neurons.weight {
            Some(weight) => Some(Arc::new(Kernel::new(self.network(), layer, weight)?)),
            None => self.ann.kernel(layer).cloned(),
        };
        self.neurons[layer] = Some(neurons);
        Ok(())
    }

    /// The same conversion with the shift switched.
    #[must_use]
    pub fn with_shift(mut self, shift: bool) -> Self {
        self.shift = shift;
        self
    }

    /// Prepared weights of a layer, calibrated ones where there are any.
    pub(crate) fn kernel(&self, layer: usize) -> Option<&Arc<Kernel>> {
        self.kernels[layer].as_ref()
    }

    /// Constant part of a layer's current: bias, and the shift where it spikes.
    pub fn drive(&self, layer: usize) -> Vec<f32> {
        match &self.neurons[layer] {
            Some(n) if self.shift => {
                let half = 0.5 / self.steps as f32;
                n.bias.iter().zip(&n.threshold).map(|(b, t)| b + half * t).collect()
            }
            Some(n) => n.bias.clone(),
            None => self.ann.bias(layer).to_vec(),
        }
    }

    /// Fresh buffers.
    pub fn scratch(&self) -> Scratch {
        let network = self.network();
        let zeros = |n: usize| vec![0.0; network.shape(n).iter().product()];
        let all = || (0..network.nodes().len()).map(zeros).collect::<Vec<_>>();
        Scratch { membrane: all(), out: all(), current: all(), sum: all() }
    }

    /// Runs one image (row, column, channel) through all steps.
    pub fn run(&self, scratch: &mut Scratch, image: &[f32]) -> Outcome {
        self.run_until(scratch, image, self.network().nodes().len() - 1, false)
    }

    /// Mean output of layer `layer` over the steps, (row, column, channel), for every image: its spike rate times its
    /// threshold, or the mean of its analog values. Later layers do not run.
    pub fn rates(&self, images: &[Vec<f32>], layer: usize) -> Vec<Vec<f32>> {
        self.rates_of(images, &[layer]).into_iter().map(|mut r| r.pop().unwrap_or_default()).collect()
    }

    /// As [`Snn::rates`] for several layers at once: by image, then in the order of `layers`.
    pub fn rates_of(&self, images: &[Vec<f32>], layers: &[usize]) -> Vec<Vec<Vec<f32>>> {
        let Some(&last) = layers.iter().max() else { return vec![Vec::new(); images.len()] };
        let inverse = 1.0 / self.steps as f32;
        images
            .par_iter()
            .map_init(
                || self.scratch(),
                |scratch, image| {
                    self.run_until(scratch, image, last, true);
                    layers.iter().map(|&n| scratch.sum[n].iter().map(|v| v * inverse).collect()).collect()
                },
            )
            .collect()
    }

    /// Outcome of every image.
    pub fn run_all(&self, images: &[Vec<f32>]) -> Vec<Outcome> {
        images.par_iter().map_init(|| self.scratch(), |scratch, image| self.run(scratch, image)).collect()
    }

    fn run_until(&self, scratch: &mut Scratch, image: &[f32], last: usize, record: bool) -> Outcome {
        let drives: Vec<_> = (0..=last).map(|n| self.drive(n)).collect();
        let mut outcome = Outcome::default();
        self.start(scratch, image, &drives, &mut outcome);
        for _ in 0..self.steps {
            for (layer, drive) in drives.iter().enumerate() {
                self.step_layer(scratch, image, layer, drive, &mut outcome);
                if record {
                    let (sum, out) = (&mut scratch.sum[layer], &scratch.out[layer]);
                    sum.iter_mut().zip(out).for_each(|(s, o)| *s += o);
                }
            }
            if last + 1 == self.neurons.len() {
                outcome.logits.iter_mut().zip(&scratch.out[last]).for_each(|(l, o)| *l += o);
            }
        }
        let inverse = 1.0 / self.steps as f32;
        outcome.logits.iter_mut().for_each(|l| *l *= inverse);
        outcome
    }

    /// Resets state and works out the currents that stay constant over the steps.
    fn start(&self, scratch: &mut Scratch, image: &[f32], drives: &[Vec<f32>], outcome: &mut Outcome) {
        outcome.logits = vec![0.0; self.network().classes()];
        for layer in 0..drives.len() {
            scratch.sum[layer].fill(0.0);
            match self.neurons[layer].as_ref().and_then(|n| n.v_init.as_ref()) {
                Some(v_init) => scratch.membrane[layer].copy_from_slice(v_init),
                None => scratch.membrane[layer].fill(0.0),
            }
            if self.constant(layer) {
                let Scratch { current, out, .. } = &mut *scratch;
                let target = if self.neurons[layer].is_some() { &mut current[layer] } else { &mut out[layer] };
                fill_rows(target, &drives[layer]);
                outcome.image_macs += self.kernels[layer].as_ref().map_or(0, |kernel| kernel.accumulate(image, target));
            }
        }
    }

    /// Whether a layer's current comes from the image alone.
    fn constant(&self, layer: usize) -> bool {
        let node = &self.network().nodes()[layer];
        node.input == Source::Image && node.residual.is_none() && self.kernels[layer].is_some()
    }

    fn step_layer(&self, scratch: &mut Scratch, image: &[f32], layer: usize, drive: &[f32], outcome: &mut Outcome) {
        let node = &self.network().nodes()[layer];
        let Scratch { membrane, out, current, .. } = scratch;
        let (before, rest) = out.split_at_mut(layer);
        let (out, current) = (&mut rest[0], &mut current[layer]);
        let spiking = self.neurons[layer].as_ref();
        if !self.constant(layer) {
            let read = |source: Source| match source {
                Source::Image => image,
                Source::Node(n) => before[n].as_slice(),
            };
            // A spiking layer sums its current before it reaches the membrane; an analog one passes it on.
            let target = if spiking.is_some() { &mut *current } else { &mut *out };
            match &self.kernels[layer] {
                Some(kernel) => {
                    fill_rows(target, drive);
                    outcome.synops += kernel.accumulate(read(node.input), target);
                }
                None => {
                    let network = self.network();
                    average_pool(node.op, network.input_shape(layer), network.shape(layer), read(node.input), target);
                    if spiking.is_some() {
                        target.chunks_exact_mut(drive.len()).for_each(|row| row.iter_mut().zip(drive).for_each(|(v, d)| *v += d));
                    }
                }
            }
            if let Some(residual) = node.residual {
                target.iter_mut().zip(read(residual)).for_each(|(v, r)| *v += r);
            }
        }
        if let Some(neurons) = spiking {
            outcome.spikes += fire(&mut membrane[layer], current, &neurons.threshold, out);
        }
    }
}

/// Sets every position to one value a channel.
fn fill_rows(target: &mut [f32], row: &[f32]) {
    target.chunks_exact_mut(row.len()).for_each(|position| position.copy_from_slice(row));
}

/// Integrates the current, emits spikes where the membrane reaches the threshold and subtracts them. Returns how many.
fn fire(membrane: &mut [f32], current: &[f32], threshold: &[f32], out: &mut [f32]) -> u64 {
    let channels = threshold.len();
    let mut spikes = 0u64;
    let rows = membrane.chunks_exact_mut(channels).zip(current.chunks_exact(channels)).zip(out.chunks_exact_mut(channels));
    for ((membrane, current), out) in rows {
        let mut count = 0u32;
        for (((v, x), s), &theta) in membrane.iter_mut().zip(current).zip(out).zip(threshold) {
            let raised = *v + x;
            let fired = raised >= theta;
            *s = if fired { theta } else { 0.0 };
            *v = raised - *s;
            count += u32::from(fired);
        }
        spikes += u64::from(count);
    }
    spikes
}
