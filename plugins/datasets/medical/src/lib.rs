//! Data sets: medical.
