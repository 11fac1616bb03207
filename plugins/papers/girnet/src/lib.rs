//! GIRNet: registration of images with lesions by co-learning of generation, inpainting and registration.
//!
//! Paper: arXiv:2310.11040 (Liu and Gu; MICCAI 2023, pages 537 to 547). Public code read, not copied: `ly1998117/GIRNet`.
//!
//! The method in one minute: a lesion has no counterpart in a healthy atlas, so that plain registration distorts the tissue
//! around it. One network ([`network`], `mask_generator`) marks the lesion, a second (`inpainter`) fills it from the atlas warped
//! into the patient, and a third (`symnet`) registers; each learns from what the others do, without labels. Velocities become
//! displacements by scaling and squaring ([`field`]). Patients of the scaled reproduction are drawn by [`phantom`].

pub mod actions;
pub mod claims;
pub mod config;
pub mod evaluate;
pub mod export;
pub mod field;
pub mod figure;
pub mod full_scale;
pub mod import;
pub mod model;
pub mod network;
pub mod phantom;
#[cfg(feature = "train")]
pub mod train;

use model::{Family, Girnet};

#[cfg(feature = "train")]
zoo_core::zoo_plugin! {
    name: "girnet",
    models: [Girnet::new(Family::Girnet), Girnet::new(Family::Filled), Girnet::new(Family::Registration)],
    trainers: [
        train::GirnetTrainer(Family::Girnet),
        train::GirnetTrainer(Family::Filled),
        train::GirnetTrainer(Family::Registration)
    ],
}

#[cfg(not(feature = "train"))]
zoo_core::zoo_plugin! {
    name: "girnet",
    models: [Girnet::new(Family::Girnet), Girnet::new(Family::Filled), Girnet::new(Family::Registration)],
}
