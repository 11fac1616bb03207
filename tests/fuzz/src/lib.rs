//! What the fuzz targets of `fuzz/` do with their bytes.
//!
//! A target may return whatever it likes for hostile bytes; it must not panic, hang, or allocate more than the bytes
//! justify. Whatever is accepted goes on to the next stage, so that a reader that lets something bad through is found by
//! what stumbles over it. `fuzz/` holds the libFuzzer side; `tests/replay.rs` runs the corpus without it.

mod events;
mod graphs;
mod tables;

pub use events::{aedat4, dat, evt, nmnist, npz};
pub use graphs::{event_graph, nir, onnx, safetensors};
pub use tables::{idx, isolation, registry};

/// A target: its name, which is that of its folder in `fuzz/corpus`, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 12] = [
    ("idx", idx),
    ("nmnist", nmnist),
    ("dat", dat),
    ("aedat4", aedat4),
    ("evt", evt),
    ("npz", npz),
    ("nir", nir),
    ("safetensors", safetensors),
    ("onnx", onnx),
    ("event_graph", event_graph),
    ("registry", registry),
    ("isolation", isolation),
];
