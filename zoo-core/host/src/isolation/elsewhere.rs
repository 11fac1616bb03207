//! Isolation where it is not there: it needs memory files that can be sealed and sockets that pass them on.

mod limits;

use crate::plugins::{Inspected, Refusal};
pub use limits::{Isolation, Limits};
use std::io;
use zoo_core::Plugin;

/// Refuses: a plugin is isolated on Linux only.
///
/// # Errors
/// Always.
pub fn serve() -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "plugins have processes of their own on Linux only"))
}

pub(crate) fn open(_: &Isolation, _: &Inspected) -> Result<Plugin, Refusal> {
    Err(Refusal::Unloadable("plugins have processes of their own on Linux only; --no-isolate opens it in this one".into()))
}

/// Nothing speaks the protocol here.
pub fn answered_by(_: &[u8]) {}
