//! One step of a neuron, as a dialect reads its equations.

use super::at;
use super::dialect::{Dialect, NirOptions};
use super::read::wide;
use crate::Result;
use crate::event_graph::{Dynamics, Neuron, Op, Param, Payload, Reset};
use std::collections::BTreeMap;
use zoo_core::{DType, Tensor};

/// Values of a parameter. Arithmetic is in `f32` where the file holds `f32`, as the frameworks' is.
#[derive(Clone)]
pub(super) struct Values {
    shape: Vec<usize>,
    data: Vec<f64>,
    single: bool,
}

impl Values {
    pub(super) fn of(tensor: &Tensor) -> Self {
        Self { shape: tensor.shape().to_vec(), data: wide(tensor), single: tensor.dtype() == DType::F32 }
    }

    fn scalar(value: f64, single: bool) -> Self {
        Self { shape: Vec::new(), data: vec![value], single }
    }

    /// The one value that all elements share.
    pub(super) fn uniform(&self) -> Option<f64> {
        let first = *self.data.first()?;
        self.data.iter().all(|v| *v == first).then_some(first)
    }

    fn round(&self, value: f64) -> f64 {
        if self.single { f64::from(value as f32) } else { value }
    }

    fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self { data: self.data.iter().map(|&v| self.round(f(v))).collect(), ..self.clone() }
    }

    /// Element by element; one value goes with any number.
    fn zip(&self, node: &str, other: &Self, f: impl Fn(f64, f64) -> f64) -> Result<Self> {
        let (long, short) = if self.data.len() >= other.data.len() { (self, other) } else { (other, self) };
        if short.data.len() != 1 && short.data.len() != long.data.len() {
            return Err(at(node, format!("parameters of shapes {:?} and {:?} do not fit each other", self.shape, other.shape)));
        }
        let pick = |values: &Self, i: usize| values.data[if values.data.len() == 1 { 0 } else { i }];
        let rounding = Self { shape: long.shape.clone(), data: Vec::new(), single: self.single && other.single };
        let data = (0..long.data.len()).map(|i| rounding.round(f(pick(self, i), pick(other, i)))).collect();
        Ok(Self { data, ..rounding })
    }

    /// A parameter of the event graph: a scalar where all values are equal, else a tensor called `key`. Axes of length 1
    /// at either end are dropped, so `[C, 1, 1]` is one value a channel.
    pub(super) fn param(&self, key: String, tensors: &mut BTreeMap<String, Tensor>) -> Result<Param> {
        if let Some(value) = self.uniform() {
            return Ok(Param::Scalar(value));
        }
        let end = self.shape.iter().rposition(|&d| d != 1).map_or(0, |i| i + 1);
        let start = self.shape.iter().position(|&d| d != 1).unwrap_or(0);
        // Only whole layers keep inner axes of length 1; those at the front of `[1, H, W]` are part of the layer.
        let shape = if end < self.shape.len() { &self.shape[start..end] } else { &self.shape[..] };
        tensors.insert(key.clone(), Tensor::from_vec(shape, self.data.iter().map(|&v| v as f32).collect())?);
        Ok(Param::Tensor(key))
    }
}

/// Builds the operations that stand for one node, in a chain.
pub(super) struct Lowering<'a> {
    pub(super) name: &'a str,
    pub(super) options: &'a NirOptions,
    pub(super) tensors: &'a mut BTreeMap<String, Tensor>,
    /// (suffix of the name, operation), in order.
    pub(super) chain: Vec<(&'static str, Op)>,
}

/// Fields that every firing neuron has.
pub(super) struct Firing<'a> {
    pub(super) v_threshold: &'a Tensor,
    pub(super) v_reset: Option<&'a Tensor>,
    pub(super) v_leak: Option<&'a Tensor>,
}

