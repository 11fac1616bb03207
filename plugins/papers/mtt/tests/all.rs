//! The tests of this crate in one program: each more would be built and linked anew.

mod common;
mod export;
mod import;
#[cfg(feature = "train")]
mod train;
