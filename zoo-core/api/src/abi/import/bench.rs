//! A [`Reporter`] and a [`Workbench`] of the other side.

use super::dataset::ForeignDataset;
use super::session::ForeignSession;
use crate::abi::args::ArtifactParcel;
use crate::abi::call::Peer;
use crate::abi::raw::*;
use crate::abi::table::Handle;
use crate::abi::wire::{BenchFacts, WeightFacts};
use crate::artifact::Artifact;
use crate::backend::Session;
use crate::config::Config;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::services::{Level, Reporter, Workbench};
use crate::weights::Weights;

/// The severity of a number; unknown ones are detail.
pub(in crate::abi) fn level(number: i32) -> Level {
    match number {
        ZOO_LEVEL_ERROR => Level::Error,
        ZOO_LEVEL_WARN => Level::Warn,
        ZOO_LEVEL_INFO => Level::Info,
        ZOO_LEVEL_DEBUG => Level::Debug,
        _ => Level::Trace,
    }
}

/// The number of a severity.
pub(super) fn level_number(level: Level) -> i32 {
    match level {
        Level::Error => ZOO_LEVEL_ERROR,
        Level::Warn => ZOO_LEVEL_WARN,
        Level::Info => ZOO_LEVEL_INFO,
        Level::Debug => ZOO_LEVEL_DEBUG,
        Level::Trace => ZOO_LEVEL_TRACE,
    }
}

/// A reporter across the boundary.
pub(in crate::abi) struct ForeignReporter(Handle<ZooReporterTable>);

impl ForeignReporter {
    /// # Safety
    /// The handle is valid for the time this object lives.
    pub(in crate::abi) unsafe fn new(reporter: ZooReporter, peer: &Peer) -> Result<Self> {
        // SAFETY: passed on.
        Ok(Self(unsafe { Handle::new(reporter.self_, reporter.table, peer) }?))
    }
}

impl Reporter for ForeignReporter {
    fn log(&self, level: Level, target: &str, message: &str) {
        if let Some(log) = self.0.table.log {
            // SAFETY: the object with its own function; texts live through the call.
            unsafe { log(self.0.self_, level_number(level), target.into(), message.into()) };
        }
    }

    fn progress(&self, task: &str, done: u64, total: Option<u64>, unit: &str) {
        if let Some(progress) = self.0.table.progress {
            // SAFETY: as above.
            unsafe { progress(self.0.self_, task.into(), done, total.unwrap_or(0), unit.into()) };
        }
    }

    fn cancelled(&self) -> bool {
        // SAFETY: as above.
        self.0.table.cancelled.is_some_and(|cancelled| unsafe { cancelled(self.0.self_) } != 0)
    }
}

/// A workbench across the boundary.
pub(in crate::abi) struct ForeignWorkbench {
    handle: Handle<ZooWorkbenchTable>,
    reporter: ForeignReporter,
    facts: BenchFacts,
}

impl ForeignWorkbench {
    /// # Safety
    /// The handle is lent by the caller for the time this object lives.
    pub(in crate::abi) unsafe fn lent(bench: ZooWorkbench) -> Result<Self> {
        let peer = Peer::caller();
        // SAFETY: passed on.
        let handle: Handle<ZooWorkbenchTable> = unsafe { Handle::new(bench.self_, bench.table, &peer) }?;
        let (Some(reporter), Some(describe)) = (handle.table.reporter, handle.table.describe) else {
            return Err(peer.broke("workbench: a function is NULL"));
        };
        // SAFETY: the object with its own functions; the reporter lives as long as the workbench.
        let reporter = unsafe { ForeignReporter::new(reporter(handle.self_), &peer) }?;
        // SAFETY: as above.
        let facts = peer.call("facts of a workbench", |out| unsafe { describe(handle.self_, out) })?.json()?;
        Ok(Self { handle, reporter, facts })
    }

    fn compiled(&mut self, backend: &str, artifact: &Artifact) -> Result<Box<dyn Session>> {
        let Handle { self_, table, peer } = &self.handle;
        let compile = table.compile.ok_or_else(|| peer.broke("workbench: function `compile` is NULL"))?;
        let parcel = ArtifactParcel::new(artifact)?;
        let lent = parcel.lend();
        let mut session = ZooSession { self_: std::ptr::null_mut(), table: std::ptr::null() };
        // SAFETY: the object with its own function; artifact and text live through the call.
        let call = |out: *const ZooReturn| unsafe { compile(*self_, backend.into(), &raw const lent, &raw mut session, out) };
        peer.call("compiling", call)?;
        // SAFETY: written by the call; a table that is still NULL is refused.
        Ok(Box::new(unsafe { ForeignSession::new(session, peer) }?))
    }
}

impl Reporter for ForeignWorkbench {
    fn log(&self, level: Level, target: &str, message: &str) {
        self.reporter.log(level, target, message);
    }

    fn progress(&self, task: &str, done: u64, total: Option<u64>, unit: &str) {
        self.reporter.progress(task, done, total, unit);
    }

    fn cancelled(&self) -> bool {
        self.reporter.cancelled()
    }
}

impl Workbench for ForeignWorkbench {
    fn seed(&self) -> u64 {
        self.facts.seed
    }

    fn limit(&self) -> Option<usize> {
        self.facts.limit.map(|n| usize::try_from(n).unwrap_or(usize::MAX))
    }

    fn backend(&self) -> &str {
        &self.facts.backend
    }

    fn dataset(&mut self, name: &str, split: &str) -> Result<Box<dyn Dataset>> {
        let Handle { self_, table, peer } = &self.handle;
        let dataset = table.dataset.ok_or_else(|| peer.broke("workbench: function `dataset` is NULL"))?;
        let mut opened = ZooDataset { self_: std::ptr::null_mut(), table: std::ptr::null() };
        // SAFETY: the object with its own function; texts live through the call.
        let call = |out: *const ZooReturn| unsafe { dataset(*self_, name.into(), split.into(), &raw mut opened, out) };
        peer.call("opening a data set", call)?;
        // SAFETY: written by the call; a table that is still NULL is refused.
        Ok(Box::new(unsafe { ForeignDataset::new(opened, peer) }?))
    }

    fn compile(&mut self, artifact: &Artifact) -> Result<Box<dyn Session>> {
        self.compiled("", artifact)
    }

    fn compile_on(&mut self, backend: &str, artifact: &Artifact) -> Result<Box<dyn Session>> {
        self.compiled(backend, artifact)
    }

    fn weights(&mut self, model: &str, seed: Option<u64>) -> Result<(Weights, Config)> {
        let Handle { self_, table, peer } = &self.handle;
        let weights = table.weights.ok_or_else(|| peer.broke("workbench: function `weights` is NULL"))?;
        let seed = seed.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: the object with its own function; text and seed live through the call.
        let answer = peer.call("weights of a model", |out| unsafe { weights(*self_, model.into(), seed, out) })?;
        let facts: WeightFacts = answer.json()?;
        Ok((Weights { tensors: answer.tensors.into_iter().collect(), metadata: facts.metadata }, facts.config))
    }

    fn reporter(&self) -> &dyn Reporter {
        &self.reporter
    }
}
