//! The host: registry, plugin discovery, fetch and cache, evaluation, results and reports.

pub mod error;
pub mod fetch;
pub mod registry;

pub use error::{Error, Result};
