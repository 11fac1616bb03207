//! Evaluation: a model, a backend, a data set; measurements beside what the paper claimed.

mod batches;
mod bench;
mod claims;
mod run;

pub use batches::{LoopOutcome, evaluate_batches, shard_range};
pub use bench::Bench;
pub use claims::figures_of;
pub use run::{EvalOptions, evaluate};
