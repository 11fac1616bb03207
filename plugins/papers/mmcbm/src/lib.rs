//! MMCBM: Wu and others, "A Concept-based Interpretable Model for the Diagnosis of Choroid Neoplasias using Multimodal Data",
//! arXiv:2403.05606. Public code read: `ly1998117/MMCBM`, not copied.
//!
//! The method in one minute: a black box classifies a patient from bags of images of several modalities ([`network`]). It is
//! frozen; one linear support-vector machine a concept ([`svm`], [`bank`]) turns image features into concept scores, and a
//! classifier whose weights lie between 0 and 1 turns scores into classes ([`head`]). So a diagnosis is a sum of votes that
//! can be read and, at test time, edited ([`explain`]). Images here are phantoms with known concepts ([`phantom`]).

#![allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "images have few pixels, and weights are f32")]

mod actions;
pub mod authors;
pub mod bank;
pub mod claims;
pub mod concepts;
pub mod config;
pub mod evaluate;
pub mod explain;
pub mod export;
pub mod full_scale;
pub mod head;
pub mod metrics;
pub mod model;
pub mod network;
pub mod phantom;
pub mod svm;
#[cfg(feature = "train")]
pub mod train;

#[cfg(feature = "train")]
zoo_core::zoo_plugin! { name: "mmcbm", models: [model::Mmcbm::default()], trainers: [train::CbmTrainer] }

#[cfg(not(feature = "train"))]
zoo_core::zoo_plugin! { name: "mmcbm", models: [model::Mmcbm::default()] }
