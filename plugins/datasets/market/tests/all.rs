//! The tests of this crate in one program: each more would be built and linked anew.

mod common;
mod hostile;
mod look_ahead;
mod real;
