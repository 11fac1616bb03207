//! A session that remembers what went through it.

use std::collections::BTreeMap;
use zoo_core::{Error, Result, Session, SessionStats, Tensor, TensorSpec};

/// Inputs and outputs of one run, in the session's order.
pub(in super::super) type Pass = (Vec<Tensor>, Vec<Tensor>);

/// Passes everything on to another session and keeps its first and its last run: of a model with state the first starts from
/// rest, and the last does not.
pub(super) struct Recorder {
    inner: Box<dyn Session>,
    /// Runs that are left; a protocol over a whole data set is stopped after a few.
    left: Option<usize>,
    pub(super) first: Option<Pass>,
    pub(super) last: Option<Pass>,
}

impl Recorder {
    pub(super) fn new(inner: Box<dyn Session>) -> Self {
        Self { inner, left: None, first: None, last: None }
    }

    /// Fails after so many runs, to end the protocol that drives it.
    pub(super) fn stop_after(&mut self, runs: usize) {
        self.left = Some(runs);
    }
}

impl Session for Recorder {
    fn inputs(&self) -> &[TensorSpec] {
        self.inner.inputs()
    }

    fn outputs(&self) -> &[TensorSpec] {
        self.inner.outputs()
    }

    fn metadata(&self) -> &BTreeMap<String, String> {
        self.inner.metadata()
    }

    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1).ok_or_else(|| Error::argument("runs", "no more than are compared", "one more"))?;
        }
        let outputs = self.inner.run(inputs)?;
        let pass = (inputs.to_vec(), outputs.clone());
        if self.first.is_none() {
            self.first = Some(pass);
        } else {
            self.last = Some(pass);
        }
        Ok(outputs)
    }

    fn stats(&self) -> SessionStats {
        self.inner.stats()
    }

    fn reset(&mut self) {
        self.inner.reset();
    }
}
