//! Opening exported files again with other tools, and comparing what they compute with what we do.
//!
//! For each ONNX graph a backend of ours runs it on a few real items, or on drawn inputs where the model has no data or does not
//! run that graph by itself; inputs and outputs go to a safetensors file. A Python script opens the exported file with
//! one tool after the other, feeds the inputs and compares. Weights are compared byte by byte, NIR graphs by their nodes.

mod case;
mod record;
mod report;
mod tools;

pub(super) use case::drawn;
pub use case::{Case, Checks, make_case};
pub use report::{Cell, State, VERIFY_SCHEMA, VerifyReport, VerifyRow};
pub use tools::{TOOLS, verify};
