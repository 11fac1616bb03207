//! Optimised plans by the lengths of the free axes.

use crate::guard::{guard, runtime};
use std::sync::Arc;
use tract_linalg::multithread::Executor;
use tract_onnx::prelude::{InferenceFact, InferenceModel, InferenceModelExt, RunOptions, TValue, TVec, TypedSimplePlan, TypedSimpleState};
use zoo_core::spec::axis_lengths;
use zoo_core::{Dim, Result, Tensor, TensorSpec};

/// Lengths of the free axes, in the order of [`Plans::free`].
pub(crate) type Lengths = Vec<usize>;

/// An optimised plan and its work memories, one a worker.
pub(crate) struct Plan {
    plan: Arc<TypedSimplePlan>,
    workers: Vec<Worker>,
}

/// A work memory of a plan.
pub(crate) struct Worker {
    plan: Arc<TypedSimplePlan>,
    /// Kept between runs unless some operator has a state of its own, which every run must find fresh.
    state: Option<TypedSimpleState>,
}

impl Worker {
    /// Runs once. After an error the work memory is made anew.
    pub(crate) fn run(&mut self, inputs: TVec<TValue>) -> Result<TVec<TValue>> {
        let state = self.state.take();
        let (outputs, state) = guard("running", || {
            let mut state = match state {
                Some(state) => state,
                None => self.plan.spawn()?,
            };
            let outputs = state.run(inputs)?;
            Ok((outputs, state))
        })?;
        self.state = Some(state).filter(|s| s.op_states.iter().all(Option::is_none));
        Ok(outputs)
    }
}

impl Plan {
    /// Runs once.
    pub(crate) fn run(&mut self, inputs: TVec<TValue>) -> Result<TVec<TValue>> {
        match self.workers(1) {
            [worker, ..] => worker.run(inputs),
            [] => Err(runtime("running", "no work memory")),
        }
    }

    /// So many work memories, which may run at the same time.
    pub(crate) fn workers(&mut self, count: usize) -> &mut [Worker] {
        while self.workers.len() < count {
            self.workers.push(Worker { plan: self.plan.clone(), state: None });
        }
        &mut self.workers[..count]
    }

    /// Nodes that run.
    pub(crate) fn nodes(&self) -> usize {
        self.plan.order_without_consts().len()
    }
}

/// The analysed graph and its plans, most recently used last.
pub(crate) struct Plans {
    model: InferenceModel,
    inputs: Vec<TensorSpec>,
    /// Names of the free axes.
    free: Vec<String>,
    executor: Option<Executor>,
    capacity: usize,
    kept: Vec<(Lengths, Plan)>,
}

impl Plans {
    pub(crate) fn new(model: InferenceModel, inputs: &[TensorSpec], executor: Option<Executor>, capacity: usize) -> Self {
        let mut free: Vec<String> = Vec::new();
        for dim in inputs.iter().flat_map(|s| &s.shape) {
            if let Dim::Free(name) = dim
                && !free.contains(name)
            {
                free.push(name.clone());
            }
        }
        Self { model, inputs: inputs.to_vec(), free, executor, capacity, kept: Vec::new() }
    }

    /// Plans built from now on run in the thread that asks.
    pub(crate) fn use_one_thread(&mut self) {
        self.executor = Some(Executor::SingleThread);
    }

    /// Whether the model has free axes.
    pub(crate) fn is_free(&self) -> bool {
        !self.free.is_empty()
    }

    /// Whether the only free axis is the first of every one of `specs`: the axis of items.
    pub(crate) fn has_items(&self, specs: &[TensorSpec]) -> bool {
        let [items] = self.free.as_slice() else { return false };
        specs.iter().all(|s| {
            let is_items = |dim: &Dim| matches!(dim, Dim::Free(name) if name == items);
            s.shape.first().is_some_and(is_items) && !s.shape[1..].iter().any(is_items)
        })
    }

    /// The lengths for a batch of `batch`, if every free axis is the first of some input.
    pub(crate) fn for_batch(&self, batch: usize) -> Option<Lengths> {
        let leads = |name: &String| self.inputs.iter().any(|s| matches!(s.shape.first(), Some(Dim::Free(n)) if n == name));
        self.free.iter().all(leads).then(|| vec![batch; self.free.len()])
    }

    /// The lengths that checked inputs give the free axes.
    pub(crate) fn lengths(&self, tensors: &[Tensor]) -> Result<Lengths> {
        let lengths = axis_lengths(&self.inputs, tensors)?;
        Ok(self.free.iter().map(|name| lengths.get(name.as_str()).copied().unwrap_or(0)).collect())
    }

    fn slot(&self, dim: &Dim) -> Option<usize> {
        match dim {
            Dim::Fixed(_) => None,
            Dim::Free(name) => self.free.iter().position(|f| f == name),
        }
    }

    /// The plan for these lengths, built if need be.
    pub(crate) fn get(&mut self, lengths: &Lengths) -> Result<&mut Plan> {
        let found = self.kept.iter().position(|(key, _)| key == lengths);
        let entry = match found {
            Some(i) => self.kept.remove(i),
            None => (lengths.clone(), self.build(lengths)?),
        };
        if self.kept.len() == self.capacity {
            self.kept.remove(0);
        }
        self.kept.push(entry);
        self.kept.last_mut().map(|(_, plan)| plan).ok_or_else(|| runtime("planning", "no plan is kept"))
    }

    /// The most recently used plan.
    pub(crate) fn last(&self) -> Option<&Plan> {
        self.kept.last().map(|(_, plan)| plan)
    }

    fn build(&self, lengths: &Lengths) -> Result<Plan> {
        let stage = if self.free.is_empty() {
            "optimising".to_string()
        } else {
            let axes: Vec<_> = self.free.iter().zip(lengths).map(|(name, n)| format!("{name} = {n}")).collect();
            format!("optimising for {}", axes.join(", "))
        };
        let facts = self.inputs.iter().map(|spec| self.fact(spec, lengths)).collect::<Result<Vec<_>>>()?;
        let options = RunOptions { executor: self.executor.clone(), ..RunOptions::default() };
        let plan = guard(&stage, || {
            let mut model = self.model.clone();
            for (i, fact) in facts.into_iter().enumerate() {
                model.set_input_fact(i, fact)?;
            }
            TypedSimplePlan::new_with_options(model.into_optimized()?, &options)
        })?;
        Ok(Plan { plan, workers: Vec::new() })
    }

    fn fact(&self, spec: &TensorSpec, lengths: &Lengths) -> Result<InferenceFact> {
        let datum = crate::convert::datum_type(spec.dtype).ok_or_else(|| crate::convert::unsupported(&spec.name, spec.dtype))?;
        let shape: TVec<usize> =
            spec.shape.iter().map(|dim| dim.fixed().or_else(|| self.slot(dim).map(|i| lengths[i])).unwrap_or(0)).collect();
        Ok(InferenceFact::dt_shape(datum, shape))
    }
}
