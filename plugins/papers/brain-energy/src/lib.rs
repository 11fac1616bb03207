//! Control energy of dynamic functional connectivity: Deng, Li, Yeo and Gu, "Control theory illustrates the energy
//! efficiency in the dynamic reconfiguration of functional connectivity", arXiv:2201.02340, Communications Biology 5:295
//! (2022).
//!
//! The method in one breath: the correlation matrix of a recording becomes the coupling of a linear system
//! ([`energy::normalise`]); driving the observed transitions through a control set costs energy ([`energy::System`]); the
//! same transitions are driven once with the connectivity of the whole recording and once with that of their own window
//! ([`study`]). Only the paper's abstract could be read: windows, horizon, normalisation and states are our choices, each
//! a key of the configuration. No code or checkpoint of the authors was found.

#![allow(clippy::cast_precision_loss, reason = "counts of regions and samples stay far below 2^53")]
#![allow(clippy::neg_cmp_op_on_partial_ord, reason = "negated comparisons catch NaN")]

pub mod atlas;
pub mod claims;
pub mod connectivity;
pub mod control;
pub mod energy;
pub mod error;
pub mod export;
pub mod figures;
pub mod general;
pub mod graph;
pub mod model;
pub mod planted;
pub mod portrait;
pub mod predict;
pub mod settings;
pub mod stats;
pub mod study;
pub mod surrogate;
pub mod transitions;

zoo_core::zoo_plugin! { name: "brain-energy", models: [model::BrainEnergy::default()] }