impl Lowering<'_> {
    fn param(&mut self, what: &str, values: &Values) -> Result<Param> {
        values.param(format!("{}.{what}", self.name), self.tensors)
    }

    /// One gain for the layer; where neurons differ, a product ahead of them.
    fn gain(&mut self, suffix: &'static str, values: &Values) -> Result<f64> {
        match values.uniform() {
            // The importers of these two accept what is close to 1 and then leave the factor out.
            Some(gain) if (gain - 1.0).abs() < 1e-5 && matches!(self.options.dialect, Dialect::SpikingJelly | Dialect::SnnTorch) => Ok(1.0),
            Some(gain) => Ok(gain),
            None => {
                let factor = self.param(suffix, values)?;
                self.chain.push((suffix, Op::Scale { factor }));
                Ok(1.0)
            }
        }
    }

    /// `dt / tau`.
    fn rate(&self, tau: &Tensor) -> Result<Values> {
        let tau = Values::of(tau);
        if let Some(bad) = tau.data.iter().find(|v| !(v.is_finite() && **v > 0.0)) {
            return Err(at(self.name, format!("time constant: expected seconds above 0, found {bad}")));
        }
        let dt = tau.round(self.options.dt);
        let rate = tau.map(|tau| dt / tau);
        match rate.data.iter().find(|v| **v > 1.0) {
            Some(bad) => Err(at(
                self.name,
                format!(
                    "time constant: a step of {} s is {bad} time constants, more than 1; give the dt the file was made for",
                    self.options.dt
                ),
            )),
            None => Ok(rate),
        }
    }

    /// Factor of the membrane and gain of the input, a step.
    fn leak(&self, tau: &Tensor, r: &Tensor) -> Result<(Values, Values)> {
        if self.options.dialect == Dialect::Sinabs {
            let tau = Values::of(tau);
            return Ok((tau.map(|tau| (-1.0 / tau).exp()), Values::scalar(1.0, tau.single)));
        }
        let rate = self.rate(tau)?;
        Ok((rate.map(|k| 1.0 - k), Values::of(r).zip(self.name, &rate, |r, k| r * k)?))
    }

    pub(super) fn integrate_and_fire(&mut self, r: &Tensor, firing: &Firing<'_>) -> Result<()> {
        if self.options.dialect == Dialect::SnnTorch {
            let why = "snnTorch reads an IF as a leaky neuron with a decay of 0.9; choose another dialect";
            return Err(at(self.name, why));
        }
        let r = Values::of(r);
        let dt = r.round(self.options.dt);
        let values = if self.options.dialect.if_gain() { r.map(|r| r * dt) } else { Values::scalar(1.0, r.single) };
        let gain = self.gain("gain", &values)?;
        let dynamics = if gain == 1.0 { Dynamics::If } else { Dynamics::Lif { decay: Param::Scalar(1.0), gain } };
        self.fire(dynamics, firing, true)
    }

    pub(super) fn leaky(&mut self, tau: &Tensor, r: &Tensor, firing: &Firing<'_>) -> Result<()> {
        let (decay, gain) = self.leak(tau, r)?;
        let gain = self.gain("gain", &gain)?;
        let decay = self.param("decay", &decay)?;
        self.fire(Dynamics::Lif { decay, gain }, firing, false)
    }

    pub(super) fn current_based(&mut self, [tau_syn, w_in]: [&Tensor; 2], [tau_mem, r]: [&Tensor; 2], firing: &Firing<'_>) -> Result<()> {
        self.not_for_sinabs("CubaLIF")?;
        let (syn, gain_syn) = self.leak(tau_syn, w_in)?;
        let (mem, gain_mem) = self.leak(tau_mem, r)?;
        let Some(gain_mem) = gain_mem.uniform() else {
            return Err(at(self.name, "r dt / tau_mem must be the same for all neurons of the layer"));
        };
        let gain_syn = self.gain("w_in", &gain_syn)?;
        let (decay_syn, decay_mem) = (self.param("decay_syn", &syn)?, self.param("decay_mem", &mem)?);
        self.fire(Dynamics::CubaLif { decay_mem, decay_syn, gain_syn, gain_mem }, firing, false)
    }

    pub(super) fn threshold(&mut self, threshold: &Tensor) -> Result<()> {
        // No state: the membrane is the input of the step, whatever a spike would leave behind.
        let neuron = Neuron { threshold: self.param("threshold", &Values::of(threshold))?, ..Neuron::leaky(0.0, 1.0) };
        self.chain.push(("", Op::Neuron(neuron)));
        Ok(())
    }

    pub(super) fn integrator(&mut self, suffix: &'static str, tau: Option<&Tensor>, r: &Tensor, v_leak: Option<&Tensor>) -> Result<()> {
        if v_leak.is_some_and(|leak| Values::of(leak).uniform() != Some(0.0)) {
            return Err(at(self.name, "v_leak: expected 0, for an integrator passes its membrane on"));
        }
        let r_values = Values::of(r);
        let dt = r_values.round(self.options.dt);
        let (decay, gain) = match tau {
            Some(tau) => self.leak(tau, r)?,
            None => (Values::scalar(1.0, r_values.single), r_values.map(|r| r * dt)),
        };
        let gain = self.gain(if suffix.is_empty() { "gain" } else { "w_in" }, &gain)?;
        let decay = self.param(if suffix.is_empty() { "decay" } else { "decay_syn" }, &decay)?;
        self.chain.push((suffix, Op::Li { decay, gain, v_init: Param::Scalar(0.0) }));
        Ok(())
    }

    pub(super) fn not_for_sinabs(&self, kind: &str) -> Result<()> {
        if self.options.dialect == Dialect::Sinabs {
            return Err(at(self.name, format!("sinabs has no {kind} in its NIR importer; choose another dialect")));
        }
        Ok(())
    }

    fn one(&self, what: &str, tensor: Option<&Tensor>) -> Result<f64> {
        let Some(tensor) = tensor else { return Ok(0.0) };
        let values = Values::of(tensor);
        values.uniform().ok_or_else(|| at(self.name, format!("{what}: expected one value for the layer, found several")))
    }

    fn fire(&mut self, dynamics: Dynamics, firing: &Firing<'_>, is_if: bool) -> Result<()> {
        let dialect = self.options.dialect;
        let leak = self.one("v_leak", firing.v_leak)?;
        if leak != 0.0 && matches!(dialect, Dialect::Sinabs | Dialect::SnnTorch) {
            return Err(at(self.name, format!("v_leak: expected 0, as {dialect} does, found {leak}")));
        }
        // sinabs, snnTorch and Norse have no use for the field.
        let uses_reset = matches!(dialect, Dialect::NirStrict | Dialect::SpikingJelly);
        let v_reset = if uses_reset { self.one("v_reset", firing.v_reset)? } else { 0.0 };
        let start = if dialect == Dialect::SpikingJelly { v_reset } else { 0.0 };
        let threshold = Values::of(firing.v_threshold);
        let floor = if dialect == Dialect::Sinabs && is_if { Some(-self.one("v_threshold", Some(firing.v_threshold))?) } else { None };
        // The event graph leaks towards 0: measure the membrane from v_leak.
        let threshold = self.param("threshold", &threshold.map(|v| v - leak))?;
        let reset = match v_reset - leak {
            _ if dialect.subtracts() => Reset::Subtract,
            0.0 => Reset::Zero,
            value => Reset::Value(value),
        };
        self.chain.push((
            "",
            Op::Neuron(Neuron {
                dynamics,
                threshold,
                compare: dialect.compare(),
                reset,
                spikes: dialect.spikes(),
                payload: Payload::Unit,
                floor,
                refractory: 0,
                v_init: Param::Scalar(start - leak),
            }),
        ));
        Ok(())
    }
}
