//! The tests of this crate in one program: each more would be built and linked anew.

#[cfg(feature = "train")]
mod golden_layers;
#[cfg(feature = "train")]
mod golden_neurons;
#[cfg(feature = "train")]
mod golden_optim;
#[cfg(feature = "train")]
mod golden_registration;
#[cfg(feature = "train")]
mod golden_snn;
#[cfg(feature = "train")]
mod resume;
#[cfg(feature = "train")]
mod support;
