//! Weight calibration (public code: `weights_cali_layer`, `weights_cali_res_layer`): each layer's weights are fitted
//! so that its quantised response to the SNN's own mean input matches the ANN's activation.

use crate::kernel::Kernel;
use crate::network::Source;
use crate::rate::quantise;
use crate::reference::Reference;
use crate::snn::Snn;
use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use zoo_core::{Error, Reporter, Result};

/// Settings of weight calibration. The defaults are the public code's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct WeightCalibration {
    /// Adam's learning rate, brought to zero by a cosine.
    pub lr: f64,
    /// Updates a layer.
    pub iterations: u32,
    /// Images an update.
    pub batch: usize,
    /// Images that are kept, at most.
    pub samples: usize,
    /// Seed of the choice of images.
    pub seed: u64,
}

impl Default for WeightCalibration {
    fn default() -> Self {
        Self { lr: 1e-5, iterations: 5000, batch: 32, samples: 1024, seed: 0 }
    }
}

/// One layer's problem: all that stays fixed while its weights move.
struct Problem<'a> {
    /// Mean input a step, by image.
    input: Vec<Vec<f32>>,
    /// Mean residual current a step, by image; empty without residual.
    residual: Vec<Vec<f32>>,
    target: Vec<&'a [f32]>,
    bias: &'a [f32],
    threshold: &'a [f32],
    steps: f32,
}

/// Fits the weights of every spiking layer with weights, in forward order.
///
/// # Errors
/// [`Error::Argument`] for no images, batch or samples; [`Error::Cancelled`].
pub fn calibrate_weight(snn: &mut Snn, reference: &Reference, settings: &WeightCalibration, reporter: &dyn Reporter) -> Result<()> {
    let samples = settings.samples.min(reference.len());
    if samples == 0 || settings.batch == 0 {
        let found = format!("{} images, batch {}", reference.len(), settings.batch);
        return Err(Error::argument("weight calibration", "at least one image and a batch of at least 1", found));
    }
    let layers: Vec<usize> = snn.network().spiking().filter(|&n| snn.network().nodes()[n].op.weighted()).collect();
    for (done, &layer) in layers.iter().enumerate() {
        reporter.progress("weight calibration", done as u64, Some(layers.len() as u64), "layers");
        let Some(neurons) = snn.neurons(layer).cloned() else { continue };
        let Some(kernel) = snn.kernel(layer).map(|k| (**k).clone()) else { continue };
        let node = snn.network().nodes()[layer].clone();
        let problem = Problem {
            input: mean_input(snn, reference, node.input, samples),
            residual: node.residual.map_or_else(Vec::new, |source| mean_input(snn, reference, source, samples)),
            target: reference.layer(layer).take(samples).collect(),
            bias: &neurons.bias,
            threshold: &neurons.threshold,
            steps: snn.steps() as f32,
        };
        let weight = fit(kernel, &problem, settings, layer as u64, reporter)?.weight();
        snn.set_neurons(layer, crate::snn::Neurons { weight: Some(weight), ..neurons.clone() })?;
    }
    Ok(())
}

/// Mean of a source over the steps, for the first `samples` images.
fn mean_input(snn: &Snn, reference: &Reference, source: Source, samples: usize) -> Vec<Vec<f32>> {
    match source {
        Source::Image => reference.images()[..samples].to_vec(),
        Source::Node(n) => snn.rates(&reference.images()[..samples], n),
    }
}

fn fit(mut kernel: Kernel, problem: &Problem<'_>, settings: &WeightCalibration, stream: u64, reporter: &dyn Reporter) -> Result<Kernel> {
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    rng.set_stream(stream);
    let count = kernel.packed_mut().len();
    let (mut first, mut second) = (vec![0.0f32; count], vec![0.0f32; count]);
    let batch = settings.batch.min(problem.input.len());
    for iteration in 0..settings.iterations {
        if iteration % 64 == 0 {
            reporter.check()?;
        }
        let images = sample(&mut rng, problem.input.len(), batch).into_vec();
        let gradient = problem.gradient(&kernel, &images).1;
        let progress = f64::from(iteration) / f64::from(settings.iterations);
        let lr = settings.lr * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
        adam(kernel.packed_mut(), &gradient, &mut first, &mut second, lr as f32, iteration + 1);
    }
    Ok(kernel)
}

