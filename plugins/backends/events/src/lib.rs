//! Backend `events`: spiking networks run event by event.
//!
//! Input is the zoo's event graph ([`zoo_formats::event_graph`]) or NIR, read by a named dialect. Four modes: `tick_sync` (all events of a step through
//! one layer, then the next; equal entry for entry to a clocked run), `async_bfs` and `async_dfs` (one event at a time)
//! and `clocked` (a dense reference, written apart). Three precisions: `f32`, `f64`, and `i8` weights with saturating
//! `i16` membranes.
//!
//! # Order of summation
//! Float sums are bit-equal between `tick_sync` (with and without vector instructions, following events or dense) and
//! `clocked`: a current starts from its biases, then takes products by ascending input position (y, x, channel), each
//! product rounded before it is added; the membrane then decays, and the current is added last.

pub mod bench;
pub mod cost;
pub mod layers;
pub mod modes;
mod nir;
pub mod num;
pub mod plan;
mod session;
pub mod settings;
pub mod stream;
pub mod trace;

pub use layers::Counters;
pub use modes::{Compiled, Feed, Impulse, Outcome, execute};
pub use session::{EventSession, Events};
pub use settings::Settings;

zoo_core::zoo_plugin! { name: "events", backends: [Events] }
