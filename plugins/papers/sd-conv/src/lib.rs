//! Paper plugin: sd-conv.
