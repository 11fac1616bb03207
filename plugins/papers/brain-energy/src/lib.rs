//! Paper plugin: brain-energy.
