//! A workbench for tests: it remembers what it is told and hands out what it was given.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use zoo_core::{
    Artifact, Backend, Config, DataFiles, Dataset, DatasetFactory, Device, Error, Level, Options, Reporter, Result, Session, Weights,
    Workbench,
};

/// A workbench over one factory and one backend.
pub struct TestBench<'a> {
    /// Opens data sets.
    pub factory: &'a dyn DatasetFactory,
    /// Compiles.
    pub backend: &'a dyn Backend,
    /// Weights by model.
    pub weights: BTreeMap<String, Weights>,
    /// Log lines and progress, in order.
    pub said: Mutex<Vec<String>>,
    /// Whether the user asked to stop.
    pub stop: AtomicBool,
}

impl<'a> TestBench<'a> {
    /// A bench without weights.
    pub fn new(factory: &'a dyn DatasetFactory, backend: &'a dyn Backend) -> Self {
        Self { factory, backend, weights: BTreeMap::new(), said: Mutex::default(), stop: AtomicBool::new(false) }
    }

    /// What was said so far.
    ///
    /// # Panics
    /// If a thread panicked while it spoke.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }
}

impl Reporter for TestBench<'_> {
    fn log(&self, level: Level, target: &str, message: &str) {
        self.said.lock().unwrap().push(format!("{level:?} {target}: {message}"));
    }

    fn progress(&self, task: &str, done: u64, total: Option<u64>, unit: &str) {
        self.said.lock().unwrap().push(format!("{task} {done}/{total:?} {unit}"));
    }

    fn cancelled(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

impl Workbench for TestBench<'_> {
    fn seed(&self) -> u64 {
        u64::MAX - 1
    }

    fn limit(&self) -> Option<usize> {
        Some(5)
    }

    fn backend(&self) -> &str {
        self.backend.name()
    }

    fn dataset(&mut self, name: &str, split: &str) -> Result<Box<dyn Dataset>> {
        self.factory.open(name, split, &DataFiles::default(), &Config::default())
    }

    fn compile(&mut self, artifact: &Artifact) -> Result<Box<dyn Session>> {
        self.backend.compile(artifact, &Device::Cpu, &Options::default())
    }

    fn compile_on(&mut self, backend: &str, artifact: &Artifact) -> Result<Box<dyn Session>> {
        if backend != self.backend.name() {
            return Err(Error::Unknown { kind: "backend", name: backend.into(), hint: format!("there is {}", self.backend.name()) });
        }
        self.compile(artifact)
    }

    fn weights(&mut self, model: &str, seed: Option<u64>) -> Result<(Weights, Config)> {
        let config = Config::default().with("seed", seed).with("tenth", 0.1);
        let weights = self.weights.get(model).cloned();
        let unknown = || Error::Unknown { kind: "model", name: model.into(), hint: "the bench has other weights".into() };
        weights.map(|weights| (weights, config)).ok_or_else(unknown)
    }

    fn reporter(&self) -> &dyn Reporter {
        self
    }
}
