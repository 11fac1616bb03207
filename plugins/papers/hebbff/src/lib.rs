//! Paper plugin: hebbff.
