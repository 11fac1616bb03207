//! Weights as safetensors files.
//!
//! Reading maps the file into memory and lets tensors stand on the map; writing gives the same bytes for the same
//! weights, whatever the order in which they were put together.

mod diagnose;
mod dtype;
mod read;
mod write;

pub use read::{from_bytes, read};
pub use write::{to_bytes, write_atomically};

#[cfg(test)]
mod tests;
