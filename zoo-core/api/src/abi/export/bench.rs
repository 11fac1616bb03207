//! [`Reporter`] and [`Workbench`] as C functions.

use super::{dataset, exclusive, session, shared};
use crate::abi::args;
use crate::abi::call::{guard, guard_plain};
use crate::abi::entry::hand_over;
use crate::abi::import::level;
use crate::abi::raw::*;
use crate::abi::wire::{BenchFacts, WeightFacts};
use crate::services::{Reporter, Workbench};
use std::ffi::c_void;

type Dyn = dyn Workbench;

static REPORTER: ZooReporterTable = ZooReporterTable {
    size: size_of::<ZooReporterTable>(),
    log: Some(log::<Plain>),
    progress: Some(progress::<Plain>),
    cancelled: Some(cancelled::<Plain>),
};
/// The reporter of a workbench works on the workbench's own cell, anew in each call.
static BENCH_REPORTER: ZooReporterTable = ZooReporterTable {
    size: size_of::<ZooReporterTable>(),
    log: Some(log::<Bench>),
    progress: Some(progress::<Bench>),
    cancelled: Some(cancelled::<Bench>),
};
static BENCH: ZooWorkbenchTable = ZooWorkbenchTable {
    size: size_of::<ZooWorkbenchTable>(),
    reporter: Some(reporter),
    describe: Some(describe),
    dataset: Some(open),
    compile: Some(compile),
    weights: Some(weights),
};

/// Lends a reporter until the process ends.
pub(in crate::abi) fn lend_reporter(reporter: &'static dyn Reporter) -> ZooReporter {
    let cell: &'static mut *mut dyn Reporter = Box::leak(Box::new(std::ptr::from_ref(reporter).cast_mut()));
    ZooReporter { self_: std::ptr::from_mut(cell).cast(), table: &raw const REPORTER }
}

/// Lends a workbench for the time of `body`.
pub(in crate::abi) fn lend_bench<R>(bench: &mut dyn Workbench, body: impl FnOnce(ZooWorkbench) -> R) -> R {
    let mut cell: *mut (dyn Workbench + '_) = bench;
    body(ZooWorkbench { self_: (&raw mut cell).cast(), table: &raw const BENCH })
}

/// What kind of cell a reporter's functions work on.
trait Cell {
    /// # Safety
    /// `self_` points to a cell of this kind.
    unsafe fn reporter<'a>(self_: *mut c_void) -> &'a dyn Reporter;
}

struct Plain;

impl Cell for Plain {
    unsafe fn reporter<'a>(self_: *mut c_void) -> &'a dyn Reporter {
        // SAFETY: by contract.
        unsafe { shared::<dyn Reporter>(self_) }
    }
}

struct Bench;

impl Cell for Bench {
    unsafe fn reporter<'a>(self_: *mut c_void) -> &'a dyn Reporter {
        // SAFETY: by contract.
        unsafe { shared::<Dyn>(self_) }.reporter()
    }
}

unsafe extern "C" fn log<C: Cell>(self_: *mut c_void, severity: i32, target: ZooStr, message: ZooStr) {
    let text = |text| {
        // SAFETY: arguments are valid during the call, by the ABI.
        let raw = unsafe { args::bytes(text) };
        String::from_utf8_lossy(raw.unwrap_or_default())
    };
    // SAFETY: as above.
    guard_plain((), || unsafe { C::reporter(self_) }.log(level(severity), &text(target), &text(message)));
}

unsafe extern "C" fn progress<C: Cell>(self_: *mut c_void, task: ZooStr, done: u64, total: u64, unit: ZooStr) {
    guard_plain((), || {
        // SAFETY: as above.
        let (reporter, task, unit) = unsafe { (C::reporter(self_), args::text(task, "task"), args::text(unit, "unit")) };
        reporter.progress(task.unwrap_or("?"), done, (total > 0).then_some(total), unit.unwrap_or("?"));
    });
}

unsafe extern "C" fn cancelled<C: Cell>(self_: *mut c_void) -> i32 {
    // SAFETY: as above.
    guard_plain(0, || i32::from(unsafe { C::reporter(self_) }.cancelled()))
}

unsafe extern "C" fn reporter(self_: *mut c_void) -> ZooReporter {
    ZooReporter { self_, table: &raw const BENCH_REPORTER }
}

unsafe extern "C" fn describe(self_: *mut c_void, out: *const ZooReturn) -> i32 {
    // SAFETY: as above.
    unsafe {
        guard(out, |out| {
            let bench = shared::<Dyn>(self_);
            let limit = bench.limit().map(|n| n as u64);
            out.json(&BenchFacts { seed: bench.seed(), limit, backend: bench.backend().into() })
        })
    }
}

unsafe extern "C" fn open(self_: *mut c_void, name: ZooStr, split: ZooStr, opened: *mut ZooDataset, out: *const ZooReturn) -> i32 {
    // SAFETY: as above; the workbench is used by one thread at a time.
    unsafe {
        guard(out, |_| {
            let (name, split) = (args::text(name, "name of a data set")?, args::text(split, "split")?);
            hand_over(opened, dataset(exclusive::<Dyn>(self_).dataset(name, split)?))
        })
    }
}

unsafe extern "C" fn compile(
    self_: *mut c_void,
    backend: ZooStr,
    artifact: *const ZooArtifact,
    target: *mut ZooSession,
    out: *const ZooReturn,
) -> i32 {
    // SAFETY: as above.
    unsafe {
        guard(out, |_| {
            let (bench, artifact) = (exclusive::<Dyn>(self_), args::artifact(artifact)?);
            let compiled = match args::text(backend, "name of a backend")? {
                "" => bench.compile(&artifact)?,
                name => bench.compile_on(name, &artifact)?,
            };
            hand_over(target, session(compiled))
        })
    }
}

unsafe extern "C" fn weights(self_: *mut c_void, model: ZooStr, seed: *const u64, out: *const ZooReturn) -> i32 {
    // SAFETY: as above; `seed` is NULL or a number.
    unsafe {
        guard(out, |out| {
            let (weights, config) = exclusive::<Dyn>(self_).weights(args::text(model, "name of a model")?, seed.as_ref().copied())?;
            out.json(&WeightFacts { metadata: weights.metadata, config })?;
            weights.tensors.into_iter().try_for_each(|(name, tensor)| out.tensor(&name, tensor))
        })
    }
}
