//! Plugins from libraries: where they are looked for, which are trusted, how they are opened, made and checked.
//!
//! A library is looked at before it is opened, because opening one already runs its constructors: the file's head must
//! be that of a library for this machine, its export list must hold the plugin table, and its SHA-256 must be pinned
//! unless the workspace built it. Libraries are never unloaded: objects they made, and threads they started, may live on.
//!
//! A pin guards against a file that was replaced or damaged. It is no guard against somebody who can write to the file
//! between the check and the opening, or against what a trusted plugin does.

mod discover;
mod library;
mod loader;
mod refusal;
mod scaffold;
mod trust;
mod verify;

pub use discover::{Isolate, Pin, PluginSet, Prefer, Refused, Search, discover, open};
pub use library::{Inspected, inspect, sha256_of};
pub use loader::set_reporter;
pub(crate) use loader::{most, open as open_here, reporter};
pub use refusal::Refusal;
pub use scaffold::{Kind, scaffold};
pub use trust::trust;
pub use verify::{Check, Outcome, Report, verify};
pub(crate) use verify::{Patterns, Stopped};
