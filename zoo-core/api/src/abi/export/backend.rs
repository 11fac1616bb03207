//! [`Backend`] as C functions.

use super::{free, own, session, shared};
use crate::abi::args;
use crate::abi::call::guard;
use crate::abi::entry::hand_over;
use crate::abi::raw::*;
use crate::abi::wire::{BackendFacts, kind_names};
use crate::backend::{Backend, Options};
use std::ffi::c_void;

type Dyn = dyn Backend;

static OWNED: ZooBackendTable = ZooBackendTable {
    size: size_of::<ZooBackendTable>(),
    drop: Some(free::<Dyn>),
    describe: Some(describe),
    probe: Some(probe),
    compile: Some(compile),
};

/// A backend for the other side to keep.
pub(in crate::abi) fn backend(backend: Box<Dyn>) -> ZooBackend {
    ZooBackend { self_: own(backend), table: &raw const OWNED }
}

unsafe extern "C" fn describe(self_: *mut c_void, out: *const ZooReturn) -> i32 {
    // SAFETY: arguments are valid during the call, by the ABI.
    unsafe {
        guard(out, |out| {
            let backend = shared::<Dyn>(self_);
            let accepts = kind_names(backend.accepts());
            out.json(&BackendFacts { name: backend.name().into(), description: backend.description().into(), accepts })
        })
    }
}

unsafe extern "C" fn probe(self_: *mut c_void, out: *const ZooReturn) -> i32 {
    // SAFETY: as above.
    unsafe { guard(out, |out| out.json(&shared::<Dyn>(self_).probe())) }
}

unsafe extern "C" fn compile(
    self_: *mut c_void,
    artifact: *const ZooArtifact,
    device: ZooStr,
    options: ZooStr,
    target: *mut ZooSession,
    out: *const ZooReturn,
) -> i32 {
    // SAFETY: as above.
    unsafe {
        guard(out, |_| {
            let artifact = args::artifact(artifact)?;
            let device = args::text(device, "device")?.parse()?;
            let options: Options = args::json(options, "options of a backend")?;
            hand_over(target, session(shared::<Dyn>(self_).compile(&artifact, &device, &options)?))
        })
    }
}