impl Problem<'_> {
    /// Objective and its straight-through gradient with respect to the packed weights, over some images.
    fn gradient(&self, kernel: &Kernel, images: &[usize]) -> (f64, Vec<f32>) {
        let channels = self.bias.len();
        let positions = self.target[images[0]].len() / channels;
        let scale = 2.0 / (images.len() * positions) as f32;
        let add = |(loss, gradient): &mut (f64, Vec<f32>), image: usize| {
            let mut current: Vec<f32> = self.bias.iter().copied().cycle().take(channels * positions).collect();
            kernel.accumulate(&self.input[image], &mut current);
            if let Some(residual) = self.residual.get(image) {
                current.iter_mut().zip(residual).for_each(|(c, r)| *c += r);
            }
            for (z, (target, theta)) in current.iter_mut().zip(self.target[image].iter().zip(self.threshold.iter().cycle())) {
                let error = quantise(*z, *theta, self.steps) - target;
                *loss += f64::from(error * error);
                // Straight through the floor; the clip passes gradient between 0 and theta.
                *z = if (0.0..=*theta).contains(z) { scale * error } else { 0.0 };
            }
            kernel.accumulate_gradient(&self.input[image], &current, gradient);
        };
        let zero = || (0.0, vec![0.0; kernel.len()]);
        // A fixed number of parts, joined in order: the same sum for any number of threads.
        let part = images.len().div_ceil(4);
        let sum = |chunk: &[usize]| {
            let mut sum = zero();
            chunk.iter().for_each(|&image| add(&mut sum, image));
            sum
        };
        let parts: Vec<(f64, Vec<f32>)> = images.par_chunks(part).map(sum).collect();
        let (loss, gradient) = parts.into_iter().fold(zero(), |(loss, mut gradient), part| {
            gradient.iter_mut().zip(&part.1).for_each(|(a, b)| *a += b);
            (loss + part.0, gradient)
        });
        (loss / (images.len() * positions) as f64, gradient)
    }
}

/// The objective of weight calibration for one layer on given mean inputs: squared error summed over channels, mean
/// over images and positions; and its straight-through gradient, in the order of the weight file.
///
/// # Errors
/// [`Error::Argument`] for no images or a layer without weights or neurons.
pub fn objective(snn: &Snn, layer: usize, inputs: &[Vec<f32>], targets: &[Vec<f32>]) -> Result<(f64, Vec<f32>)> {
    let (Some(neurons), Some(kernel)) = (snn.neurons(layer), snn.kernel(layer)) else {
        return Err(Error::argument(format!("layer {layer}"), "a spiking layer with weights", "one without"));
    };
    if inputs.is_empty() || inputs.len() != targets.len() {
        return Err(Error::argument("weight calibration objective", "as many targets as inputs, at least one", targets.len()));
    }
    let problem = Problem {
        input: inputs.to_vec(),
        residual: Vec::new(),
        target: targets.iter().map(Vec::as_slice).collect(),
        bias: &neurons.bias,
        threshold: &neurons.threshold,
        steps: snn.steps() as f32,
    };
    let (loss, packed) = problem.gradient(kernel, &(0..inputs.len()).collect::<Vec<_>>());
    let mut shaped = (**kernel).clone();
    shaped.packed_mut().copy_from_slice(&packed);
    Ok((loss, shaped.weight()))
}

/// One update of Adam (Kingma & Ba 2015) with the usual 0.9, 0.999 and 1e-8.
fn adam(weight: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32], lr: f32, step: u32) {
    const BETA: [f32; 2] = [0.9, 0.999];
    let correct = BETA.map(|b| 1.0 - b.powi(step as i32));
    for (((w, &g), m), v) in weight.iter_mut().zip(gradient).zip(first).zip(second) {
        *m = BETA[0] * *m + (1.0 - BETA[0]) * g;
        *v = BETA[1] * *v + (1.0 - BETA[1]) * g * g;
        *w -= lr * (*m / correct[0]) / ((*v / correct[1]).sqrt() + 1e-8);
    }
}
