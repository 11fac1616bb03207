//! Backends and sessions in another process.

use super::process::Process;
use super::{Isolated, Object};
use crate::isolation::message::{ArtifactHead, BackendFacts, Call, Note, SessionFacts, SessionMade, Which};
use std::collections::BTreeMap;
use std::sync::Arc;
use zoo_core::spec::check_all;
use zoo_core::{Artifact, ArtifactKind, Availability, Backend, Device, Error, Options, Result, Session, SessionStats, Tensor, TensorSpec};

pub(super) struct RemoteBackend {
    isolated: Arc<Isolated>,
    index: usize,
}

impl RemoteBackend {
    pub(super) fn new(isolated: Arc<Isolated>, index: usize) -> Self {
        Self { isolated, index }
    }

    fn facts(&self) -> &BackendFacts {
        &self.isolated.offer.backends[self.index]
    }
}

impl Backend for RemoteBackend {
    fn name(&self) -> &str {
        &self.facts().name
    }

    fn description(&self) -> &str {
        &self.facts().description
    }

    fn probe(&self) -> Availability {
        let probe = || self.isolated.process()?.ask("probe of a backend", &[], Call::Probe { backend: self.index });
        match probe() {
            Ok((availability, _)) => availability,
            Err(error) => Availability::Unavailable { why: error.to_string(), mend: "report it to the plugin's author".into() },
        }
    }

    fn accepts(&self) -> &[ArtifactKind] {
        &self.facts().accepts
    }

    fn compile(&self, artifact: &Artifact, device: &Device, options: &Options) -> Result<Box<dyn Session>> {
        let process = self.isolated.process()?;
        let (artifact, files) = ArtifactHead::split(artifact)?;
        let call = Call::Compile { backend: self.index, artifact, device: *device, options: options.clone() };
        let (made, _) = process.ask("compiling", &files, call)?;
        Ok(Box::new(RemoteSession::new(process, made)))
    }
}

/// A session in another process.
struct RemoteSession {
    object: Object,
    facts: SessionFacts,
    /// Why the last reset failed. `reset` can't say so; the next run does.
    unreset: Option<Error>,
}

impl RemoteSession {
    fn new(process: Arc<Process>, made: SessionMade) -> Self {
        Self { object: Object { process, number: made.number, note: Note::DropSession }, facts: made.facts, unreset: None }
    }

    fn which(&self) -> Which {
        Which::Own(self.object.number)
    }
}

impl Session for RemoteSession {
    fn inputs(&self) -> &[TensorSpec] {
        &self.facts.inputs
    }

    fn outputs(&self) -> &[TensorSpec] {
        &self.facts.outputs
    }

    fn metadata(&self) -> &BTreeMap<String, String> {
        &self.facts.metadata
    }

    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        if let Some(error) = self.unreset.take() {
            return Err(error);
        }
        let ((), outputs) = self.object.process.ask("run of a session", inputs, Call::Run { session: self.which() })?;
        check_all("outputs of a session", &self.facts.outputs, &outputs)?;
        Ok(outputs)
    }

    fn stats(&self) -> SessionStats {
        self.object.process.ask_or_default("stats of a session", Call::Stats { session: self.which() })
    }

    fn reset(&mut self) {
        let reset = self.object.process.ask::<()>("reset of a session", &[], Call::Reset { session: self.which() });
        self.unreset = reset.err();
    }
}
