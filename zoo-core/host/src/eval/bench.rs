//! The workbench that the host hands to a plugin's own protocol.

use crate::zoo::Zoo;
use zoo_core::{Artifact, Config, Dataset, Device, Level, Options, Reporter, Result, Session, Weights, Workbench};

/// A workbench over a zoo, for one run on one backend.
pub struct Bench<'a> {
    /// The zoo that data sets, weights and backends come from.
    pub zoo: &'a Zoo,
    /// Name of the run's backend.
    pub backend: &'a str,
    /// Where sessions run.
    pub device: Device,
    /// How sessions are compiled.
    pub options: &'a Options,
    /// Base seed.
    pub seed: u64,
    /// Greatest number of items to evaluate.
    pub limit: Option<usize>,
    /// Where log and progress go.
    pub reporter: &'a dyn Reporter,
}

impl Reporter for Bench<'_> {
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

impl Workbench for Bench<'_> {
    fn seed(&self) -> u64 {
        self.seed
    }

    fn limit(&self) -> Option<usize> {
        self.limit
    }

    fn backend(&self) -> &str {
        self.backend
    }

    fn dataset(&mut self, name: &str, split: &str) -> Result<Box<dyn Dataset>> {
        self.zoo.dataset(name, split, &Config::default(), self.reporter)
    }

    fn compile(&mut self, artifact: &Artifact) -> Result<Box<dyn Session>> {
        self.compile_on(self.backend, artifact)
    }

    fn compile_on(&mut self, backend: &str, artifact: &Artifact) -> Result<Box<dyn Session>> {
        self.zoo.backend(backend)?.compile(artifact, &self.device, self.options)
    }

    fn weights(&mut self, model: &str, seed: Option<u64>) -> Result<(Weights, Config)> {
        let found = self.zoo.model(model, self.reporter)?;
        let (weights, _) = self.zoo.weights(&found, seed, self.reporter)?;
        Ok((weights, found.config))
    }

    fn reporter(&self) -> &dyn Reporter {
        self.reporter
    }
}
