//! The tests of this crate in one program: each more would be built and linked anew.

mod cache;
mod hub;
mod hub_faults;
mod loopback;
mod model_card;
#[cfg(unix)]
mod packages;
mod push;
#[cfg(unix)]
mod verify_tools;
