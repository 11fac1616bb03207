//! The tests of this crate in one program: each more would be built and linked anew.
#![cfg(feature = "train")]

mod golden_layers;
mod golden_neurons;
mod golden_optim;
mod golden_registration;
mod golden_snn;
mod resume;
mod support;
