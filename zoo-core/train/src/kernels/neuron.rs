//! Spiking neurons over many time steps at once, forward and backward through time.
//!
//! Currents and spikes are `[steps, width]`, `width` being all neurons of all images of a step. The membrane starts at
//! rest (0) at the first step. Time is counted in steps; no `dt` enters.

use super::lanes::exp_negative;
use super::{elements, expect_len};
use multiversion::multiversion;
use rayon::prelude::*;
use zoo_core::{Error, Result};

/// Neurons one task carries through time: its membranes stay in the first-level cache.
const BLOCK: usize = 4096;

/// Leaky integrate-and-fire with hard reset: `u <- decay u + x; s = 1[u > v_threshold]; u <- (1 - s) u`.
///
/// The backward pass uses the triangle `ds/du = max(0, width - |u - v_threshold|) / width^2` and does not detach the
/// reset: `du_after/du = (1 - s) - u ds/du` (TET, section 2; MTT, time-stepped experiments).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lif {
    /// Factor on the membrane from one step to the next, in `0..=1`.
    pub decay: f32,
    /// The membrane must exceed it (strictly) to fire.
    pub v_threshold: f32,
    /// Half width of the triangle, in units of the membrane.
    pub surrogate_width: f32,
}

impl Default for Lif {
    /// Decay 0.5, threshold 1, width 1: the values of TET and MTT.
    fn default() -> Self {
        Self { decay: 0.5, v_threshold: 1.0, surrogate_width: 1.0 }
    }
}

/// Integrate-and-fire that may fire several times a step and is reset by subtraction:
/// `v <- v + x; n = trunc(v / v_threshold) if v > 0 else 0; v <- max(v - n v_threshold, v_min)`.
///
/// The backward pass uses `dn/dv = exp(-|v - v_threshold| / width) / width` at the membrane before the reset, goes
/// through the reset, and stops at the floor (MTT, event-driven experiments).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MultiSpikeIf {
    /// Membrane per spike.
    pub v_threshold: f32,
    /// Floor of the membrane after the reset.
    pub v_min: f32,
    /// Width of the exponential, in units of the membrane.
    pub surrogate_width: f32,
}

impl Default for MultiSpikeIf {
    /// Threshold 1, floor -1, width 0.5.
    fn default() -> Self {
        Self { v_threshold: 1.0, v_min: -1.0, surrogate_width: 0.5 }
    }
}

impl Lif {
    /// Runs `steps` steps from rest. Overwrites `spikes` with 0 and 1 and, if given, `membrane` with the potentials
    /// before reset, which [`Self::backward`] needs.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Argument`] if sizes or parameters make no sense.
    pub fn forward(&self, steps: usize, current: &[f32], spikes: &mut [f32], membrane: Option<&mut [f32]>) -> Result<()> {
        self.check()?;
        through_time(steps, current, spikes, membrane, |u, x, s, trace| lif_step(self, u, x, s, trace))
    }

    /// Gradient of the current for `spike_grad`, the gradient of the spikes. Overwrites `current_grad`.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Argument`] if sizes or parameters make no sense.
    pub fn backward(&self, steps: usize, membrane: &[f32], spike_grad: &[f32], current_grad: &mut [f32]) -> Result<()> {
        self.check()?;
        back_through_time(steps, membrane, spike_grad, current_grad, |carry, u, g, dx| lif_back(self, carry, u, g, dx))
    }

    fn check(&self) -> Result<()> {
        positive("surrogate width", self.surrogate_width)?;
        if self.decay.is_finite() && self.v_threshold.is_finite() {
            return Ok(());
        }
        Err(Error::argument("decay and threshold", "finite numbers", format!("{} and {}", self.decay, self.v_threshold)))
    }
}

impl MultiSpikeIf {
    /// As [`Lif::forward`]; `spikes` are counts.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Argument`] if sizes or parameters make no sense.
    pub fn forward(&self, steps: usize, current: &[f32], spikes: &mut [f32], membrane: Option<&mut [f32]>) -> Result<()> {
        self.check()?;
        through_time(steps, current, spikes, membrane, |u, x, s, trace| if_step(self, u, x, s, trace))
    }

