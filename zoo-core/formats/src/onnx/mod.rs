//! ONNX: a builder that writes models, and a reader.
//!
//! [`Graph`] is the way to write: it checks every node against the operator's signature in the chosen opset, infers
//! shapes and element types, keeps free axes symbolic, and gives a [`zoo_core::Artifact`]. [`read`] is the way back.
//!
//! Operators are known by the table `signatures.txt`, made from the schemas of the `onnx` package; shape rules live in
//! `ops`, one file a family; the convenience methods for common layers in `layers`.

mod attribute;
mod control;
mod dims;
mod dtype;
mod external;
mod finish;
mod graph;
mod infer;
mod layers;
mod model;
mod node;
mod ops;
pub mod precision;
pub mod proto;
mod read;
mod scalar;
mod scan;
mod signature;
mod sound;
mod tensor;

pub use attribute::Attribute;
pub use dtype::{from_onnx as dtype_from_onnx, to_onnx as dtype_to_onnx};
pub use graph::{DEFAULT_OPSET, Graph, OPSETS, Value, ValueType};
pub use layers::{Conv, Pool, ResizeMode};
pub use model::Model;
pub use node::Node;
pub use read::{read, read_artifact, read_file, read_within};
pub use scan::Limits;
pub use tensor::{from_proto as tensor_from_proto, to_proto as tensor_to_proto};
