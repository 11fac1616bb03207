//! Data sets: market.
