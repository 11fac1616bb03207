//! The tests of this crate in one program: each more would be built and linked anew.

mod evaluate;
mod full_scale;
mod golden;
