//! The tests of this crate in one program: each more would be built and linked anew.

mod cmr;
mod geometry;
mod golden;
mod sim;
#[cfg(feature = "train")]
mod train;
