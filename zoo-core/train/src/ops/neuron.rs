//! Spiking layers over all time steps at once.

use super::host::{HostKernel, apply1, lock};
use super::{expect_f32, on_host};
use crate::kernels::{Lif, MultiSpikeIf};
use burn::tensor::{Tensor, s};
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use zoo_core::{Error, Result};

/// The two neuron models behind one face.
trait Neuron: Send + Sync + Debug + Copy + 'static {
    fn forward(&self, steps: usize, current: &[f32], spikes: &mut [f32], membrane: Option<&mut [f32]>) -> Result<()>;
    fn backward(&self, steps: usize, membrane: &[f32], spike_grad: &[f32], current_grad: &mut [f32]) -> Result<()>;
    /// One step in the engine's operations: spikes and membrane after reset.
    fn step<const D: usize>(&self, state: Option<Tensor<D>>, x: Tensor<D>) -> (Tensor<D>, Tensor<D>);
}

impl Neuron for Lif {
    fn forward(&self, steps: usize, current: &[f32], spikes: &mut [f32], membrane: Option<&mut [f32]>) -> Result<()> {
        Lif::forward(self, steps, current, spikes, membrane)
    }

    fn backward(&self, steps: usize, membrane: &[f32], spike_grad: &[f32], current_grad: &mut [f32]) -> Result<()> {
        Lif::backward(self, steps, membrane, spike_grad, current_grad)
    }

    fn step<const D: usize>(&self, state: Option<Tensor<D>>, x: Tensor<D>) -> (Tensor<D>, Tensor<D>) {
        let u = match state {
            Some(state) => state * self.decay + x,
            None => x,
        };
        let fixed = u.clone().detach();
        let distance = (fixed.clone() - self.v_threshold).abs();
        let slope = (distance.neg() + self.surrogate_width).clamp_min(0.0) / (self.surrogate_width * self.surrogate_width);
        let spikes = with_slope(fixed.clone().greater_elem(self.v_threshold).float(), u.clone(), fixed, slope);
        let after = (spikes.clone().neg() + 1.0) * u;
        (spikes, after)
    }
}

impl Neuron for MultiSpikeIf {
    fn forward(&self, steps: usize, current: &[f32], spikes: &mut [f32], membrane: Option<&mut [f32]>) -> Result<()> {
        MultiSpikeIf::forward(self, steps, current, spikes, membrane)
    }

    fn backward(&self, steps: usize, membrane: &[f32], spike_grad: &[f32], current_grad: &mut [f32]) -> Result<()> {
        MultiSpikeIf::backward(self, steps, membrane, spike_grad, current_grad)
    }

    fn step<const D: usize>(&self, state: Option<Tensor<D>>, x: Tensor<D>) -> (Tensor<D>, Tensor<D>) {
        let v = match state {
            Some(state) => state + x,
            None => x,
        };
        let fixed = v.clone().detach();
        let distance = (fixed.clone() - self.v_threshold).abs();
        let slope = (distance.neg() / self.surrogate_width).exp() / self.surrogate_width;
        let count = (fixed.clone() / self.v_threshold).floor().clamp_min(0.0);
        let spikes = with_slope(count, v.clone(), fixed, slope);
        let after = (v - spikes.clone() * self.v_threshold).clamp_min(self.v_min);
        (spikes, after)
    }
}

/// The value of `hard` with the gradient `slope` with respect to `u`; `fixed` is `u` outside the graph.
fn with_slope<const D: usize>(hard: Tensor<D>, u: Tensor<D>, fixed: Tensor<D>, slope: Tensor<D>) -> Tensor<D> {
    (u - fixed) * slope + hard
}

#[derive(Debug)]
struct ManySteps<N> {
    neuron: N,
    steps: usize,
    shape: Vec<usize>,
    membrane: Mutex<Vec<f32>>,
}

impl<N: Neuron> HostKernel for ManySteps<N> {
    fn output_shape(&self) -> Vec<usize> {
        self.shape.clone()
    }

    fn forward(&self, inputs: &[&[f32]], tracked: bool) -> Result<Vec<f32>> {
        let mut spikes = vec![0.0; inputs[0].len()];
        if tracked {
            let mut membrane = vec![0.0; spikes.len()];
            self.neuron.forward(self.steps, inputs[0], &mut spikes, Some(&mut membrane))?;
            *lock(&self.membrane) = membrane;
        } else {
            self.neuron.forward(self.steps, inputs[0], &mut spikes, None)?;
        }
        Ok(spikes)
    }

    fn backward(&self, _: &[&[f32]], output_grad: &[f32], _: &[bool]) -> Result<Vec<Option<Vec<f32>>>> {
        let mut grad = vec![0.0; output_grad.len()];
        self.neuron.backward(self.steps, &lock(&self.membrane), output_grad, &mut grad)?;
        Ok(vec![Some(grad)])
    }

    fn reads_inputs(&self) -> bool {
        false
    }
}

fn many_steps<const D: usize, N: Neuron>(x: Tensor<D>, steps: usize, neuron: N) -> Result<Tensor<D>> {
    expect_f32("neuron input", &x)?;
    let rows = x.dims()[0];
    if steps == 0 || !rows.is_multiple_of(steps) {
        return Err(Error::argument("time steps of a spiking layer", format!("a divisor of the first axis, {rows}"), steps));
    }
    // An empty pass checks the parameters.
    neuron.forward(1, &[], &mut [], None)?;
    if on_host(&x) {
        let shape = x.dims().to_vec();
        return Ok(apply1(x, Arc::new(ManySteps { neuron, steps, shape, membrane: Mutex::default() })));
    }
    let each = rows / steps;
    let mut state = None;
    let mut spikes = Vec::with_capacity(steps);
    for step in 0..steps {
        let (fired, after) = neuron.step(state.take(), x.clone().slice(s![step * each..(step + 1) * each]));
        spikes.push(fired);
        state = Some(after);
    }
    Ok(Tensor::cat(spikes, 0))
}

/// Leaky integrate-and-fire neurons; see [`Lif`] for the equations.
///
/// # Shapes
/// `x` `[steps * n, ...]`, all images of a step together, steps in order; result the same, 0 or 1.
///
/// # Errors
/// [`zoo_core::Error`] if `steps` does not divide the first axis or a parameter makes no sense.
pub fn lif<const D: usize>(x: Tensor<D>, steps: usize, neuron: Lif) -> Result<Tensor<D>> {
    many_steps(x, steps, neuron)
}

/// Integrate-and-fire neurons that may fire several times a step; see [`MultiSpikeIf`] for the equations.
///
/// # Shapes
/// As [`lif`]; the result counts spikes.
///
/// # Errors
/// As [`lif`].
pub fn multi_spike_if<const D: usize>(x: Tensor<D>, steps: usize, neuron: MultiSpikeIf) -> Result<Tensor<D>> {
    many_steps(x, steps, neuron)
}
