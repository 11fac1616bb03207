//! Handles from the other side as Rust trait objects.

mod backend;
mod bench;
mod dataset;
mod metric;
mod model;
mod plugin;
mod session;
mod trainer;

pub(super) use bench::{ForeignReporter, ForeignWorkbench, level};
pub(super) use dataset::ForeignDataset;
pub(super) use metric::Metrics;
pub(super) use session::ForeignSession;
pub(super) use trainer::ForeignSink;

pub use plugin::{check_table, load};

use super::call::Peer;
use crate::error::{Error, Result};
use crate::spec::{TensorSpec, check_all};
use crate::tensor::Tensor;

/// Checks what a plugin hands over against what it declared.
fn declared(peer: &Peer, what: &str, specs: &[TensorSpec], tensors: &[Tensor]) -> Result<()> {
    if !peer.checked() {
        return Ok(());
    }
    check_all(what, specs, tensors).map_err(|e| peer.broke(format!("returned what it did not declare: {e}")))
}

/// The error for a function the other side leaves out.
fn not_offered(peer: &Peer, what: &str) -> Error {
    Error::NotOffered { who: format!("plugin {}", peer.name()), what: what.into(), hint: "the function is NULL in its table".into() }
}
