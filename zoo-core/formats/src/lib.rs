//! File formats of the zoo: ONNX, safetensors key maps, the event graph and NIR.
//!
//! The crate turns tensors and topologies into bytes and back. It knows no network, no argument parser, no runtime and
//! no training engine; what it reads is untrusted, so every declared size is checked against the bytes that are there.

pub mod digest;
mod error;
pub mod event_graph;
pub mod files;
pub mod keymap;
mod mmap;
pub mod nir;
pub mod onnx;
pub mod safetensors;
mod sniff;

pub use error::{Error, Result};
pub use keymap::KeyMap;
