//! A compiled model.

use crate::NAME;
use crate::convert::{from_ort, to_ort};
use crate::guard::{guard, runtime};
use crate::options::{Provider, Settings};
use crate::placement::{RECORD, placement};
use crate::providers;
use crate::runtime::Runtime;
use ort::logging::LogLevel;
use ort::session::SessionInputValue;
use ort::session::builder::SessionBuilder;
use std::borrow::Cow;
use std::collections::BTreeMap;
use zoo_core::spec::{axis_lengths, check_all};
use zoo_core::{Artifact, Error, Result, Session, SessionStats, Tensor, TensorSpec};
use zoo_formats::onnx::Model;
use zoo_formats::onnx::proto::{GraphProto, NodeProto};

/// A model compiled by ONNX Runtime.
pub(crate) struct OrtSession {
    session: ort::session::Session,
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
    metadata: BTreeMap<String, String>,
    placement: BTreeMap<String, u64>,
    runs: u64,
}

impl OrtSession {
    pub(crate) fn compile(artifact: &Artifact, settings: &Settings, runtime: &Runtime) -> Result<Self> {
        let model = read(artifact)?;
        let (inputs, outputs) = (model.inputs()?, model.outputs()?);
        let metadata = artifact.metadata.clone().into_iter().chain(model.metadata()).collect();
        let builder = configure(artifact, settings, runtime)?;
        let builder = register(builder, settings, runtime)?;
        let main = artifact.main()?;
        let session = guard("compiling", || {
            let mut builder = builder;
            builder.commit_from_memory(&main.bytes)
        });
        let session = session.map_err(|error| explain(error, model.graph()))?;
        let placement = guard("asking for the placement", || Ok(placement(&session)))?.unwrap_or_default();
        Ok(Self { session, inputs, outputs, metadata, placement, runs: 0 })
    }
}

/// Reads the model before ONNX Runtime does: its decoder has no limits.
fn read(artifact: &Artifact) -> Result<Model> {
    zoo_formats::onnx::read_artifact(artifact).map_err(|error| match error {
        zoo_formats::Error::NotOnnx { source_name, found, mend } => {
            Error::artifact(source_name, "start of file", format!("expected an ONNX model, found {found}; {mend}"))
        }
        other => other.into(),
    })
}

/// Everything but the providers.
fn configure(artifact: &Artifact, settings: &Settings, runtime: &Runtime) -> Result<SessionBuilder> {
    guard("configuring", || {
        let mut builder = ort::session::Session::builder(&runtime.environment)?
            .with_optimization_level(settings.optimization)?
            .with_log_level(LogLevel::Fatal)?
            .with_config_entry(RECORD, "1")?
            .with_inter_threads(1)?;
        if let Some(threads) = settings.threads {
            builder = builder.with_intra_threads(threads)?;
        }
        if !settings.providers.contains(&Provider::Cpu) {
            builder = builder.with_disable_cpu_fallback()?;
        }
        for file in artifact.files.iter().skip(1) {
            builder = builder.with_external_initializer_file_in_memory(&file.name, file.bytes.clone())?;
        }
        Ok(builder)
    })
}

fn register(builder: SessionBuilder, settings: &Settings, runtime: &Runtime) -> Result<SessionBuilder> {
    let wanted = providers::dispatches(settings, runtime)?;
    if wanted.is_empty() {
        return Ok(builder);
    }
    guard("registering providers", || builder.with_execution_providers(wanted).map_err(Into::into)).map_err(|error| match error {
        Error::Runtime { message, .. } => providers::failed(settings, &message),
        other => other,
    })
}

/// Finds the operator that a message of ONNX Runtime complains about.
fn explain(error: Error, graph: &GraphProto) -> Error {
    let Error::Runtime { message, .. } = &error else { return error };
    let Some(node) = culprit(message, graph) else { return error };
    let op = if node.domain().is_empty() { node.op_type().into() } else { format!("{}::{}", node.domain(), node.op_type()) };
    let name = if node.name().is_empty() { node.output.first().cloned().unwrap_or_default() } else { node.name().into() };
    Error::UnsupportedOperator { backend: NAME.into(), op, node: name, why: message.clone() }
}

fn culprit<'a>(message: &str, graph: &'a GraphProto) -> Option<&'a NodeProto> {
    let named = |node: &&NodeProto| {
        let (domain, op, name) = (node.domain(), node.op_type(), node.name());
        let unregistered = message.contains(&format!(": {domain}:{op}(")) && message.contains("is not a registered function/op");
        let unknown = message.contains(&format!("No Op registered for {op} "));
        let kernel = message.contains(&format!("Could not find an implementation for {op}(")) && message.contains(&format!("'{name}'"));
        unregistered || unknown || kernel
    };
    graph.node.iter().find(named).or_else(|| {
        let subgraphs = graph.node.iter().flat_map(|n| &n.attribute).flat_map(|a| a.g.iter().chain(&a.graphs));
        subgraphs.into_iter().find_map(|sub| culprit(message, sub))
    })
}

impl Session for OrtSession {
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
        axis_lengths(&self.inputs, inputs)?;
        let feeds = (self.inputs.iter().zip(inputs))
            .map(|(spec, tensor)| Ok((Cow::Borrowed(spec.name.as_str()), to_ort(&spec.name, tensor)?)))
            .collect::<Result<Vec<(Cow<'_, str>, SessionInputValue<'_>)>>>()?;
        let session = &mut self.session;
        let mut given = guard("running", || session.run(feeds))?;
        self.runs += 1;
        let mut take = |spec: &TensorSpec| {
            let value = given.remove(&spec.name).ok_or_else(|| runtime("running", format!("output `{}` is not there", spec.name)))?;
            from_ort(&spec.name, value)
        };
        self.outputs.iter().map(&mut take).collect()
    }

    fn stats(&self) -> SessionStats {
        SessionStats { runs: self.runs, placement: self.placement.clone(), ..SessionStats::default() }
    }

    fn reset(&mut self) {}
}
