//! Paper plugin: girnet.