    /// As [`Lif::backward`].
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Argument`] if sizes or parameters make no sense.
    pub fn backward(&self, steps: usize, membrane: &[f32], spike_grad: &[f32], current_grad: &mut [f32]) -> Result<()> {
        self.check()?;
        back_through_time(steps, membrane, spike_grad, current_grad, |carry, v, g, dx| if_back(self, carry, v, g, dx))
    }

    fn check(&self) -> Result<()> {
        positive("surrogate width", self.surrogate_width)?;
        positive("threshold", self.v_threshold)
    }
}

fn positive(what: &str, value: f32) -> Result<()> {
    if value > 0.0 && value.is_finite() { Ok(()) } else { Err(Error::argument(what, "a positive number", value)) }
}

/// Cuts `[steps, width]` into blocks of columns, each a list of its rows.
fn columns(steps: usize, data: &[f32]) -> Vec<Vec<&[f32]>> {
    let width = data.len() / steps;
    let mut blocks = vec![Vec::with_capacity(steps); width.div_ceil(BLOCK)];
    for row in data.chunks_exact(width) {
        blocks.iter_mut().zip(row.chunks(BLOCK)).for_each(|(block, part)| block.push(part));
    }
    blocks
}

/// As [`columns`], for writing.
fn columns_mut(steps: usize, data: &mut [f32]) -> Vec<Vec<&mut [f32]>> {
    let width = data.len() / steps;
    let mut blocks: Vec<Vec<&mut [f32]>> = (0..width.div_ceil(BLOCK)).map(|_| Vec::with_capacity(steps)).collect();
    for row in data.chunks_exact_mut(width) {
        blocks.iter_mut().zip(row.chunks_mut(BLOCK)).for_each(|(block, part)| block.push(part));
    }
    blocks
}

fn check_steps(steps: usize, len: usize) -> Result<()> {
    if steps == 0 || !len.is_multiple_of(steps) {
        return Err(Error::argument("time steps", format!("a divisor of {len} elements"), steps));
    }
    elements("neuron input", &[len]).map(drop)
}

fn through_time(
    steps: usize,
    current: &[f32],
    spikes: &mut [f32],
    membrane: Option<&mut [f32]>,
    step: impl Fn(&mut [f32], &[f32], &mut [f32], Option<&mut [f32]>) + Sync,
) -> Result<()> {
    check_steps(steps, current.len())?;
    expect_len("spikes", current.len(), spikes.len())?;
    if let Some(membrane) = membrane.as_deref() {
        expect_len("membrane", current.len(), membrane.len())?;
    }
    if current.is_empty() {
        return Ok(());
    }
    let inputs = columns(steps, current);
    let outputs = columns_mut(steps, spikes);
    let traces: Vec<Option<Vec<&mut [f32]>>> = match membrane {
        Some(membrane) => columns_mut(steps, membrane).into_iter().map(Some).collect(),
        None => inputs.iter().map(|_| None).collect(),
    };
    inputs.into_par_iter().zip(outputs).zip(traces).for_each(|((inputs, outputs), traces)| {
        let mut state = [0.0f32; BLOCK];
        let mut traces = traces.map(Vec::into_iter);
        for (x, s) in inputs.into_iter().zip(outputs) {
            step(&mut state[..x.len()], x, s, traces.as_mut().and_then(Iterator::next));
        }
    });
    Ok(())
}

fn back_through_time(
    steps: usize,
    membrane: &[f32],
    spike_grad: &[f32],
    current_grad: &mut [f32],
    step: impl Fn(&mut [f32], &[f32], &[f32], &mut [f32]) + Sync,
) -> Result<()> {
    check_steps(steps, membrane.len())?;
    expect_len("gradient of the spikes", membrane.len(), spike_grad.len())?;
    expect_len("gradient of the current", membrane.len(), current_grad.len())?;
    if membrane.is_empty() {
        return Ok(());
    }
    let sources = columns(steps, membrane).into_par_iter().zip(columns(steps, spike_grad));
    sources.zip(columns_mut(steps, current_grad)).for_each(|((membranes, grads), outputs)| {
        let mut carry = [0.0f32; BLOCK];
        for ((u, g), dx) in membranes.into_iter().zip(grads).zip(outputs).rev() {
            step(&mut carry[..u.len()], u, g, dx);
        }
    });
    Ok(())
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
fn lif_step(lif: &Lif, state: &mut [f32], x: &[f32], s: &mut [f32], trace: Option<&mut [f32]>) {
    let (decay, v) = (lif.decay, lif.v_threshold);
    let rows = state.iter_mut().zip(x).zip(s);
    match trace {
        Some(trace) => rows.zip(trace).for_each(|(((state, x), s), trace)| {
            let u = decay * *state + x;
            *trace = u;
            *s = if u > v { 1.0 } else { 0.0 };
            *state = if u > v { 0.0 } else { u };
        }),
        None => rows.for_each(|((state, x), s)| {
            let u = decay * *state + x;
            *s = if u > v { 1.0 } else { 0.0 };
            *state = if u > v { 0.0 } else { u };
        }),
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
fn lif_back(lif: &Lif, carry: &mut [f32], u: &[f32], g: &[f32], dx: &mut [f32]) {
    let (decay, v, width) = (lif.decay, lif.v_threshold, lif.surrogate_width);
    let scale = 1.0 / (width * width);
    for (((carry, u), g), dx) in carry.iter_mut().zip(u).zip(g).zip(dx) {
        let surrogate = scale * (width - (u - v).abs()).max(0.0);
        let kept = if *u > v { 0.0 } else { *carry };
        let grad = kept + (g - *carry * u) * surrogate;
        *dx = grad;
        *carry = decay * grad;
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
fn if_step(neuron: &MultiSpikeIf, state: &mut [f32], x: &[f32], s: &mut [f32], trace: Option<&mut [f32]>) {
    let (threshold, floor) = (neuron.v_threshold, neuron.v_min);
    let fire = |state: &mut f32, x: f32, s: &mut f32| {
        let v = *state + x;
        let n = if v > 0.0 { (v / threshold).trunc() } else { 0.0 };
        *s = n;
        *state = (v - n * threshold).max(floor);
        v
    };
    let rows = state.iter_mut().zip(x).zip(s);
    match trace {
        Some(trace) => rows.zip(trace).for_each(|(((state, x), s), trace)| *trace = fire(state, *x, s)),
        None => rows.for_each(|((state, x), s)| {
            fire(state, *x, s);
        }),
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
fn if_back(neuron: &MultiSpikeIf, carry: &mut [f32], v: &[f32], g: &[f32], dx: &mut [f32]) {
    let (threshold, floor) = (neuron.v_threshold, neuron.v_min);
    let inverse = 1.0 / neuron.surrogate_width;
    for (((carry, v), g), dx) in carry.iter_mut().zip(v).zip(g).zip(dx) {
        let surrogate = inverse * exp_negative(-(v - threshold).abs() * inverse);
        let n = if *v > 0.0 { (v / threshold).trunc() } else { 0.0 };
        let after = if v - n * threshold > floor { *carry } else { 0.0 };
        let grad = after + (g - after * threshold) * surrogate;
        *dx = grad;
        *carry = grad;
    }
}
