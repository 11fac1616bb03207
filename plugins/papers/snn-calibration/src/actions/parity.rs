//! Whether every runtime computes the same: logits and classes of the test set, side by side.

use crate::ann::Ann;
use crate::config::PaperConfig;
use crate::data::{IMAGE, argmax, standardise};
use crate::kernel::channels_last;
use serde_json::{Value, json};
use std::sync::Arc;
use zoo_core::{ArtifactKind, Batch, Config, Error, ExportRequest, Level, Model, Result, Session, TensorSpec, Weights, Workbench};

/// Images a turn.
const BATCH: usize = 250;

/// Who runs which kind of artifact.
const BACKENDS: [(&str, ArtifactKind); 3] =
    [("tract", ArtifactKind::Onnx), ("onnxruntime", ArtifactKind::Onnx), ("events", ArtifactKind::EventGraph)];

/// Computes the logits of a batch, `[batch, classes]` in a row.
type Logits<'a> = Box<dyn FnMut(&Batch) -> Result<Vec<f32>> + 'a>;
/// Who computes, and how.
type Side<'a> = (String, Logits<'a>);

/// What a model is compared on: its sessions, and for the source network the plugin's own forward passes besides.
pub(super) struct Subject<'a> {
    pub(super) model: &'a dyn Model,
    pub(super) paper: &'a PaperConfig,
    pub(super) config: &'a Config,
    pub(super) weights: &'a Weights,
    /// Whether it is the source network, which the plugin and the training engine can run as well.
    pub(super) source: bool,
}

/// Runs the test set through every side that is ready here.
///
/// # Errors
/// Whatever reading, compiling and running find; a backend that is not installed is left out and named.
pub(super) fn parity(subject: &Subject<'_>, limit: Option<usize>, bench: &mut dyn Workbench) -> Result<Value> {
    let dataset = bench.dataset(&subject.paper.dataset, "test")?;
    let mut left_out = Vec::new();
    let mut sessions = Vec::new();
    for (backend, kind) in BACKENDS {
        if !subject.model.artifact_kinds().contains(&kind) {
            continue;
        }
        let artifact = subject.model.export(&ExportRequest::new(kind), subject.weights, subject.config)?;
        match bench.compile_on(backend, &artifact) {
            Ok(session) => sessions.push((backend.to_string(), session)),
            Err(error @ Error::Unavailable { .. }) => {
                bench.log(Level::Warn, "snn-calibration", &format!("{backend} left out: {error}"));
                left_out.push(backend.to_string());
            }
            Err(error) => return Err(error),
        }
    }
    let mut sides: Vec<Side<'_>> = Vec::new();
    for (name, session) in &mut sessions {
        sides.push((name.clone(), Box::new(|batch| predict(subject.model, &mut **session, batch))));
    }
    if subject.source {
        sides.push(("own forward pass".into(), native(subject)?));
        match engine(subject)? {
            Some(side) => sides.push(side),
            None => left_out.push("training engine (build with `--features train`)".into()),
        }
    }
    let count = limit.unwrap_or(dataset.len()).min(dataset.len());
    let features: Arc<[TensorSpec]> = dataset.info().features.clone().into();
    let (mut furthest, mut other_class) = (vec![0f32; sides.len()], vec![0usize; sides.len()]);
    for start in (0..count).step_by(BATCH) {
        bench.check()?;
        let batch = Batch::read(dataset.as_ref(), &features, start..(start + BATCH).min(count))?;
        let classes = subject.paper.network.classes;
        let logits: Vec<Vec<f32>> = sides.iter_mut().map(|(_, run)| run(&batch)).collect::<Result<_>>()?;
        for (side, values) in logits.iter().enumerate() {
            if values.len() != logits[0].len() {
                return Err(Error::shape("logits", [logits[0].len()], [values.len()]));
            }
            for (ours, first) in values.chunks_exact(classes).zip(logits[0].chunks_exact(classes)) {
                let far = ours.iter().zip(first).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                furthest[side] = if far.is_nan() { f32::NAN } else { furthest[side].max(far) };
                other_class[side] += usize::from(argmax(ours) != argmax(first));
            }
        }
        bench.progress("parity", (start + batch.len()) as u64, Some(count as u64), "images");
    }
    let rows = sides
        .iter()
        .zip(furthest)
        .zip(other_class)
        .map(|(((name, _), far), other)| json!({"side": name, "greatest_logit_difference": far, "other_class": other}));
    Ok(
        json!({"images": count, "compared_with": sides.first().map(|(name, _)| name), "sides": rows.collect::<Vec<_>>(), "left_out": left_out}),
    )
}

fn predict(model: &dyn Model, session: &mut dyn Session, batch: &Batch) -> Result<Vec<f32>> {
    Ok(model.predict(session, batch)?.get("logits")?.as_slice::<f32>()?.to_vec())
}

/// Standardised pixels, `[batch, channels, rows, columns]`.
fn pixels(paper: &PaperConfig, batch: &Batch) -> Result<Vec<f32>> {
    Ok(standardise(batch.field(IMAGE)?, &paper.network)?.as_slice::<f32>()?.to_vec())
}

fn native<'a>(subject: &Subject<'a>) -> Result<Logits<'a>> {
    let paper = subject.paper;
    let ann = Ann::new(paper.network()?, subject.weights)?;
    let size = paper.network.input;
    Ok(Box::new(move |batch| {
        let images: Vec<_> = pixels(paper, batch)?.chunks_exact(size.iter().product()).map(|image| channels_last(size, image)).collect();
        Ok(ann.logits(&images).concat())
    }))
}

#[cfg(feature = "train")]
fn engine<'a>(subject: &Subject<'a>) -> Result<Option<Side<'a>>> {
    let paper = subject.paper;
    let mut engine = crate::train::Engine::new(paper.network()?, subject.weights)?;
    Ok(Some(("training engine".into(), Box::new(move |batch| engine.logits(&pixels(paper, batch)?)))))
}

#[cfg(not(feature = "train"))]
fn engine<'a>(_: &Subject<'a>) -> Result<Option<Side<'a>>> {
    Ok(None)
}
