//! Paper plugin: imaging-planes.
