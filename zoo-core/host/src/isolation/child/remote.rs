//! What the host lends, as objects of the plugin's process.

use super::Forever;
use super::dispatch::Server;
use crate::isolation::lane::{Lane, Trouble};
use crate::isolation::message::{
    ArtifactHead, BenchFacts, Call, DatasetFacts, DatasetMade, Note, SessionFacts, SessionMade, WeightsHead, Which, facts,
};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use zoo_core::{
    Artifact, Config, Dataset, DatasetInfo, Error, Level, Reporter, Result, Session, SessionStats, Tensor, TensorSpec, TrainSink, Weights,
    Workbench,
};

/// The host, while it waits for the answer to a call.
#[derive(Clone)]
pub(super) struct Host {
    pub(super) plugged: Arc<super::dispatch::Plugged>,
    pub(super) lane: Arc<Lane>,
}

impl Host {
    fn call<T: DeserializeOwned>(&self, call: &Call, tensors: &[Tensor]) -> Result<(T, Vec<Tensor>)> {
        let _turn = self.lane.enter();
        if !self.lane.is_serving() {
            return Err(Error::argument("call of the host", "one while the host waits for the plugin", "one after the call it came with"));
        }
        let mut server = Server { plugged: &self.plugged, lane: &self.lane };
        match self.lane.call(call, tensors, &mut server, &Forever) {
            Ok(Ok((text, tensors))) => Ok((facts(&text, "(host)")?, tensors)),
            Ok(Err(error)) => Err(error),
            Err(Trouble::Closed) => Err(Error::Cancelled),
            Err(trouble) => Err(Error::argument("answer of the host", "a frame", format!("{trouble:?}"))),
        }
    }

    fn note(&self, note: &Note) {
        let _turn = self.lane.enter();
        if self.lane.is_serving() {
            // A host that is gone needs to hear nothing.
            let _ = self.lane.note(note, &Forever);
        }
    }
}

/// A session of the host.
pub(super) struct HostSession {
    pub(super) host: Host,
    pub(super) which: Which,
    pub(super) facts: Arc<SessionFacts>,
    unreset: Option<Error>,
}

impl HostSession {
    pub(super) fn new(host: Host, which: Which, facts: Arc<SessionFacts>) -> Self {
        Self { host, which, facts, unreset: None }
    }
}

impl Session for HostSession {
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
        let ((), outputs) = self.host.call(&Call::Run { session: self.which }, inputs)?;
        Ok(outputs)
    }

    fn stats(&self) -> SessionStats {
        self.host.call(&Call::Stats { session: self.which }, &[]).map(|(stats, _)| stats).unwrap_or_default()
    }

    fn reset(&mut self) {
        self.unreset = self.host.call::<()>(&Call::Reset { session: self.which }, &[]).err();
    }
}

impl Drop for HostSession {
    fn drop(&mut self) {
        if let Which::Own(number) = self.which {
            self.host.note(&Note::DropSession(number));
        }
    }
}

/// A data set of the host.
pub(super) struct HostDataset {
    pub(super) host: Host,
    pub(super) which: Which,
    pub(super) facts: DatasetFacts,
}

impl Dataset for HostDataset {
    fn info(&self) -> &DatasetInfo {
        &self.facts.info
    }

    fn split(&self) -> &str {
        &self.facts.split
    }

    fn len(&self) -> usize {
        usize::try_from(self.facts.len).unwrap_or(usize::MAX)
    }

    fn get(&self, index: usize) -> Result<Vec<Tensor>> {
        let ((), item) = self.host.call(&Call::Get { dataset: self.which, index: index as u64 }, &[])?;
        Ok(item)
    }

    fn batch(&self, range: Range<usize>) -> Result<Vec<Tensor>> {
        let call = Call::Items { dataset: self.which, start: range.start as u64, end: range.end as u64 };
        let ((), fields) = self.host.call(&call, &[])?;
        Ok(fields)
    }
}

impl Drop for HostDataset {
    fn drop(&mut self) {
        if let Which::Own(number) = self.which {
            self.host.note(&Note::DropDataset(number));
        }
    }
}

/// The host's workbench.
pub(super) struct HostBench {
    pub(super) host: Host,
    pub(super) facts: BenchFacts,
}

impl HostBench {
    fn compiled(&self, backend: Option<String>, artifact: &Artifact) -> Result<Box<dyn Session>> {
        let (artifact, files) = ArtifactHead::split(artifact)?;
        let (made, _) = self.host.call::<SessionMade>(&Call::BenchCompile { backend, artifact }, &files)?;
        Ok(Box::new(HostSession::new(self.host.clone(), Which::Own(made.number), Arc::new(made.facts))))
    }
}

impl Reporter for HostBench {
    fn log(&self, level: Level, target: &str, message: &str) {
        self.host.note(&Note::Log { bench: true, level, target: target.into(), message: message.into() });
    }

    fn progress(&self, task: &str, done: u64, total: Option<u64>, unit: &str) {
        self.host.note(&Note::Progress { task: task.into(), done, total, unit: unit.into() });
    }

    fn cancelled(&self) -> bool {
        // Whom nobody answers has no reason to go on.
        self.host.call(&Call::Cancelled, &[]).map_or(true, |(cancelled, _)| cancelled)
    }
}

impl Workbench for HostBench {
    fn seed(&self) -> u64 {
        self.facts.seed
    }

    fn limit(&self) -> Option<usize> {
        self.facts.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
    }

    fn backend(&self) -> &str {
        &self.facts.backend
    }

    fn dataset(&mut self, name: &str, split: &str) -> Result<Box<dyn Dataset>> {
        let call = Call::BenchDataset { name: name.into(), split: split.into() };
        let (made, _) = self.host.call::<DatasetMade>(&call, &[])?;
        Ok(Box::new(HostDataset { host: self.host.clone(), which: Which::Own(made.number), facts: made.facts }))
    }

    fn compile(&mut self, artifact: &Artifact) -> Result<Box<dyn Session>> {
        self.compiled(None, artifact)
    }

    fn compile_on(&mut self, backend: &str, artifact: &Artifact) -> Result<Box<dyn Session>> {
        self.compiled(Some(backend.into()), artifact)
    }

    fn weights(&mut self, model: &str, seed: Option<u64>) -> Result<(Weights, Config)> {
        let call = Call::BenchWeights { model: model.into(), seed };
        let ((head, config), tensors) = self.host.call::<(WeightsHead, Config)>(&call, &[])?;
        Ok((head.join(tensors)?, config))
    }

    fn reporter(&self) -> &dyn Reporter {
        self
    }
}

/// The host's training sink.
pub(super) struct HostSink {
    pub(super) host: Host,
}

impl TrainSink for HostSink {
    fn log(&mut self, line: serde_json::Value) -> Result<()> {
        self.host.call(&Call::SinkLog { line }, &[]).map(|((), _)| ())
    }

    fn save(&mut self, checkpoint: &Weights) -> Result<()> {
        let (checkpoint, tensors) = WeightsHead::split(checkpoint);
        self.host.call(&Call::SinkSave { checkpoint }, &tensors).map(|((), _)| ())
    }

    fn resume(&mut self) -> Result<Option<Weights>> {
        match self.host.call::<Option<WeightsHead>>(&Call::SinkResume, &[])? {
            (Some(head), tensors) => head.join(tensors).map(Some),
            (None, _) => Ok(None),
        }
    }
}
