//! The tests of this crate in one program: each more would be built and linked anew.

mod backends;
mod golden;
mod import;
mod properties;
