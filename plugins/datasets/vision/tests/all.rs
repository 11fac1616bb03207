//! The tests of this crate in one program: each more would be built and linked anew.

mod cifar;
mod common;
mod hub;
mod idx;
