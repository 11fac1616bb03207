//! Keeps tract's panics and error type inside this crate.

use crate::NAME;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tract_onnx::prelude::TractResult;
use zoo_core::{Error, Result};

/// Runs `f`; a panic or an error of tract becomes [`Error::Runtime`]. Whatever `f` was changing must be thrown away
/// after an error.
pub(crate) fn guard<T>(stage: &str, f: impl FnOnce() -> TractResult<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(runtime(stage, format!("{error:#}"))),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
            Err(runtime(stage, format!("tract panicked: {}", text.unwrap_or("no message"))))
        }
    }
}

/// An [`Error::Runtime`] of this backend. Tract prints whole nodes in its messages, so they are cut.
pub(crate) fn runtime(stage: &str, message: impl Into<String>) -> Error {
    const LONGEST: usize = 1000;
    let mut message = message.into();
    if message.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|&i| message.is_char_boundary(i)).unwrap_or(0);
        message.truncate(end);
        message.push_str(" ...");
    }
    Error::Runtime { backend: NAME.into(), stage: stage.into(), message }
}
