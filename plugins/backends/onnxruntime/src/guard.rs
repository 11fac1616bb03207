//! Keeps `ort`'s panics and error type inside this crate.

use crate::NAME;
use std::panic::{AssertUnwindSafe, catch_unwind};
use zoo_core::{Error, Result};

/// Runs `f`; a panic or an error of ONNX Runtime becomes [`Error::Runtime`].
pub(crate) fn guard<T>(stage: &str, f: impl FnOnce() -> ort::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(runtime(stage, error.message())),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
            Err(runtime(stage, format!("the binding panicked: {}", text.unwrap_or("no message"))))
        }
    }
}

/// An [`Error::Runtime`] of this backend.
pub(crate) fn runtime(stage: &str, message: impl Into<String>) -> Error {
    Error::Runtime { backend: NAME.into(), stage: stage.into(), message: message.into() }
}
