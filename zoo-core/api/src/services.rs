//! What the host offers to a plugin while it works.

use crate::artifact::Artifact;
use crate::backend::Session;
use crate::config::Config;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::weights::Weights;
use serde::{Deserialize, Serialize};

/// Severity of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something is odd.
    Warn,
    /// Progress a user wants to see.
    Info,
    /// Detail for authors.
    Debug,
    /// Everything.
    Trace,
}

/// Log, progress and cancellation.
pub trait Reporter: Send + Sync {
    /// A log line.
    fn log(&self, level: Level, target: &str, message: &str);

    /// Progress of a named task: `done` of `total` in `unit`. Called as often as is convenient; the host thins it out.
    fn progress(&self, task: &str, done: u64, total: Option<u64>, unit: &str);

    /// Whether the user asked to stop.
    fn cancelled(&self) -> bool;

    /// Returns [`Error::Cancelled`] once the user asked to stop; call it in loops.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    fn check(&self) -> Result<()> {
        if self.cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }
}

impl<R: Reporter + ?Sized> Reporter for std::sync::Arc<R> {
    fn log(&self, level: Level, target: &str, message: &str) {
        (**self).log(level, target, message);
    }

    fn progress(&self, task: &str, done: u64, total: Option<u64>, unit: &str) {
        (**self).progress(task, done, total, unit);
    }

    fn cancelled(&self) -> bool {
        (**self).cancelled()
    }
}

/// A reporter that says nothing and never cancels.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Reporter for Silent {
    fn log(&self, _: Level, _: &str, _: &str) {}
    fn progress(&self, _: &str, _: u64, _: Option<u64>, _: &str) {}
    fn cancelled(&self) -> bool {
        false
    }
}

/// The host's workbench: everything a paper's own protocol may ask for.
pub trait Workbench: Reporter {
    /// Base seed of this run.
    fn seed(&self) -> u64;

    /// Greatest number of items to evaluate, if the user set one.
    fn limit(&self) -> Option<usize>;

    /// Name of the backend that was chosen for this run.
    fn backend(&self) -> &str;

    /// Opens a split of a registered data set, fetching it if need be.
    ///
    /// # Errors
    /// [`Error::Unknown`], or whatever fetching and opening find.
    fn dataset(&mut self, name: &str, split: &str) -> Result<Box<dyn Dataset>>;

    /// Compiles an artifact on the chosen backend.
    ///
    /// # Errors
    /// As [`crate::Backend::compile`].
    fn compile(&mut self, artifact: &Artifact) -> Result<Box<dyn Session>>;

    /// Compiles an artifact on a named backend.
    ///
    /// # Errors
    /// As [`crate::Backend::compile`]; [`Error::Unknown`] for a backend there is not.
    fn compile_on(&mut self, backend: &str, artifact: &Artifact) -> Result<Box<dyn Session>>;

    /// Weights and configuration of a registered model; `seed` picks one of several trained runs.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a model or seed there is not, or whatever fetching and reading find.
    fn weights(&mut self, model: &str, seed: Option<u64>) -> Result<(Weights, Config)>;

    /// This workbench as a plain reporter.
    fn reporter(&self) -> &dyn Reporter;
}
