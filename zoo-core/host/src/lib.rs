//! The host: registry, plugin discovery, fetch and cache, evaluation, results and reports.

pub mod error;
pub mod eval;
pub mod export;
pub mod fetch;
pub mod files;
#[cfg(target_os = "linux")]
pub mod isolation;
#[cfg(not(target_os = "linux"))]
#[path = "isolation/elsewhere.rs"]
pub mod isolation;
pub mod plugins;
pub mod progress;
pub mod push;
pub mod registry;
pub mod results;
pub mod zoo;

pub use error::{Error, Result};
