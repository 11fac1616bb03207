//! Trainers in another process.

use super::Isolated;
use super::lent::{Lent, bench_facts};
use crate::isolation::message::{Call, WeightsHead};
use std::sync::Arc;
use zoo_core::{Config, Result, TrainSink, Trainer, Weights, Workbench};

pub(super) struct RemoteTrainer {
    isolated: Arc<Isolated>,
    index: usize,
}

impl RemoteTrainer {
    pub(super) fn new(isolated: Arc<Isolated>, index: usize) -> Self {
        Self { isolated, index }
    }
}

impl Trainer for RemoteTrainer {
    fn model(&self) -> &str {
        &self.isolated.offer.trainers[self.index]
    }

    fn train(&self, config: &Config, seed: u64, bench: &mut dyn Workbench, sink: &mut dyn TrainSink) -> Result<Weights> {
        let process = self.isolated.process()?;
        let facts = bench_facts(bench);
        let lent = Lent { bench: Some(bench), sink: Some(sink), ..Lent::default() };
        let call = Call::Train { trainer: self.index, config: config.clone(), seed, bench: facts };
        let (head, tensors) = process.call::<WeightsHead>("training", &[], lent, |_, _| call)?;
        head.join(tensors)
    }
}
