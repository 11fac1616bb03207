//! [`Trainer`] and [`TrainSink`] as C functions.

use super::{exclusive, free, own, shared};
use crate::abi::answer::Out;
use crate::abi::args;
use crate::abi::call::guard;
use crate::abi::import::{ForeignSink, ForeignWorkbench};
use crate::abi::raw::*;
use crate::error::Result;
use crate::trainer::{TrainSink, Trainer};
use crate::weights::Weights;
use std::ffi::c_void;

type Dyn = dyn Trainer;
type Sink = dyn TrainSink;

static OWNED: ZooTrainerTable =
    ZooTrainerTable { size: size_of::<ZooTrainerTable>(), drop: Some(free::<Dyn>), model: Some(model), train: Some(train) };
static SINK: ZooTrainSinkTable =
    ZooTrainSinkTable { size: size_of::<ZooTrainSinkTable>(), log: Some(log), save: Some(save), resume: Some(resume) };

/// A trainer for the other side to keep.
pub(in crate::abi) fn trainer(trainer: Box<Dyn>) -> ZooTrainer {
    ZooTrainer { self_: own(trainer), table: &raw const OWNED }
}

/// Lends a sink for the time of `body`.
pub(in crate::abi) fn lend_sink<R>(sink: &mut dyn TrainSink, body: impl FnOnce(ZooTrainSink) -> R) -> R {
    let mut cell: *mut (dyn TrainSink + '_) = sink;
    body(ZooTrainSink { self_: (&raw mut cell).cast(), table: &raw const SINK })
}

/// Hands weights to the caller.
pub(super) fn weights(out: &Out, weights: Weights) -> Result<()> {
    out.json(&weights.metadata)?;
    weights.tensors.into_iter().try_for_each(|(name, tensor)| out.tensor(&name, tensor))
}

unsafe extern "C" fn model(self_: *mut c_void, out: *const ZooReturn) -> i32 {
    // SAFETY: arguments are valid during the call, by the ABI.
    unsafe { guard(out, |out| out.text(shared::<Dyn>(self_).model())) }
}

unsafe extern "C" fn train(
    self_: *mut c_void,
    config: ZooStr,
    seed: u64,
    bench: ZooWorkbench,
    sink: ZooTrainSink,
    out: *const ZooReturn,
) -> i32 {
    // SAFETY: as above.
    unsafe {
        guard(out, |out| {
            let (mut bench, mut sink) = (ForeignWorkbench::lent(bench)?, ForeignSink::lent(sink)?);
            weights(out, shared::<Dyn>(self_).train(&args::config(config)?, seed, &mut bench, &mut sink)?)
        })
    }
}

unsafe extern "C" fn log(self_: *mut c_void, line: ZooStr, out: *const ZooReturn) -> i32 {
    // SAFETY: as above; the sink is used by one thread at a time.
    unsafe { guard(out, |_| exclusive::<Sink>(self_).log(args::json(line, "line of a training log")?)) }
}

unsafe extern "C" fn save(self_: *mut c_void, checkpoint: ZooWeights, out: *const ZooReturn) -> i32 {
    // SAFETY: as above.
    unsafe { guard(out, |_| exclusive::<Sink>(self_).save(&args::weights(checkpoint)?)) }
}

unsafe extern "C" fn resume(self_: *mut c_void, out: *const ZooReturn) -> i32 {
    // SAFETY: as above.
    unsafe {
        guard(out, |out| match exclusive::<Sink>(self_).resume()? {
            Some(checkpoint) => weights(out, checkpoint),
            None => Ok(()),
        })
    }
}
