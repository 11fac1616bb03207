//! Bar 8: the event-driven executor against the clocked network.

use super::study::Exam;
use crate::data::argmax;
use crate::export::{NormalForm, event};
use crate::kernel::channels_first;
use crate::snn::Snn;
use std::collections::BTreeMap;
use zoo_core::{Error, Result, Session, Tensor, Workbench};

/// Images that are compared.
pub(super) const IMAGES: usize = 500;

/// How far two executions of one network agree.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Agreement {
    /// Images with the same class.
    pub same: usize,
    /// Images compared.
    pub of: usize,
    /// Greatest difference of two logits.
    pub max_difference: f32,
    /// Spikes of the clocked network, all images.
    pub spikes_clocked: u64,
    /// Spikes of the event-driven one, where it tells.
    pub spikes_events: Option<u64>,
}

/// Runs the first images of an exam on the backend `events` and compares.
///
/// # Errors
/// [`Error::Unavailable`] or [`Error::Unknown`] if there is no such backend, and whatever compiling and running find.
pub fn compare(snn: &Snn, exam: &Exam, bench: &mut dyn Workbench) -> Result<Agreement> {
    let artifact = event(snn, NormalForm::Amplitude, BTreeMap::new())?.to_artifact("event")?;
    let mut session = bench.compile_on("events", &artifact)?;
    let exam = exam.first(IMAGES);
    let clocked = snn.run_all(exam.images());
    let mut agreement = Agreement {
        same: 0,
        of: exam.len(),
        max_difference: 0.0,
        spikes_clocked: clocked.iter().map(|o| o.spikes).sum(),
        spikes_events: None,
    };
    const BATCH: usize = 50;
    for (images, clocked) in exam.images().chunks(BATCH).zip(clocked.chunks(BATCH)) {
        bench.reporter().check()?;
        let logits = run(session.as_mut(), snn, images)?;
        for (logits, outcome) in logits.chunks_exact(snn.network().classes()).zip(clocked) {
            agreement.same += usize::from(argmax(logits) == argmax(&outcome.logits));
            let differences = logits.iter().zip(&outcome.logits).map(|(a, b)| (a - b).abs());
            agreement.max_difference = differences.fold(agreement.max_difference, f32::max);
        }
    }
    agreement.spikes_events = session.stats().spikes;
    Ok(agreement)
}

fn run(session: &mut dyn Session, snn: &Snn, images: &[Vec<f32>]) -> Result<Vec<f32>> {
    let shape = snn.network().input();
    let pixels: Vec<f32> = images.iter().flat_map(|image| channels_first(shape, image)).collect();
    let x = Tensor::from_vec([images.len(), shape[0], shape[1], shape[2]], pixels)?;
    let outputs = session.run(&[x])?;
    let logits = outputs.first().ok_or_else(|| Error::artifact("session", "outputs", "expected logits, found none"))?;
    let classes = snn.network().classes();
    if logits.shape() != [images.len(), classes] {
        return Err(Error::shape("logits of the event-driven run", [images.len(), classes], logits.shape()));
    }
    Ok(logits.as_slice::<f32>()?.to_vec())
}
