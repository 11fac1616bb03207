//! Side-by-side benchmarks, as functions that return rows of the `zoo.bench/1` schema.
//!
//! Both sides of a row run in one process call, in turns (A, B, A, B ...), on the same inputs and with the same number of
//! threads; a side's value is the median over its turns. Every turn begins with an untimed run, so that neither side pays
//! for caches and clocks that the other left behind.

mod executor;
mod host;
mod isolation;
mod python;
mod row;

pub use executor::{ExecutorReport, Goal, executor};
pub use host::{HostCase, host};
pub use isolation::{IsolationCase, isolation};
pub use python::{PythonCase, python_onnxruntime};
pub use row::{Better, Row, median};
