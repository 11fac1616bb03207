//! What the suite found.

use std::fmt;
use std::path::{Path, PathBuf};
use zoo_core::Error;

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Passed,
    /// Not as it should: what was expected and what was found.
    Failed(String),
    /// It could not be run; what it would need.
    Skipped(String),
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was checked: `library`, `model NAME`, `data set NAME`, `backend NAME`.
    pub subject: String,
    /// The rule.
    pub rule: String,
    /// How it ended.
    pub outcome: Outcome,
}

/// All checks of a library. Prints as a readable table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The library.
    pub path: PathBuf,
    /// Name the plugin gives itself; empty if it could not be loaded.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the library; empty if it is none.
    pub sha256: String,
    /// The checks in the order they were run.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether no check failed.
    pub fn passed(&self) -> bool {
        self.count(|outcome| matches!(outcome, Outcome::Failed(_))) == 0
    }

    fn count(&self, which: impl Fn(&Outcome) -> bool) -> usize {
        self.checks.iter().filter(|check| which(&check.outcome)).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.path.display())?;
        if !self.name.is_empty() {
            writeln!(f, "plugin {} {}", self.name, self.version)?;
        }
        if !self.sha256.is_empty() {
            writeln!(f, "sha256 {}", self.sha256)?;
        }
        let mut subject = "";
        for check in &self.checks {
            if check.subject != subject {
                subject = &check.subject;
                writeln!(f, "\n{subject}")?;
            }
            match &check.outcome {
                Outcome::Passed => writeln!(f, "  ok      {}", check.rule)?,
                Outcome::Failed(why) => writeln!(f, "  FAILED  {}\n          {why}", check.rule)?,
                Outcome::Skipped(why) => writeln!(f, "  skipped {}\n          {why}", check.rule)?,
            }
        }
        let passed = self.count(|outcome| *outcome == Outcome::Passed);
        let failed = self.count(|outcome| matches!(outcome, Outcome::Failed(_)));
        let skipped = self.checks.len() - passed - failed;
        write!(f, "\n{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// Collects checks.
pub(super) struct Recorder {
    pub(super) report: Report,
}

impl Recorder {
    pub(super) fn new(path: &Path) -> Self {
        Self { report: Report { path: path.into(), ..Report::default() } }
    }

    pub(super) fn passed(&mut self, subject: &str, rule: &str) {
        self.push(subject, rule, Outcome::Passed);
    }

    pub(super) fn failed(&mut self, subject: &str, rule: &str, why: impl fmt::Display) {
        self.push(subject, rule, Outcome::Failed(why.to_string()));
    }

    pub(super) fn skipped(&mut self, subject: &str, rule: &str, why: impl fmt::Display) {
        self.push(subject, rule, Outcome::Skipped(why.to_string()));
    }

    pub(super) fn failed_to_load(mut self, rule: &str, why: impl fmt::Display) -> Report {
        self.failed("library", rule, why);
        self.report
    }

    pub(super) fn check(&mut self, subject: &str, rule: &str, body: impl FnOnce() -> Result<(), String>) {
        match body() {
            Ok(()) => self.passed(subject, rule),
            Err(why) => self.failed(subject, rule, why),
        }
    }

    /// A call that must fail in good order: with a typed error, neither with success nor with a panic.
    pub(super) fn refuses<T>(&mut self, subject: &str, rule: &str, result: Result<T, Error>) {
        match result {
            Ok(_) => self.failed(subject, rule, "expected an error, it succeeded"),
            Err(error) if broken(&error) => self.failed(subject, rule, error),
            Err(_) => self.passed(subject, rule),
        }
    }

    /// The result of a call that may lack what it needs (weights, files, a device). `None` after recording why.
    pub(super) fn attempt<T>(&mut self, subject: &str, rule: &str, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) if broken(&error) => {
                self.failed(subject, rule, error);
                None
            }
            Err(error) => {
                self.skipped(subject, rule, format!("it needs more than the suite has: {error}"));
                None
            }
        }
    }

    fn push(&mut self, subject: &str, rule: &str, outcome: Outcome) {
        self.report.checks.push(Check { subject: subject.into(), rule: rule.into(), outcome });
    }
}

/// Whether an error tells of a plugin that panicked or broke the ABI, rather than of one that found fault with its input.
pub(super) fn broken(error: &Error) -> bool {
    matches!(error, Error::Plugin { .. })
}
