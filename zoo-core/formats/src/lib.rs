//! File formats of the zoo: ONNX, safetensors key maps, the event graph and NIR.

pub mod event_graph;
