//! What happens inside one unit in one step.

mod cells;
mod conv;
mod dense;
mod deposit;
mod emit;
mod split;
mod state;

pub use state::{Counters, Events, UnitState};

pub(crate) use cells::{Leak, advance, settle};
pub(crate) use deposit::{Work, deposit_all, deposit_events, fan_out};
pub(crate) use emit::emit;
pub(crate) use state::states;
