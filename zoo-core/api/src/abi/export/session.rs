//! [`Session`] as C functions.

use super::{exclusive, free, own, shared};
use crate::abi::args;
use crate::abi::call::guard;
use crate::abi::raw::*;
use crate::backend::Session;
use crate::error::Result;
use serde_json::json;
use std::ffi::c_void;

type Dyn = dyn Session;

static OWNED: ZooSessionTable = ZooSessionTable {
    size: size_of::<ZooSessionTable>(),
    drop: Some(free::<Dyn>),
    describe: Some(describe),
    run: Some(run),
    stats: Some(stats),
    reset: Some(reset),
};
static LENT: ZooSessionTable = ZooSessionTable { drop: None, ..OWNED };
static VIEW: ZooSessionTable = ZooSessionTable { drop: None, run: None, reset: None, ..OWNED };

/// A session for the other side to keep.
pub(in crate::abi) fn session(session: Box<Dyn>) -> ZooSession {
    ZooSession { self_: own(session), table: &raw const OWNED }
}

/// Lends a session for the time of `body`.
pub(in crate::abi) fn lend_session<R>(session: &mut dyn Session, body: impl FnOnce(ZooSession) -> R) -> R {
    let mut cell: *mut (dyn Session + '_) = session;
    body(ZooSession { self_: (&raw mut cell).cast(), table: &raw const LENT })
}

/// Lends a session for looking at, for the time of `body`.
pub(in crate::abi) fn view_session<R>(session: &dyn Session, body: impl FnOnce(ZooSession) -> R) -> R {
    // The table of a view has no function that writes.
    let mut cell: *mut (dyn Session + '_) = std::ptr::from_ref(session).cast_mut();
    body(ZooSession { self_: (&raw mut cell).cast(), table: &raw const VIEW })
}

unsafe extern "C" fn describe(self_: *mut c_void, out: *const ZooReturn) -> i32 {
    // SAFETY: arguments are valid during the call, by the ABI.
    unsafe {
        guard(out, |out| {
            let session = shared::<Dyn>(self_);
            out.json(&json!({"inputs": session.inputs(), "outputs": session.outputs(), "metadata": session.metadata()}))
        })
    }
}

unsafe extern "C" fn run(self_: *mut c_void, inputs: ZooTensors, out: *const ZooReturn) -> i32 {
    // SAFETY: as above; the session is used by one thread at a time.
    unsafe {
        guard(out, |out| {
            let inputs: Vec<_> = args::tensors(inputs, "input")?.into_iter().map(|(_, tensor)| tensor).collect();
            out.tensors(exclusive::<Dyn>(self_).run(&inputs)?)
        })
    }
}

unsafe extern "C" fn stats(self_: *mut c_void, out: *const ZooReturn) -> i32 {
    // SAFETY: as above.
    unsafe { guard(out, |out| out.json(&shared::<Dyn>(self_).stats())) }
}

unsafe extern "C" fn reset(self_: *mut c_void, out: *const ZooReturn) -> i32 {
    // SAFETY: as above.
    unsafe {
        guard(out, |_| -> Result<()> {
            exclusive::<Dyn>(self_).reset();
            Ok(())
        })
    }
}
