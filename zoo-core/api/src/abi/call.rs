//! Calls across the boundary: the guard around every exported function and the messages about the other side.

use super::answer::{Answer, Collector, Out};
use super::raw::*;
use super::serial::{Held, Serial};
use super::table;
use crate::error::{Error, Result};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The other side of the boundary.
#[derive(Clone, Debug)]
pub(super) struct Peer(Arc<Facts>);

#[derive(Debug)]
struct Facts {
    name: String,
    /// Whether its tensors are checked against what it declared.
    checked: bool,
    serial: Option<Serial>,
}

impl Peer {
    /// A plugin, by name or path.
    pub(super) fn plugin(name: &str, one_thread: bool) -> Self {
        Self(Arc::new(Facts { name: name.into(), checked: true, serial: one_thread.then(Serial::default) }))
    }

    /// Whoever called: the host, seen from a plugin.
    pub(super) fn caller() -> Self {
        static CALLER: std::sync::LazyLock<Peer> =
            std::sync::LazyLock::new(|| Peer(Arc::new(Facts { name: "(host)".into(), checked: false, serial: None })));
        CALLER.clone()
    }

    /// Whether to check what it hands over.
    pub(super) fn checked(&self) -> bool {
        self.0.checked
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.0.name
    }

    /// Waits for its turn, if it allows only one thread.
    pub(super) fn enter(&self) -> Option<Held<'_>> {
        self.0.serial.as_ref().map(Serial::enter)
    }

    /// The error for a breach of the ABI's rules.
    pub(super) fn broke(&self, message: impl Into<String>) -> Error {
        Error::Plugin { plugin: self.0.name.clone(), message: message.into() }
    }

    /// Calls a function of the other side and collects what it returns. `what` is for messages.
    pub(super) fn call(&self, what: &str, function: impl FnOnce(*const ZooReturn) -> i32) -> Result<Answer> {
        let _entered = self.enter();
        let mut collector = Collector::new(self, what);
        crate::dlpack::double_deletes();
        let code = function(&collector.receiver());
        let doubled = crate::dlpack::double_deletes();
        if doubled > 0 {
            return Err(self.broke(format!("{what}: called the deleter of a tensor {doubled} times too often")));
        }
        collector.finish(code)
    }
}

/// Runs the body of an exported function: results and errors go to `out`, a panic is caught.
///
/// # Safety
/// `out` is NULL or valid during the call.
pub(super) unsafe fn guard(out: *const ZooReturn, body: impl FnOnce(&Out) -> Result<()>) -> i32 {
    // SAFETY: valid by contract.
    let Ok(out) = (unsafe { table::read(out, &Peer::caller()) }) else { return ZOO_FAILED };
    let out = Out(out);
    match caught(|| body(&out)) {
        Ok(Ok(())) => ZOO_OK,
        Ok(Err(error)) => out.fail(&error),
        Err(message) => out.panicked(&message),
    }
}

/// Runs the body of an exported function that can't report; a panic is caught and gives `fallback`.
pub(super) fn guard_plain<R>(fallback: R, body: impl FnOnce() -> R) -> R {
    caught(body).unwrap_or(fallback)
}

fn caught<R>(body: impl FnOnce() -> R) -> Result<R, String> {
    let _inside = super::forward::Inside::enter();
    catch_unwind(AssertUnwindSafe(body)).map_err(message)
}

/// What a panic says.
fn message(payload: Box<dyn Any + Send>) -> String {
    let payload = match payload.downcast::<String>() {
        Ok(text) => return *text,
        Err(other) => other,
    };
    if let Some(text) = payload.downcast_ref::<&str>() {
        return (*text).into();
    }
    // The destructor of anything else may panic in turn; what it holds is not worth that.
    std::mem::forget(payload);
    "a panic without a message".into()
}
