//! Data sets: neuromorphic.
