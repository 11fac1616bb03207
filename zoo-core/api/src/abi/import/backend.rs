//! A [`Backend`] of the other side.

use super::session::ForeignSession;
use crate::abi::args::ArtifactParcel;
use crate::abi::call::Peer;
use crate::abi::raw::*;
use crate::abi::table::Handle;
use crate::abi::wire::{self, BackendFacts, known_kinds};
use crate::artifact::{Artifact, ArtifactKind};
use crate::backend::{Availability, Backend, Device, Options, Session};
use crate::error::Result;

/// A backend across the boundary.
pub(super) struct ForeignBackend {
    handle: Handle<ZooBackendTable>,
    facts: BackendFacts,
    accepts: Vec<ArtifactKind>,
}

impl ForeignBackend {
    /// # Safety
    /// The handle is valid and ours.
    pub(super) unsafe fn new(backend: ZooBackend, peer: &Peer) -> Result<Self> {
        // SAFETY: passed on.
        let handle: Handle<ZooBackendTable> = unsafe { Handle::new(backend.self_, backend.table, peer) }?;
        let describe = handle.table.describe.ok_or_else(|| peer.broke("backend: function `describe` is NULL"))?;
        // SAFETY: the object with its own function.
        let facts: BackendFacts = peer.call("facts of a backend", |out| unsafe { describe(handle.self_, out) })?.json()?;
        let accepts = known_kinds(&facts.accepts);
        Ok(Self { handle, facts, accepts })
    }
}

impl Backend for ForeignBackend {
    fn name(&self) -> &str {
        &self.facts.name
    }

    fn description(&self) -> &str {
        &self.facts.description
    }

    fn probe(&self) -> Availability {
        let Handle { self_, table, peer } = &self.handle;
        let answer = match table.probe {
            // SAFETY: the object with its own function.
            Some(probe) => peer.call("probe of a backend", |out| unsafe { probe(*self_, out) }).and_then(|answer| answer.json()),
            None => Err(peer.broke("backend: function `probe` is NULL")),
        };
        answer.unwrap_or_else(|e| Availability::Unavailable { why: e.to_string(), mend: "report it to the plugin's author".into() })
    }

    fn accepts(&self) -> &[ArtifactKind] {
        &self.accepts
    }

    fn compile(&self, artifact: &Artifact, device: &Device, options: &Options) -> Result<Box<dyn Session>> {
        let Handle { self_, table, peer } = &self.handle;
        let compile = table.compile.ok_or_else(|| peer.broke("backend: function `compile` is NULL"))?;
        let (parcel, device, options) = (ArtifactParcel::new(artifact)?, device.to_string(), wire::to_json(options)?);
        let lent = parcel.lend();
        let mut session = ZooSession { self_: std::ptr::null_mut(), table: std::ptr::null() };
        // SAFETY: the object with its own function; the artifact and the texts live through the call.
        let call = |out: *const ZooReturn| unsafe {
            compile(*self_, &raw const lent, device.as_str().into(), options.as_str().into(), &raw mut session, out)
        };
        peer.call("compiling", call)?;
        // SAFETY: the plugin said it wrote the handle; a table that is still NULL is refused.
        Ok(Box::new(unsafe { ForeignSession::new(session, peer) }?))
    }
}
