//! A compiled model.

use crate::NAME;
use crate::convert::{from_tract, to_tract};
use crate::guard::{guard, runtime};
use crate::options::Settings;
use crate::plans::{Plans, Worker};
use crate::signature::{self, Signature};
use std::collections::BTreeMap;
use std::ops::Range;
use std::thread::ScopedJoinHandle;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::{Framework, InferenceModel, IntoArcTensor, TValue, TVec};
use tract_onnx::{Onnx, onnx};
use zoo_core::spec::check_all;
use zoo_core::{Artifact, Error, Result, Session, SessionStats, Tensor, TensorSpec};
use zoo_formats::onnx::proto::NodeProto;

/// A model compiled by tract.
pub(crate) struct TractSession {
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
    metadata: BTreeMap<String, String>,
    plans: Plans,
    /// Workers that run the items of a batch one by one; `None` runs a batch as a whole.
    workers: Option<usize>,
    runs: u64,
}

impl TractSession {
    pub(crate) fn compile(artifact: &Artifact, settings: &Settings) -> Result<Self> {
        // Values declared inside the graph carry symbolic shapes, which would contradict the concrete ones given later.
        let framework = onnx().with_ignore_value_info(true);
        let Signature { model, inputs, outputs, metadata } = signature::read(artifact, &framework)?;
        let file = artifact.main()?;
        let inside = signature::with_data_inside(&model)?;
        let mut bytes = inside.as_deref().unwrap_or(&file.bytes);
        let proto = guard("decoding", || framework.proto_model_for_read(&mut bytes))?;
        let graph = parse(&file.name, &framework, &proto, model.nodes())?;
        let mut plans = Plans::new(graph, &inputs, settings.executor.clone(), settings.plans);
        // Convolutions of tract work on a batch as a whole at a third of the speed of one item after another (measured),
        // and sharing out items keeps every thread busy where sharing out single products does not.
        let convolves = model.nodes().iter().any(|node| node.op_type() == "Conv");
        let workers = settings.workers.filter(|_| convolves && plans.has_items(&inputs) && plans.has_items(&outputs));
        if workers.is_some() {
            plans.use_one_thread();
        }
        let batch = if workers.is_some() { 1 } else { settings.batch_hint.unwrap_or(1) };
        if let Some(lengths) = plans.for_batch(batch) {
            // A batch of one is only a guess: the first axis may be one that can't be that short.
            let guessed = plans.is_free() && settings.batch_hint.is_none();
            if let Err(error) = plans.get(&lengths).map(|_| ())
                && !guessed
            {
                return Err(error);
            }
        }
        Ok(Self { inputs, outputs, metadata, plans, workers, runs: 0 })
    }

    /// Runs every item by itself, shared out among workers.
    fn run_apart(&mut self, inputs: &[Tensor], items: usize, workers: usize) -> Result<Vec<Tensor>> {
        let (takes, gives) = (&self.inputs, &self.outputs);
        let plan = self.plans.get(&vec![1])?;
        let one_by_one = |worker: &mut Worker, range: Range<usize>| -> Result<Vec<Vec<Tensor>>> {
            let one = |item: usize| {
                let rows = inputs.iter().map(|t| t.rows(item..item + 1)).collect::<Result<Vec<_>>>()?;
                run_once(takes, gives, &rows, |taken| worker.run(taken))
            };
            range.map(one).collect()
        };
        let share = |w: usize| items * w / workers..items * (w + 1) / workers;
        let parts = std::thread::scope(|scope| {
            let start = |(w, worker)| scope.spawn(move || one_by_one(worker, share(w)));
            let started: Vec<_> = plan.workers(workers).iter_mut().enumerate().map(start).collect();
            let finish =
                |handle: ScopedJoinHandle<'_, Result<_>>| handle.join().unwrap_or_else(|_| Err(runtime("running", "a worker panicked")));
            started.into_iter().map(finish).collect::<Result<Vec<_>>>()
        })?;
        let of_output = |i: usize| Tensor::concat(&parts.iter().flatten().map(|item| item[i].clone()).collect::<Vec<_>>());
        (0..gives.len()).map(of_output).collect()
    }
}

/// Hands tensors to tract and takes what it gives.
fn run_once(
    takes: &[TensorSpec],
    gives: &[TensorSpec],
    inputs: &[Tensor],
    run: impl FnOnce(TVec<TValue>) -> Result<TVec<TValue>>,
) -> Result<Vec<Tensor>> {
    let taken = takes.iter().zip(inputs).map(|(spec, t)| Ok(to_tract(&spec.name, t)?.into())).collect::<Result<TVec<TValue>>>()?;
    let given = run(taken)?;
    if given.len() != gives.len() {
        return Err(runtime("running", format!("expected {} outputs, found {}", gives.len(), given.len())));
    }
    gives.iter().zip(given).map(|(spec, value)| from_tract(&spec.name, value.into_arc_tensor())).collect()
}

/// Lets tract build its graph. A node it can't build is named.
fn parse(file: &str, framework: &Onnx, proto: &ModelProto, nodes: &[NodeProto]) -> Result<InferenceModel> {
    let parsed = guard("building the graph", || framework.parse(proto, None)).map_err(|error| {
        let Error::Runtime { message, .. } = &error else { return error };
        // Tract puts "Building node NAME (TYPE)" before what its builder of that operator said.
        let culprit = nodes.iter().find(|n| message.starts_with(&format!("Building node {} ({})", n.name(), n.op_type())));
        match culprit {
            Some(node) => signature::unsupported_operator(node, message.split_once(": ").map_or(message.as_str(), |(_, why)| why)),
            None => error,
        }
    })?;
    match parsed.unresolved_inputs.first() {
        Some(name) => Err(signature::orphan(file, name)),
        None => Ok(parsed.model),
    }
}

impl Session for TractSession {
    fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        check_all("inputs", &self.inputs, inputs)?;
        let lengths = self.plans.lengths(inputs)?;
        let given = match (self.workers, lengths.as_slice()) {
            (Some(workers), &[items]) if items > 1 => self.run_apart(inputs, items, workers.min(items))?,
            _ => run_once(&self.inputs, &self.outputs, inputs, |taken| self.plans.get(&lengths)?.run(taken))?,
        };
        self.runs += 1;
        Ok(given)
    }

    fn stats(&self) -> SessionStats {
        let placement = self.plans.last().map(|plan| (format!("{NAME} (cpu)"), plan.nodes() as u64)).into_iter().collect();
        SessionStats { runs: self.runs, placement, ..SessionStats::default() }
    }

    fn reset(&mut self) {}
}
