//! A compiled model.

use crate::NAME;
use crate::convert::{from_tract, to_tract};
use crate::guard::{guard, runtime};
use crate::options::Settings;
use crate::plans::Plans;
use crate::signature::{self, Signature};
use std::collections::BTreeMap;
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
        if let Some(lengths) = plans.for_batch(settings.batch_hint.unwrap_or(1)) {
            // A batch of one is only a guess: the first axis may be one that can't be that short.
            let guessed = plans.is_free() && settings.batch_hint.is_none();
            if let Err(error) = plans.get(&lengths).map(|_| ())
                && !guessed
            {
                return Err(error);
            }
        }
        Ok(Self { inputs, outputs, metadata, plans, runs: 0 })
    }
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
        let plan = self.plans.get(&lengths)?;
        let taken =
            self.inputs.iter().zip(inputs).map(|(spec, t)| Ok(to_tract(&spec.name, t)?.into())).collect::<Result<TVec<TValue>>>()?;
        let given = plan.run(taken)?;
        if given.len() != self.outputs.len() {
            return Err(runtime("running", format!("expected {} outputs, found {}", self.outputs.len(), given.len())));
        }
        self.runs += 1;
        self.outputs.iter().zip(given).map(|(spec, value)| from_tract(&spec.name, value.into_arc_tensor())).collect()
    }

    fn stats(&self) -> SessionStats {
        let placement = self.plans.last().map(|plan| (format!("{NAME} (cpu)"), plan.nodes() as u64)).into_iter().collect();
        SessionStats { runs: self.runs, placement, ..SessionStats::default() }
    }

    fn reset(&mut self) {}
}
