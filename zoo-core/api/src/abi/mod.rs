//! The plugin ABI: how models, data sets, backends and trainers cross the boundary of a shared library.
//!
//! [`raw`] is the boundary as C sees it; `include/zoo_plugin.h` is generated from it. Two sets of adapters do the rest:
//! `export` turns a Rust trait object into a handle with a table of functions, `import` turns such a handle back into a
//! trait object. Both sides use both: a plugin exports its models and imports the session that it is lent, the host the
//! other way round. So every trait has one adapter of each kind, and host and plugin cannot drift apart.
//!
//! Rules of the boundary:
//! - A panic never crosses. Every exported function runs under a guard that turns a panic into `ZOO_PANIC` and a message.
//! - Tensors cross as DLPack without a copy. Whoever receives one calls its deleter, once.
//! - Texts are UTF-8 by pointer and length, borrowed during the call; structured facts are JSON. Results are handed to
//!   the caller's `ZooReturn`, which copies texts, so nobody frees the other's memory.
//! - Errors cross as the variant with its fields and come out as the same [`crate::Error`].
//! - Tables start with their size. A reader takes what it knows of a longer table and treats what a shorter one lacks as
//!   absent; shorter than version 1.0 is refused.

mod answer;
mod args;
mod call;
mod entry;
mod error;
mod export;
mod forward;
mod import;
pub mod raw;
mod serial;
mod table;
mod wire;

pub use entry::{Entry, table};
pub use import::{check_table, load};
pub use raw::*;
pub use serial::{Held, Serial};

/// The JSON forms of what crosses, for a carrier other than a shared library: a process of its own.
pub mod json {
    pub use super::error::{decode as error_from, encode as error_to};
    pub use super::wire::{WireEstimate, WireMeasurements, WireOutcome, WireRequest};
}

/// Name of the exported table. Rust plugins append `__` and their crate's name.
pub const SYMBOL: &str = "zoo_plugin_table";
