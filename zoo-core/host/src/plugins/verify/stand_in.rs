//! Stand-ins for what a model is given: a session of zeros, a small data set, a workbench whose user has asked to stop.

use std::collections::BTreeMap;
use std::sync::Arc;
use zoo_core::{
    Artifact, Batch, Config, DType, Dataset, DatasetInfo, Dim, Error, Level, Reporter, Result, Session, SessionStats, SplitInfo, Tensor,
    TensorSpec, Weights, Workbench,
};

/// Length of a free axis.
const FREE: usize = 8;
/// Items of the data set, and of a batch.
const ITEMS: usize = 16;
pub(super) const BATCH: usize = 2;

/// Elements that differ from their neighbours, so that mixed-up axes show. Integers stay within a byte.
pub(super) fn pattern(dtype: DType, shape: &[usize]) -> Result<Tensor> {
    let mut tensor = Tensor::zeros(dtype, shape)?;
    match dtype {
        DType::F32 => tensor.as_mut_slice::<f32>()?.iter_mut().zip(0u16..).for_each(|(v, i)| *v = f32::from(i % 97) / 97.0),
        DType::F64 => tensor.as_mut_slice::<f64>()?.iter_mut().zip(0u16..).for_each(|(v, i)| *v = f64::from(i % 97) / 97.0),
        DType::U8 => tensor.as_mut_slice::<u8>()?.iter_mut().zip((0u8..97).cycle()).for_each(|(v, i)| *v = i),
        _ => {}
    }
    Ok(tensor)
}

/// The shape of a tensor of `rows` items: a leading free axis is the batch, other free axes get some length.
pub(super) fn shape_of(spec: &TensorSpec, rows: usize) -> Vec<usize> {
    let leading = spec.shape.first().is_some_and(|dim| dim.fixed().is_none());
    let lengths = spec.shape.iter().enumerate().map(|(axis, dim)| match dim {
        Dim::Fixed(length) => *length,
        Dim::Free(_) if axis == 0 && leading => rows,
        Dim::Free(_) => FREE,
    });
    lengths.collect()
}

/// A session that returns zeros of the declared outputs.
pub(super) struct Zeros {
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
    metadata: BTreeMap<String, String>,
    runs: u64,
}

impl Zeros {
    pub(super) fn new(inputs: &[TensorSpec], outputs: &[TensorSpec]) -> Self {
        Self { inputs: inputs.to_vec(), outputs: outputs.to_vec(), metadata: BTreeMap::new(), runs: 0 }
    }
}

impl Session for Zeros {
    fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        self.runs += 1;
        let rows = inputs.first().and_then(|tensor| tensor.shape().first().copied()).unwrap_or(1);
        self.outputs.iter().map(|spec| Tensor::zeros(spec.dtype, shape_of(spec, rows))).collect()
    }

    fn stats(&self) -> SessionStats {
        SessionStats { runs: self.runs, ..SessionStats::default() }
    }

    fn reset(&mut self) {}
}

/// A data set of the fields a card names.
pub(crate) struct Patterns {
    info: DatasetInfo,
}

impl Patterns {
    /// Fields come as a card writes them: without a batch axis, or with a free one in front, which is left out.
    pub(crate) fn new(fields: &[TensorSpec]) -> Self {
        let item = |spec: &TensorSpec| {
            let leading = spec.shape.first().is_some_and(|dim| matches!(dim, Dim::Free(name) if name == "batch"));
            TensorSpec { shape: spec.shape[usize::from(leading)..].to_vec(), ..spec.clone() }
        };
        let info = DatasetInfo {
            name: "stand-in".into(),
            description: "Patterns of the declared shapes.".into(),
            splits: vec![SplitInfo { name: "test".into(), len: ITEMS }],
            features: fields.iter().map(item).collect(),
            classes: Vec::new(),
            licence: "CC0-1.0".into(),
            provenance: "made by the conformance suite".into(),
        };
        Self { info }
    }

    pub(super) fn batch_of(&self) -> Result<Batch> {
        let features: Arc<[TensorSpec]> = self.info.features.clone().into();
        Batch::read(self, &features, 0..BATCH)
    }
}

impl Dataset for Patterns {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn split(&self) -> &str {
        "test"
    }

    fn len(&self) -> usize {
        ITEMS
    }

    fn get(&self, index: usize) -> Result<Vec<Tensor>> {
        if index >= ITEMS {
            return Err(Error::argument("index", format!("less than {ITEMS}"), index));
        }
        let shape = |spec: &TensorSpec| spec.shape.iter().map(|dim| dim.fixed().unwrap_or(FREE)).collect::<Vec<_>>();
        self.info.features.iter().map(|spec| pattern(spec.dtype, &shape(spec))).collect()
    }
}

/// A workbench whose user has asked to stop.
pub(crate) struct Stopped;

impl Reporter for Stopped {
    fn log(&self, _: Level, _: &str, _: &str) {}
    fn progress(&self, _: &str, _: u64, _: Option<u64>, _: &str) {}
    fn cancelled(&self) -> bool {
        true
    }
}

impl Workbench for Stopped {
    fn seed(&self) -> u64 {
        0
    }

    fn limit(&self) -> Option<usize> {
        None
    }

    fn backend(&self) -> &str {
        "stand-in"
    }

    fn dataset(&mut self, _: &str, _: &str) -> Result<Box<dyn Dataset>> {
        Err(Error::Cancelled)
    }

    fn compile(&mut self, _: &Artifact) -> Result<Box<dyn Session>> {
        Err(Error::Cancelled)
    }

    fn compile_on(&mut self, _: &str, _: &Artifact) -> Result<Box<dyn Session>> {
        Err(Error::Cancelled)
    }

    fn weights(&mut self, _: &str, _: Option<u64>) -> Result<(Weights, Config)> {
        Err(Error::Cancelled)
    }

    fn reporter(&self) -> &dyn Reporter {
        self
    }
}
