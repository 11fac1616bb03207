//! A [`Trainer`] and a [`TrainSink`] of the other side.

use crate::abi::answer::Answer;
use crate::abi::args::WeightParcel;
use crate::abi::call::Peer;
use crate::abi::export::{lend_bench, lend_sink};
use crate::abi::raw::*;
use crate::abi::table::Handle;
use crate::abi::wire;
use crate::config::Config;
use crate::error::Result;
use crate::services::Workbench;
use crate::trainer::{TrainSink, Trainer};
use crate::weights::Weights;
use serde_json::Value;

/// Weights that came back: tensors, and their metadata as text.
pub(super) fn weights(answer: Answer) -> Result<Weights> {
    let metadata = answer.json_if_any()?.unwrap_or_default();
    Ok(Weights { tensors: answer.tensors.into_iter().collect(), metadata })
}

/// A trainer across the boundary.
pub(super) struct ForeignTrainer {
    handle: Handle<ZooTrainerTable>,
    model: String,
}

impl ForeignTrainer {
    /// # Safety
    /// The handle is valid and ours.
    pub(super) unsafe fn new(trainer: ZooTrainer, peer: &Peer) -> Result<Self> {
        // SAFETY: passed on.
        let handle: Handle<ZooTrainerTable> = unsafe { Handle::new(trainer.self_, trainer.table, peer) }?;
        let model = handle.table.model.ok_or_else(|| peer.broke("trainer: function `model` is NULL"))?;
        // SAFETY: the object with its own function.
        let model = peer.call("model of a trainer", |out| unsafe { model(handle.self_, out) })?.needed()?.to_string();
        Ok(Self { handle, model })
    }
}

impl Trainer for ForeignTrainer {
    fn model(&self) -> &str {
        &self.model
    }

    fn train(&self, config: &Config, seed: u64, bench: &mut dyn Workbench, sink: &mut dyn TrainSink) -> Result<Weights> {
        let Handle { self_, table, peer } = &self.handle;
        let train = table.train.ok_or_else(|| peer.broke("trainer: function `train` is NULL"))?;
        let config = wire::to_json(config)?;
        // SAFETY: the object with its own function; everything lent lives through the call.
        let call = |bench, sink, out: *const ZooReturn| unsafe { train(*self_, config.as_str().into(), seed, bench, sink, out) };
        weights(lend_bench(bench, |bench| lend_sink(sink, |sink| peer.call("training", |out| call(bench, sink, out))))?)
    }
}

/// A sink across the boundary.
pub(in crate::abi) struct ForeignSink(Handle<ZooTrainSinkTable>);

impl ForeignSink {
    /// # Safety
    /// The handle is lent by the caller for the time this object lives.
    pub(in crate::abi) unsafe fn lent(sink: ZooTrainSink) -> Result<Self> {
        // SAFETY: passed on.
        Ok(Self(unsafe { Handle::new(sink.self_, sink.table, &Peer::caller()) }?))
    }
}

impl TrainSink for ForeignSink {
    fn log(&mut self, line: Value) -> Result<()> {
        let Handle { self_, table, peer } = &self.0;
        let log = table.log.ok_or_else(|| peer.broke("training sink: function `log` is NULL"))?;
        let line = wire::to_json(&line)?;
        // SAFETY: the object with its own function; the text lives through the call.
        peer.call("training log", |out| unsafe { log(*self_, line.as_str().into(), out) }).map(drop)
    }

    fn save(&mut self, checkpoint: &Weights) -> Result<()> {
        let Handle { self_, table, peer } = &self.0;
        let save = table.save.ok_or_else(|| peer.broke("training sink: function `save` is NULL"))?;
        let mut parcel = WeightParcel::new(checkpoint)?;
        // SAFETY: as above.
        peer.call("saving a checkpoint", |out| unsafe { save(*self_, parcel.leave(), out) }).map(drop)
    }

    fn resume(&mut self) -> Result<Option<Weights>> {
        let Handle { self_, table, peer } = &self.0;
        let resume = table.resume.ok_or_else(|| peer.broke("training sink: function `resume` is NULL"))?;
        // SAFETY: as above.
        let answer = peer.call("reading a checkpoint", |out| unsafe { resume(*self_, out) })?;
        if answer.text()?.is_none() {
            return Ok(None);
        }
        weights(answer).map(Some)
    }
}
