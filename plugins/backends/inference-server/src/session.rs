//! A model on a server.

use crate::answer::Port;
use crate::datatype;
use crate::settings::Settings;
use crate::transport::{Transport, transport};
use std::collections::BTreeMap;
use zoo_core::spec::{axis_lengths, check_all};
use zoo_core::{Artifact, Error, Result, Session, SessionStats, Tensor, TensorSpec};

pub(crate) struct RemoteSession {
    server: Box<dyn Transport>,
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
    metadata: BTreeMap<String, String>,
    runs: u64,
}

impl RemoteSession {
    pub(crate) fn open(artifact: &Artifact, settings: Settings) -> Result<Self> {
        let model = zoo_formats::onnx::read_artifact(artifact)?;
        let (inputs, outputs) = (model.inputs()?, model.outputs()?);
        let metadata = artifact.metadata.clone().into_iter().chain(model.metadata()).collect();
        let name = settings.model.clone();
        let server = transport(settings)?;
        let found = server.metadata()?;
        agree(&name, "inputs", &inputs, &found.inputs)?;
        agree(&name, "outputs", &outputs, &found.outputs)?;
        Ok(Self { server, inputs, outputs, metadata, runs: 0 })
    }
}

/// The server's model has what the artifact has. A server may list nothing (the lists are optional), and may list more outputs.
fn agree(model: &str, what: &str, wanted: &[TensorSpec], found: &[Port]) -> Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    let missing: Vec<_> = wanted.iter().filter(|spec| !found.iter().any(|port| port.name == spec.name)).map(|s| s.name.clone()).collect();
    let strange = found.iter().filter(|port| what == "inputs" && !wanted.iter().any(|spec| spec.name == port.name));
    let unexpected: Vec<_> = strange.map(|port| port.name.clone()).collect();
    if !missing.is_empty() || !unexpected.is_empty() {
        return Err(Error::Keys { what: format!("{what} of model {model} on the server"), missing, unexpected });
    }
    for spec in wanted {
        let port = found.iter().find(|port| port.name == spec.name);
        if let Some(port) = port.filter(|port| datatype::dtype(&port.datatype) != Some(spec.dtype)) {
            let what = format!("tensor `{}` of model {model} on the server", spec.name);
            return Err(Error::DType { what, expected: spec.dtype.to_string(), found: port.datatype.clone() });
        }
    }
    Ok(())
}

impl Session for RemoteSession {
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
        let outputs = self.server.infer(&self.inputs, inputs, &self.outputs)?;
        self.runs += 1;
        Ok(outputs)
    }

    fn stats(&self) -> SessionStats {
        SessionStats { runs: self.runs, ..SessionStats::default() }
    }

    fn reset(&mut self) {}
}
