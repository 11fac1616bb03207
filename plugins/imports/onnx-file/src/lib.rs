//! Plugin: somebody else's ONNX file as a model, by the registry alone.
//!
//! A `[[model]]` with a key `onnx` needs no plugin of its own. Its `config` says, for each input of the graph, which field
//! of the data it is made from and by which [steps](config::Step), and, for each output, what is done with it:
//!
//! ```toml
//! [[model]]
//! name = "magika/standard-v3-3"
//! onnx = { pip = "magika", version = "1.0.3", file = "magika/models/standard_v3_3/model.onnx", bytes = 3163737, sha256 = "..." }
//! labels = { pip = "magika", version = "1.0.3", file = "magika/models/standard_v3_3/config.min.json", bytes = 2141, sha256 = "..." }
//! backends = ["onnxruntime"]
//!
//! [model.config]
//! licence = "Apache-2.0"
//! inputs = [{ name = "bytes", field = "content", steps = [{ ends = { first = 1024, last = 1024, padding = 256, block = 4096 } }] }]
//! outputs = [{ name = "target_label", top = 3, labels = "/target_labels_space" }]
//! ```
//!
//! A text model names its tokeniser, `tokenizer = { pip = ..., file = "tokenizer.json", ... }`, and uses it in steps:
//! `{ name = "input_ids", field = "text", steps = [{ tokenise = { length = 128 } }] }`, with `gives = "mask"` for the attention mask.
//!
//! `cargo xtask run MODEL predict FIELD=FILE` predicts one item; with a `dataset` and a `label` in the config,
//! `fetch-and-eval` measures its accuracy.

#![forbid(unsafe_code)]

pub mod config;
mod model;
mod pixels;
mod post;
mod steps;
mod text;

pub use model::OnnxFile;

zoo_core::zoo_plugin! { name: "onnx-file", models: [OnnxFile::default()] }
