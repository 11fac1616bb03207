//! HebbFF and its modules: Gu, Mattar, Tang and Pan, "Emergence and reconfiguration of modular structure for synaptic
//! neural networks during continual familiarity detection", arXiv:2311.05862, on the network of Tyulmankov, Yang and
//! Abbott, Neuron 110(3):544-557 (2022).
//!
//! The method in one minute: a feed-forward network with one hidden layer sees a stream of random patterns and says of
//! each whether it came before ([`task`]). Its memory is a plastic matrix that every step adds the outer product of hidden
//! activity and input to ([`net`]). Training by back-propagation through time ([`bptt`]) sets the slow weights, the
//! plasticity rate and the decay. While it trains, snapshots are examined as networks: hidden units correlate within
//! windows ([`windows`]), windows are layers of a signed graph ([`multilayer`]), and modularity, communities and their
//! flexibility are found by a generalised Louvain method ([`louvain`]) and set beside the accuracy ([`study`]).
//!
//! Public code read: `gushiapi/flex_hebbff`, `gushiapi/MultiSliceNetworkTools`, `dtyulman/hebbff` (no licence file; nothing
//! was copied). The body of the paper was not read.

#![allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
#![allow(clippy::neg_cmp_op_on_partial_ord, reason = "negated comparisons catch NaN")]

pub mod bench;
pub mod bptt;
pub mod checkpoint;
pub mod claims;
pub mod config;
pub mod dataset;
pub mod det_hebb;
pub mod error;
pub mod export;
pub mod figures;
pub mod latency;
pub mod learn;
pub mod louvain;
pub mod lstm;
pub mod model;
pub mod modes;
pub mod multilayer;
pub mod net;
pub mod null_model;
pub mod random;
pub mod score;
pub mod stats;
pub mod study;
pub mod task;
pub mod torch_file;
#[cfg(feature = "train")]
pub mod train;
pub mod weights;
pub mod windows;

#[cfg(feature = "train")]
zoo_core::zoo_plugin! {
    name: "hebbff",
    models: [model::HebbFf::default()],
    datasets: [dataset::FamiliarityFactory],
    trainers: [train::HebbTrainer],
}

#[cfg(not(feature = "train"))]
zoo_core::zoo_plugin! {
    name: "hebbff",
    models: [model::HebbFf::default()],
    datasets: [dataset::FamiliarityFactory],
}
