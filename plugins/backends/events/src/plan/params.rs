//! Neuron parameters in the precision of a run.

use crate::num::{Fire, Num};
use zoo_formats::event_graph::{Compare, Payload, Reset, SpikesPerStep};

/// One value for all, or one a position in `[y][x][c]` order.
#[derive(Clone, Debug, PartialEq)]
pub enum Values<T> {
    /// The same everywhere.
    Same(T),
    /// By position.
    Each(Vec<T>),
}

impl<T: Copy> Values<T> {
    /// The value at a position.
    #[inline(always)]
    pub fn at(&self, index: usize) -> T {
        match self {
            Self::Same(value) => *value,
            Self::Each(values) => values[index],
        }
    }

    /// The same with each value converted.
    pub fn map<U>(&self, f: impl Fn(T) -> U) -> Values<U> {
        match self {
            Self::Same(value) => Values::Same(f(*value)),
            Self::Each(values) => Values::Each(values.iter().map(|&v| f(v)).collect()),
        }
    }

    /// Whether a property holds everywhere.
    pub fn all(&self, f: impl Fn(T) -> bool) -> bool {
        match self {
            Self::Same(value) => f(*value),
            Self::Each(values) => values.iter().all(|&v| f(v)),
        }
    }
}

/// From current to membrane.
pub enum Rule<N: Num> {
    /// `v += x`.
    If,
    /// `v = decay * v + gain * x`.
    Leaky {
        /// Decay a step.
        decay: Values<N::Decay>,
        /// Input gain.
        gain: N::Decay,
        /// Whether the gain is 1 and needs no product.
        plain: bool,
    },
    /// Current-based LIF.
    Cuba {
        /// Membrane decay a step.
        mem: Values<N::Decay>,
        /// Synaptic decay a step.
        syn: Values<N::Decay>,
        /// Gain into the synaptic current.
        gain_syn: N::Decay,
        /// Gain from there into the membrane.
        gain_mem: N::Decay,
    },
}

/// A layer of neurons (or integrators, where `fires` is false).
pub struct Cell<N: Num> {
    /// Dynamics.
    pub rule: Rule<N>,
    /// Whether it can fire; a leaky integrator passes its membrane on instead.
    pub fires: bool,
    /// Threshold.
    pub threshold: Values<N>,
    /// Comparison.
    pub compare: Compare,
    /// Reset.
    pub reset: Reset,
    /// Reset value in the precision of the run.
    pub reset_value: N,
    /// Spikes a step.
    pub spikes: SpikesPerStep,
    /// Payload.
    pub payload: Payload,
    /// Floor.
    pub floor: Option<N>,
    /// Refractory steps.
    pub refractory: u32,
    /// Membrane before the first step.
    pub v_init: Values<N>,
    /// Whether every neuron must be visited each step (bias, synaptic current, integrator that is read).
    pub always: bool,
}

impl<N: Num> Cell<N> {
    /// The rule of the commonest kind of neuron, if this is one: one spike a step, one threshold, no floor, no refractory
    /// time.
    pub fn plain_rule(&self) -> Option<Fire<N>> {
        let plain = self.fires && self.refractory == 0 && self.floor.is_none() && self.spikes == SpikesPerStep::One;
        let Values::Same(threshold) = self.threshold else { return None };
        let decay = match &self.rule {
            Rule::If => None,
            Rule::Leaky { decay: Values::Same(decay), plain: true, .. } => Some(*decay),
            _ => return None,
        };
        let reset = match self.reset {
            Reset::Subtract => None,
            Reset::Zero | Reset::Value(_) => Some(self.reset_value),
        };
        plain.then_some(Fire { decay, threshold, strict: self.compare == Compare::Greater, reset })
    }

    /// What one spike carries where all neurons share a threshold.
    pub fn amplitude(&self) -> f32 {
        match (self.payload, &self.threshold) {
            (Payload::Theta, Values::Same(theta)) if !N::INTEGER => theta.to_f64() as f32,
            _ => 1.0,
        }
    }

    /// Whether `v` reaches `threshold`.
    #[inline(always)]
    pub fn crosses(&self, v: N, threshold: N) -> bool {
        match self.compare {
            Compare::Greater => v > threshold,
            Compare::GreaterEqual => v >= threshold,
        }
    }
}
