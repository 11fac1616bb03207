//! The checks, and the runner that applies them.

mod concurrency;
mod hostile;
mod refusals;
mod values;

use crate::failure::Failure;
use crate::fixture::{Case, Fixture, Suite};
use std::panic::{AssertUnwindSafe, catch_unwind};
use zoo_core::{Backend, Device, Options, Session, Tensor};

/// A named rule.
#[derive(Clone, Copy)]
pub struct Check {
    /// Name, unique.
    pub name: &'static str,
    /// Applies the rule.
    pub apply: fn(&dyn Backend, &Suite) -> Result<(), Failure>,
}

/// Every check, in the order of [`run`].
pub const CHECKS: &[Check] = &[
    Check { name: "outputs are as expected", apply: values::expected },
    Check { name: "specs tell names, types, shapes and metadata", apply: values::specs },
    Check { name: "equal inputs give equal bits", apply: values::deterministic },
    Check { name: "a batch is its items", apply: values::batch_invariant },
    Check { name: "batch sizes may change from run to run", apply: values::any_batch },
    Check { name: "reset leaves a stateless graph as it is, and runs are counted", apply: values::reset },
    Check { name: "the number of threads does not matter", apply: values::threads },
    Check { name: "a wrong number of inputs is refused", apply: refusals::count },
    Check { name: "a wrong element type is refused", apply: refusals::dtype },
    Check { name: "a wrong shape is refused", apply: refusals::shape },
    Check { name: "free axes of one name must agree", apply: refusals::disagreeing_axes },
    Check { name: "an artifact of another kind is refused", apply: refusals::kind },
    Check { name: "an artifact without files is refused", apply: refusals::no_files },
    Check { name: "an artifact without its data is refused", apply: hostile::missing_data },
    Check { name: "unknown options are refused, those of others ignored", apply: refusals::options },
    Check { name: "an absent device is refused", apply: refusals::device },
    Check { name: "an unsupported operator is named", apply: refusals::operator },
    Check { name: "bytes of another format are refused", apply: hostile::other_bytes },
    Check { name: "a cut artifact is refused or read, never a crash", apply: hostile::truncated },
    Check { name: "a damaged artifact is refused or read, never a crash", apply: hostile::damaged },
    Check { name: "sessions do not touch each other", apply: concurrency::interleaved },
    Check { name: "sessions run in threads of their own", apply: concurrency::threads },
    Check { name: "one backend compiles in several threads", apply: concurrency::compile },
];

/// What a run of the suite found.
#[derive(Debug, Default)]
pub struct Report {
    /// Names of the checks that passed.
    pub passed: Vec<&'static str>,
    /// Names of the checks that found nothing to check.
    pub skipped: Vec<&'static str>,
    /// What failed.
    pub failures: Vec<(&'static str, Failure)>,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} passed, {} failed, {} without a fixture", self.passed.len(), self.failures.len(), self.skipped.len())?;
        self.failures.iter().try_for_each(|(name, failure)| writeln!(f, "failed: {name}: {failure}"))?;
        self.skipped.iter().try_for_each(|name| writeln!(f, "skipped: {name}: no fixture"))
    }
}

/// Applies every check to a backend. A panic is a failure of its check, and the next one goes on.
pub fn run(backend: &dyn Backend, suite: &Suite) -> Report {
    let mut report = Report::default();
    for check in CHECKS {
        let outcome = catch_unwind(AssertUnwindSafe(|| (check.apply)(backend, suite)));
        match outcome.unwrap_or_else(|_| Err(Failure::Panicked { what: check.name.into() })) {
            Ok(()) => report.passed.push(check.name),
            Err(Failure::NoFixture) => report.skipped.push(check.name),
            Err(failure) => report.failures.push((check.name, failure)),
        }
    }
    report
}

/// The fixtures that pass `fits`.
fn fixtures(suite: &Suite, fits: impl Fn(&Fixture) -> bool) -> Result<Vec<&Fixture>, Failure> {
    let found: Vec<_> = suite.fixtures.iter().filter(|f| fits(f) && !f.cases.is_empty()).collect();
    if found.is_empty() { Err(Failure::NoFixture) } else { Ok(found) }
}

/// Compiles a fixture for the processor with one thread.
fn compile(backend: &dyn Backend, fixture: &Fixture) -> Result<Box<dyn Session>, Failure> {
    let options = Options { threads: Some(1), ..Options::default() };
    backend.compile(&fixture.artifact, &Device::Cpu, &options).map_err(Failure::backend(format!("{}, compiling", fixture.name)))
}

/// A case's inputs in the session's order.
fn feed(fixture: &Fixture, case: &Case, session: &dyn Session) -> Result<Vec<Tensor>, Failure> {
    case.feed(session).map_err(Failure::backend(format!("{}/{}, inputs", fixture.name, case.name)))
}

/// Runs a case.
fn run_case(fixture: &Fixture, case: &Case, session: &mut dyn Session) -> Result<Vec<Tensor>, Failure> {
    let inputs = feed(fixture, case, session)?;
    session.run(&inputs).map_err(Failure::backend(format!("{}/{}, running", fixture.name, case.name)))
}

/// Runs a case and compares with what it must give.
fn verify(fixture: &Fixture, case: &Case, session: &mut dyn Session) -> Result<(), Failure> {
    let found = run_case(fixture, case, session)?;
    let want = case.want(session).map_err(Failure::backend(format!("{}/{}, outputs", fixture.name, case.name)))?;
    same(&format!("{}/{}", fixture.name, case.name), session, &found, &want, fixture.op)
}

/// Compares outputs one by one.
fn same(what: &str, session: &dyn Session, found: &[Tensor], want: &[Tensor], op: crate::tolerance::Op) -> Result<(), Failure> {
    if found.len() != want.len() {
        return Err(Failure::Differs { what: what.into(), difference: format!("expected {} outputs, found {}", want.len(), found.len()) });
    }
    for (i, (have, want)) in found.iter().zip(want).enumerate() {
        if let Some(difference) = crate::tolerance::difference(have, want, op) {
            let name = session.outputs().get(i).map_or("?", |s| s.name.as_str());
            return Err(Failure::Differs { what: format!("{what}/{name}"), difference });
        }
    }
    Ok(())
}
