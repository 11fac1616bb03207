//! The backend conformance suite: what every [`zoo_core::Backend`] must do, as checks over the trait.
//!
//! A [`Suite`] holds [`Fixture`]s, artifacts with inputs and the outputs they must give, made by an independent
//! implementation. [`run`] applies every check of [`CHECKS`] to a backend; a check looks only at fixtures whose kind the
//! backend accepts. [`onnx_suite`] reads the ONNX fixtures kept beside this crate, with the script that made them.
//!
//! # Adding a backend
//! 1. If it accepts ONNX, it needs nothing but a test of a few lines: see `tests/tract.rs`.
//! 2. If it accepts another kind, build a [`Suite`] for it: at least one fixture with a free batch axis and
//!    [`Fixture::batched`] set, one with several inputs if the kind allows that, and an [`Unsupported`] artifact if there
//!    are operators it may lack. Expected outputs come from another implementation or from a calculation written down
//!    beside them, never from the backend itself.
//! 3. `let report = run(&backend, &suite); assert!(report.failures.is_empty(), "{report}");`
//!
//! A check that finds no fixture it can use is listed in [`Report::skipped`]; nothing is skipped silently.

pub mod checks;
pub mod failure;
pub mod fixture;
pub mod tolerance;

pub use checks::{CHECKS, Check, Report, run};
pub use failure::Failure;
pub use fixture::{Case, Fixture, Suite, Unsupported, onnx_suite};
