//! NIR, the neuromorphic intermediate representation: graphs, `.nir` files (HDF5), and the way to and from [event graphs].
//!
//! NIR states differential equations. What a step of a simulator makes of them, the file does not say: neither the length
//! of a step, nor `>` against `>=`, nor whether a spike subtracts the threshold, nor how many spikes fit a step. A
//! [`Dialect`] answers these for one framework, and conversion always names one. What an event graph says and NIR can't
//! is a [`Loss`]; an export fails unless its kind was accepted.
//!
//! Source: the NIR paper (Pedersen et al., 2024) and the fields that the Python package `nir` 1.0.4 to 1.0.8 reads.
//!
//! ```
//! use zoo_core::Tensor;
//! use zoo_formats::event_graph::{EventGraph, Neuron, ReadoutRule, Source};
//! use zoo_formats::nir::{Dialect, NirGraph, NirOptions};
//!
//! let graph = EventGraph::builder(4)
//!     .input("x", [2], Source::Events)
//!     .linear("fc", "x", Tensor::from_vec([3, 2], vec![0.5f32; 6])?, None)
//!     .neuron("spikes", "fc", Neuron::leaky(0.5, 1.0))
//!     .readout("spikes", ReadoutRule::Sum)
//!     .build()?;
//! let options = NirOptions::new(Dialect::NirStrict).steps(4);
//! let (nir, losses) = NirGraph::from_event_graph(&graph, &options, &[])?;
//! assert!(losses.is_empty());
//! let bytes = nir.to_bytes()?;
//! let (back, _) = NirGraph::from_bytes("memory", bytes)?.to_event_graph(&options)?;
//! assert_eq!(back.steps, 4);
//! # Ok::<(), zoo_core::Error>(())
//! ```
//!
//! [event graphs]: crate::event_graph

mod dialect;
mod export;
mod flatten;
mod graph;
mod import;
mod neuron;
mod read;
mod write;

pub use dialect::{Dialect, Loss, LossKind, NirOptions};
pub use graph::{Conv, NirGraph, NirNode, Pool};

/// What a reader accepts at most, so that a hostile file can't exhaust memory.
pub mod limits {
    /// Bytes of a file.
    pub const FILE_BYTES: u64 = 1 << 30;
    /// Bytes of all arrays of a file, unpacked.
    pub const ARRAY_BYTES: u64 = 1 << 30;
    /// Bytes of arrays at most for each byte of the file: what deflate can reach.
    pub const COMPRESSION: u64 = 1032;
    /// Nodes of a file, over all nested graphs.
    pub const NODES: usize = 10_000;
    /// Edges of a graph.
    pub const EDGES: usize = 100_000;
    /// Bytes of a name, a type or another text.
    pub const TEXT_BYTES: u64 = 1 << 20;
    /// Depth of nested graphs.
    pub const DEPTH: usize = 16;
}

/// An error at a place of a graph.
fn at(place: &str, why: impl Into<String>) -> crate::Error {
    zoo_core::Error::artifact("nir", format!("node `{place}`"), why).into()
}
