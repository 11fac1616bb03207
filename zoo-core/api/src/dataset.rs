//! Data sets: lazy, deterministic, of bounded memory.

use crate::config::Config;
use crate::error::{Error, Result};
use crate::spec::TensorSpec;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One split of a data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitInfo {
    /// `train`, `val`, `test` ...
    pub name: String,
    /// Items.
    pub len: usize,
}

/// Facts about a data set; crosses the ABI as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetInfo {
    /// Name in the registry.
    pub name: String,
    /// One paragraph.
    pub description: String,
    /// Official splits.
    pub splits: Vec<SplitInfo>,
    /// Tensors of an item, in order, without a batch axis.
    pub features: Vec<TensorSpec>,
    /// Names of the classes, where items have a class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// SPDX expression or sentence.
    pub licence: String,
    /// Where the data come from and what is known of their genuineness.
    pub provenance: String,
}

/// Verified files of a data set by the names that `registry.toml` gives them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DataFiles(pub BTreeMap<String, PathBuf>);

impl DataFiles {
    /// The path of a file.
    ///
    /// # Errors
    /// [`Error::Unknown`] listing the files there are.
    pub fn get(&self, name: &str) -> Result<&Path> {
        self.0.get(name).map(PathBuf::as_path).ok_or_else(|| Error::Unknown {
            kind: "data file",
            name: name.into(),
            hint: format!("the registry lists {}", self.0.keys().cloned().collect::<Vec<_>>().join(", ")),
        })
    }
}

/// Opens data sets.
pub trait DatasetFactory: Send + Sync {
    /// Facts about each data set this factory opens.
    fn infos(&self) -> Vec<DatasetInfo>;

    /// Opens one split.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a name or split there is not, [`Error::Data`] if a file is not what it should be.
    fn open(&self, name: &str, split: &str, files: &DataFiles, config: &Config) -> Result<Box<dyn Dataset>>;
}

/// An opened split. Order is fixed; items are read when asked for.
pub trait Dataset: Send + Sync {
    /// Facts about the data set.
    fn info(&self) -> &DatasetInfo;

    /// Name of this split.
    fn split(&self) -> &str;

    /// Number of items.
    fn len(&self) -> usize;

    /// Whether there are no items.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tensors of one item, in the order of [`DatasetInfo::features`], without a batch axis.
    ///
    /// # Errors
    /// [`Error::Argument`] for an index out of range, [`Error::Data`] or [`Error::Io`] if the item can't be read.
    fn get(&self, index: usize) -> Result<Vec<Tensor>>;

    /// Items `range`, stacked. Override where a contiguous read is cheaper.
    ///
    /// # Errors
    /// As [`Dataset::get`]; [`Error::Shape`] if items differ in shape.
    fn batch(&self, range: Range<usize>) -> Result<Vec<Tensor>> {
        let items = range.map(|i| self.get(i)).collect::<Result<Vec<_>>>()?;
        let fields = items.first().map_or(0, Vec::len);
        (0..fields).map(|f| Tensor::stack(&items.iter().map(|item| item[f].clone()).collect::<Vec<_>>())).collect()
    }
}

/// Consecutive items of a data set, stacked along a first axis.
#[derive(Clone, Debug)]
pub struct Batch {
    features: Arc<[TensorSpec]>,
    fields: Vec<Tensor>,
    start: usize,
}

impl Batch {
    /// A batch of tensors that `features` describe; `start` is the index of its first item in the split.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are more or fewer tensors than features.
    pub fn new(features: Arc<[TensorSpec]>, fields: Vec<Tensor>, start: usize) -> Result<Self> {
        if features.len() != fields.len() {
            return Err(Error::argument("fields of a batch", format!("{} tensors", features.len()), fields.len()));
        }
        Ok(Self { features, fields, start })
    }

    /// Reads items `range` of a data set.
    ///
    /// # Errors
    /// As [`Dataset::batch`].
    pub fn read(dataset: &dyn Dataset, features: &Arc<[TensorSpec]>, range: Range<usize>) -> Result<Self> {
        let start = range.start;
        Self::new(Arc::clone(features), dataset.batch(range)?, start)
    }

    /// The tensor of a field, first axis the batch.
    ///
    /// # Errors
    /// [`Error::Unknown`] listing the fields there are.
    pub fn field(&self, name: &str) -> Result<&Tensor> {
        self.features.iter().position(|f| f.name == name).map(|i| &self.fields[i]).ok_or_else(|| Error::Unknown {
            kind: "data set field",
            name: name.into(),
            hint: format!("fields are {}", self.features.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(", ")),
        })
    }

    /// What the tensors are, in order.
    pub fn features(&self) -> &Arc<[TensorSpec]> {
        &self.features
    }

    /// All tensors, in the order of the data set's features.
    pub fn fields(&self) -> &[Tensor] {
        &self.fields
    }

    /// Index of the first item in the split.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.fields.first().and_then(|t| t.shape().first().copied()).unwrap_or(0)
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
