//! Our own backends for ONNX.

use crate::zoo::Zoo;
use zoo_core::{Availability, Backend, Options};

/// The one that needs nothing installed comes first.
const NAMES: [&str; 2] = ["tract", "onnxruntime"];

/// Those that are ready, in order. A library that the options name is not looked for first, since probing would load another one for
/// the rest of the process.
pub(super) fn onnx_backends<'a>(zoo: &'a Zoo, options: &Options) -> Vec<&'a dyn Backend> {
    let named = |name: &str| options.extra.contains_key(&format!("{name}.lib"));
    let ready = |backend: &&dyn Backend| named(backend.name()) || matches!(backend.probe(), Availability::Ready { .. });
    NAMES.into_iter().filter_map(|name| zoo.backend(name).ok()).filter(ready).collect()
}
