//! The tests of this crate in one program: each more would be built and linked anew.

mod common;
mod export;
mod import;
mod losses;
#[cfg(feature = "train")]
mod run;
#[cfg(feature = "train")]
mod train;
