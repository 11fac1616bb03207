//! A [`Session`] of the other side.

use super::{declared, not_offered};
use crate::abi::args::Parcel;
use crate::abi::call::Peer;
use crate::abi::raw::*;
use crate::abi::table::Handle;
use crate::abi::wire::SessionFacts;
use crate::backend::{Session, SessionStats};
use crate::error::{Error, Result};
use crate::spec::TensorSpec;
use crate::tensor::Tensor;
use std::collections::BTreeMap;

/// A session across the boundary.
pub(in crate::abi) struct ForeignSession {
    handle: Handle<ZooSessionTable>,
    facts: SessionFacts,
    /// Why the last reset failed. `reset` can't say so; the next run does.
    unreset: Option<Error>,
}

impl ForeignSession {
    /// # Safety
    /// The handle is valid, and ours if its table can drop it.
    pub(in crate::abi) unsafe fn new(session: ZooSession, peer: &Peer) -> Result<Self> {
        // SAFETY: passed on.
        let handle = unsafe { Handle::new(session.self_, session.table, peer) }?;
        let facts = match handle.table.describe {
            // SAFETY: the object with its own function.
            Some(f) => peer.call("facts of a session", |out| unsafe { f(handle.self_, out) })?.json()?,
            None => SessionFacts::default(),
        };
        Ok(Self { handle, facts, unreset: None })
    }

    /// # Safety
    /// The handle is lent by the caller for the time this object lives.
    pub(in crate::abi) unsafe fn lent(session: ZooSession) -> Result<Self> {
        // SAFETY: passed on.
        unsafe { Self::new(session, &Peer::caller()) }
    }
}

impl Session for ForeignSession {
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
        let Handle { self_, table, peer } = &self.handle;
        let run = table.run.ok_or_else(|| not_offered(peer, "running a session"))?;
        let mut parcel = Parcel::unnamed(inputs)?;
        // SAFETY: the object with its own function.
        let outputs = peer.call("run of a session", |out| unsafe { run(*self_, parcel.leave(), out) })?.unnamed();
        declared(peer, "outputs of a session", &self.facts.outputs, &outputs)?;
        Ok(outputs)
    }

    fn stats(&self) -> SessionStats {
        let Handle { self_, table, peer } = &self.handle;
        let Some(stats) = table.stats else { return SessionStats::default() };
        // SAFETY: the object with its own function.
        let answer = peer.call("stats of a session", |out| unsafe { stats(*self_, out) });
        answer.and_then(|answer| answer.json()).unwrap_or_default()
    }

    fn reset(&mut self) {
        let Handle { self_, table, peer } = &self.handle;
        if let Some(reset) = table.reset {
            // SAFETY: the object with its own function.
            self.unreset = peer.call("reset of a session", |out| unsafe { reset(*self_, out) }).err();
        }
    }
}
