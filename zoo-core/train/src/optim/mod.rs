//! Optimisers with PyTorch's update rules, and learning-rate schedules.
//!
//! The rules are applied to host slices in one pass a parameter. On a GPU device parameters travel to the host and
//! back at each step.

mod rules;
mod schedule;

pub use rules::{Adam, Rule, Sgd};
pub use schedule::Schedule;

use crate::params::{Gradients, ParamStore};
use rules::Slot;
use std::collections::BTreeMap;
use zoo_core::{DType, Error, Result, Tensor, Weights};

/// An update rule with its state for every parameter.
#[derive(Clone, Debug)]
pub struct Optimiser {
    rule: Rule,
    decays: fn(&str, &[usize]) -> bool,
    steps: u64,
    slots: BTreeMap<String, Slot>,
}

impl Optimiser {
    /// An optimiser that has not stepped yet.
    pub fn new(rule: impl Into<Rule>) -> Self {
        Self { rule: rule.into(), decays: |_, _| true, steps: 0, slots: BTreeMap::new() }
    }

    /// Applies weight decay only where `decays(name, shape)` says so; everywhere otherwise.
    #[must_use]
    pub fn decay_where(self, decays: fn(&str, &[usize]) -> bool) -> Self {
        Self { decays, ..self }
    }

    /// Steps taken so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// One step with learning rate `lr`. A parameter without a gradient keeps its value and its state.
    ///
    /// # Errors
    /// [`Error::Shape`] if a gradient does not have its parameter's length.
    pub fn step(&mut self, params: &mut ParamStore, grads: &Gradients, lr: f64) -> Result<()> {
        let shapes: BTreeMap<String, Vec<usize>> = params.trainable().map(|(name, shape)| (name.to_owned(), shape.to_vec())).collect();
        for (name, shape) in &shapes {
            if let Some(grad) = grads.by_name.get(name) {
                crate::kernels::expect_len("gradient", shape.iter().product(), grad.len())?;
            }
        }
        self.steps += 1;
        for (name, shape) in &shapes {
            let Some(grad) = grads.by_name.get(name) else { continue };
            let slot = self.slots.entry(name.clone()).or_default();
            let decays = (self.decays)(name, shape);
            params.update(name, |values| self.rule.apply(values, grad, slot, lr, decays));
        }
        Ok(())
    }

    /// The state, for a checkpoint: `first/NAME`, `second/NAME` and `steps/NAME`, and `steps` in the metadata.
    ///
    /// # Errors
    /// [`Error::Shape`] if a tensor's size overflows.
    pub fn state(&self) -> Result<Weights> {
        let mut state = Weights::new();
        state.metadata.insert("steps".into(), self.steps.to_string());
        for (name, slot) in &self.slots {
            state.insert(format!("first/{name}"), Tensor::from_vec([slot.first.len()], slot.first.clone())?);
            state.insert(format!("second/{name}"), Tensor::from_vec([slot.second.len()], slot.second.clone())?);
            state.insert(format!("steps/{name}"), Tensor::scalar(slot.steps));
        }
        Ok(state)
    }

    /// Takes up a state that [`Self::state`] gave.
    ///
    /// # Errors
    /// [`Error::Keys`], [`Error::DType`] or [`Error::Argument`] if it is not such a state; nothing is changed then.
    pub fn restore(&mut self, state: &Weights) -> Result<()> {
        let steps = state.metadata.get("steps").map(String::as_str).unwrap_or_default();
        let steps = steps.parse().map_err(|_| Error::argument("optimiser state, `steps`", "a number", steps))?;
        let mut slots = BTreeMap::new();
        for name in state.tensors.keys().filter_map(|key| key.strip_prefix("first/")) {
            let vector = |part: &str| state.get(&format!("{part}/{name}"))?.as_slice::<f32>().map(<[f32]>::to_vec);
            let count = state.get(&format!("steps/{name}"))?;
            count.expect("optimiser state", DType::U64, &[])?;
            let steps = count.as_slice::<u64>()?.first().copied().unwrap_or(0);
            slots.insert(name.to_owned(), Slot { first: vector("first")?, second: vector("second")?, steps });
        }
        (self.steps, self.slots) = (steps, slots);
        Ok(())
    }
}
