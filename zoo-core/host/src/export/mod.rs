//! Exporting whole models: a folder with every format and graph, and a model card that the Hugging Face hub reads.
//!
//! ```text
//! OUT/paper/model/README.md            the card
//! OUT/paper/model/model.safetensors    weights
//! OUT/paper/model/onnx/*.onnx          graphs
//! OUT/paper/model/onnx/opset-N/*.onnx  the same in every opset, where asked for
//! OUT/paper/model/event/*, nir/*       of spiking models
//! ```

mod backends;
mod card;
mod folder;
mod header;
mod opsets;
mod precision;
mod published;
mod report;
pub mod verify;

pub use card::{Card, CardGraph};
pub use folder::{CARD, Exported, FolderOptions, Graph, Written, export_model};
pub use header::{read_header, read_header_of, write_header};
pub use opsets::{Found, OPSETS_SCHEMA, OpsetReport, OpsetRow, sweep_opsets};
pub use precision::{Precision, in_precision};
pub use published::{PublishedRun, PublishedRuns};
pub use report::{ExportReport, ExportRow, SCHEMA};
