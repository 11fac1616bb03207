//! The messages of the ONNX intermediate representation, as prost types.
//!
//! `generated.rs` comes from the `onnx.proto` of the PyPI package `onnx`; `zoo-core/formats/generate` re-makes it.
//! Every field of the schema is there, so a model that is decoded and encoded again loses nothing but fields that the
//! schema does not know.

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::doc_markdown, reason = "generated; documented in onnx.proto")]
mod generated;

pub use generated::*;

impl StringStringEntryProto {
    /// An entry with both parts set.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: Some(key.into()), value: Some(value.into()) }
    }
}
