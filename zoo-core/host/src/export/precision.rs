//! Exported graphs in half precision and in 8-bit integers, the latter calibrated on training data.

use super::backends::onnx_backends;
use crate::zoo::{FoundModel, Zoo};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use zoo_core::{Artifact, Batch, Dataset, Device, Error, Level, Options, Reporter, Result, Session, SessionStats, Tensor, TensorSpec};
use zoo_formats::onnx::precision::{Ranges, observed, observed_values, to_f16, to_int8};

/// Training items that calibration sees, and how many at once.
const ITEMS: usize = 256;
const BATCH: usize = 32;
/// Split that they are taken from.
const SPLIT: &str = "train";

/// The arithmetic of an exported ONNX graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// As the model makes it.
    F32,
    /// Half precision inside, single at the borders.
    F16,
    /// 8-bit integers around matrix products.
    Int8,
}

impl Precision {
    /// All, widest first.
    pub const ALL: [Self; 3] = [Self::F32, Self::F16, Self::Int8];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
        }
    }
}

impl std::fmt::Display for Precision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// An ONNX artifact of a model in another precision. For `int8` the model predicts the first 256 items of the data set's split `train`
/// on a backend of ours, and each tensor's range is what it saw.
///
/// # Errors
/// Those of the conversions in [`zoo_formats::onnx::precision`]; for `int8` also [`Error::NotOffered`] for a model without a data set, and
/// whatever opening it, compiling and predicting find.
pub fn in_precision(
    zoo: &Zoo,
    model: &FoundModel<'_>,
    artifact: &Artifact,
    precision: Precision,
    options: &Options,
    reporter: &dyn Reporter,
) -> Result<Artifact> {
    match precision {
        Precision::F32 => Ok(artifact.clone()),
        Precision::F16 => Ok(to_f16(artifact)?),
        Precision::Int8 => Ok(to_int8(artifact, &calibrate(zoo, model, artifact, options, reporter)?)?),
    }
}

fn calibrate(zoo: &Zoo, model: &FoundModel<'_>, artifact: &Artifact, options: &Options, reporter: &dyn Reporter) -> Result<Ranges> {
    let name = model.entry.name.as_str();
    let data = model.entry.dataset.as_deref().ok_or_else(|| Error::NotOffered {
        who: name.into(),
        what: "precision int8".into(),
        hint: "calibration needs training data, and registry.toml names no data set for it".into(),
    })?;
    let dataset = zoo.dataset(data, SPLIT, &model.dataset_config(), reporter)?;
    let features: Arc<[TensorSpec]> = dataset.info().features.clone().into();
    let (wider, values) = (observed(artifact)?, observed_values(artifact)?);
    let mut last = Error::Unavailable {
        what: "calibration".into(),
        why: "no backend for ONNX is ready".into(),
        mend: "see `cargo xtask list backends`".into(),
    };
    for backend in onnx_backends(zoo, options) {
        let run = || {
            let mut calibrator = Calibrator::new(backend.compile(&wider, &Device::Cpu, options)?, artifact, &values)?;
            let (size, items) = batches(calibrator.inputs(), &*dataset, &features);
            for start in (0..items).step_by(size) {
                reporter.check()?;
                let batch = Batch::read(&*dataset, &features, start..(start + size).min(items))?;
                model.model.predict(&mut calibrator, &batch)?;
                reporter.progress("calibrate", batch.len() as u64 + start as u64, Some(items as u64), "items");
            }
            Ok(calibrator.ranges)
        };
        match run() {
            Ok(ranges) => return Ok(ranges),
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(error) => {
                reporter.log(Level::Debug, "zoo_host::export", &format!("{name}: calibration on {}: {error}", backend.name()));
                last = error;
            }
        }
    }
    Err(last)
}

/// Items at once and in all: as many at once as the graph takes where its batch is fixed, and one where items don't join, as
/// recordings of events.
fn batches(inputs: &[TensorSpec], dataset: &dyn Dataset, features: &Arc<[TensorSpec]>) -> (usize, usize) {
    let items = ITEMS.min(dataset.len());
    let fixed = inputs.first().and_then(|spec| spec.shape.first()?.fixed()).filter(|&size| size > 0);
    if let Some(size) = fixed {
        return (size, items - items % size);
    }
    let join = Batch::read(dataset, features, 0..BATCH.min(items)).is_ok();
    (if join { BATCH } else { 1 }, items)
}

/// A session of a graph with further outputs, which shows the graph's own and keeps the ranges of the others.
struct Calibrator {
    inner: Box<dyn Session>,
    outputs: Vec<TensorSpec>,
    /// Names of inputs and of all outputs that are observed, by position.
    given: Vec<Option<String>>,
    made: Vec<Option<String>>,
    ranges: Ranges,
}

impl Calibrator {
    fn new(inner: Box<dyn Session>, artifact: &Artifact, values: &[String]) -> Result<Self> {
        let own = zoo_formats::onnx::read_artifact(artifact)?.outputs()?.len();
        let watched = |spec: &TensorSpec| values.contains(&spec.name).then(|| spec.name.clone());
        let outputs = inner.outputs().iter().take(own).cloned().collect();
        let (given, made) = (inner.inputs().iter().map(watched).collect(), inner.outputs().iter().map(watched).collect());
        Ok(Self { inner, outputs, given, made, ranges: Ranges::new() })
    }
}

/// Widens the ranges by what finite values are in the tensors.
fn widen(ranges: &mut Ranges, names: &[Option<String>], tensors: &[Tensor]) {
    for (name, tensor) in names.iter().zip(tensors) {
        let Some(name) = name else { continue };
        let range = ranges.entry(name.clone()).or_insert([0.0, 0.0]);
        for value in tensor.to_f32().into_iter().filter(|value| value.is_finite()) {
            *range = [range[0].min(value), range[1].max(value)];
        }
    }
}

impl Session for Calibrator {
    fn inputs(&self) -> &[TensorSpec] {
        self.inner.inputs()
    }

    fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    fn metadata(&self) -> &BTreeMap<String, String> {
        self.inner.metadata()
    }

    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let mut outputs = self.inner.run(inputs)?;
        widen(&mut self.ranges, &self.given, inputs);
        widen(&mut self.ranges, &self.made, &outputs);
        outputs.truncate(self.outputs.len());
        Ok(outputs)
    }

    fn stats(&self) -> SessionStats {
        self.inner.stats()
    }

    fn reset(&mut self) {
        self.inner.reset();
    }
}
