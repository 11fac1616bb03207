//! Paper plugin: mtt.
