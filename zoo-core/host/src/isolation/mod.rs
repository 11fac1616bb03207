//! Plugins in processes of their own.
//!
//! A library from elsewhere may do what a library can: follow a wild pointer, exit, run for ever, ask for all memory. Here
//! it does so in a child of this program, and the host sees an error of the call it happened in. The child is this very
//! program, started anew ([`serve`]); the host has the plugin's objects as ordinary trait objects and cannot tell
//! them from those of a linked plugin, save by what they cost.
//!
//! - `protocol` says what crosses: frames of JSON and descriptions of tensors. Elements lie in shared memory (`mmap`).
//! - `lane` carries calls that nest: a model that is asked to predict runs the host's session meanwhile.
//! - `parent` is the host's side, `child` the plugin's; both use `message`.
//!
//! This is a guard against faults, not against malice: the child has the user's rights, files and network. What it says is
//! checked all the same, since a plugin with a wild pointer says anything.

mod child;
mod fault;
mod lane;
mod limits;
mod message;
mod mmap;
mod parent;
mod protocol;
mod words;

pub use child::serve;
pub use fault::Fault;
pub use limits::{Isolation, Limits};
pub use parent::answered_by;
pub(crate) use parent::open;
