//! Data sets: neuro.
