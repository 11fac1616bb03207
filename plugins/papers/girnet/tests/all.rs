//! The tests of this crate in one program: each more would be built and linked anew.

#[cfg(feature = "train")]
mod losses;
mod method;
mod phantom;
