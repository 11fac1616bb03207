//! What a tensor at a seam looks like: name, type, shape, range and meaning.

use crate::tensor::DType;
use crate::{Error, Result, Tensor};
use serde::{Deserialize, Serialize};

/// One axis of a tensor.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Dim {
    /// A fixed length.
    Fixed(usize),
    /// A free length, with its name: `batch`, `height` ...
    Free(String),
}

impl Dim {
    /// The length, if it is fixed.
    pub fn fixed(&self) -> Option<usize> {
        match self {
            Self::Fixed(n) => Some(*n),
            Self::Free(_) => None,
        }
    }
}

impl std::fmt::Display for Dim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(n) => write!(f, "{n}"),
            Self::Free(name) => f.write_str(name),
        }
    }
}

impl From<usize> for Dim {
    fn from(n: usize) -> Self {
        Self::Fixed(n)
    }
}

impl From<&str> for Dim {
    fn from(name: &str) -> Self {
        Self::Free(name.into())
    }
}

/// Name, element type, shape and meaning of a tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TensorSpec {
    /// Name in the artifact or data set.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Axes, outermost first.
    pub shape: Vec<Dim>,
    /// Least and greatest value a well-formed tensor holds, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "open_range")]
    pub range: Option<[f64; 2]>,
    /// What it means, with units and the meaning of each channel.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub meaning: String,
}

/// JSON has no infinity: a bound that is null is none.
fn open_range<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<[f64; 2]>, D::Error> {
    let range: Option<[Option<f64>; 2]> = Option::deserialize(deserializer)?;
    Ok(range.map(|[low, high]| [low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY)]))
}

impl TensorSpec {
    /// A spec with neither range nor meaning.
    pub fn new(name: impl Into<String>, dtype: DType, shape: impl IntoIterator<Item = impl Into<Dim>>) -> Self {
        Self { name: name.into(), dtype, shape: shape.into_iter().map(Into::into).collect(), range: None, meaning: String::new() }
    }

    /// Adds what the tensor means.
    #[must_use]
    pub fn meaning(mut self, meaning: impl Into<String>) -> Self {
        self.meaning = meaning.into();
        self
    }

    /// Adds the range of valid values.
    #[must_use]
    pub fn range(mut self, low: f64, high: f64) -> Self {
        self.range = Some([low, high]);
        self
    }

    /// Checks a tensor's type and fixed axes.
    ///
    /// # Errors
    /// [`Error::DType`] or [`Error::Shape`], naming the tensor.
    pub fn check(&self, tensor: &Tensor) -> Result<()> {
        let shape: Vec<_> = self.shape.iter().map(Dim::fixed).collect();
        tensor.expect(&format!("tensor `{}`", self.name), self.dtype, &shape)
    }

    /// Shape as text, such as `[batch, 1, 28, 28]`.
    pub fn shape_text(&self) -> String {
        format!("[{}]", self.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
    }
}

/// Checks a list of tensors against a list of specs.
///
/// # Errors
/// [`Error::Argument`] if the counts differ, else what [`TensorSpec::check`] finds.
pub fn check_all(what: &str, specs: &[TensorSpec], tensors: &[Tensor]) -> Result<()> {
    if specs.len() != tensors.len() {
        let names: Vec<_> = specs.iter().map(|s| s.name.as_str()).collect();
        return Err(Error::argument(what, format!("{} tensors ({})", specs.len(), names.join(", ")), tensors.len()));
    }
    specs.iter().zip(tensors).try_for_each(|(spec, tensor)| spec.check(tensor))
}

/// The lengths that tensors which passed [`check_all`] give the free axes, by the axes' names.
///
/// # Errors
/// [`Error::Shape`] if two axes of one name differ in length.
pub fn axis_lengths<'a>(specs: &'a [TensorSpec], tensors: &[Tensor]) -> Result<std::collections::BTreeMap<&'a str, usize>> {
    let mut lengths = std::collections::BTreeMap::new();
    for (spec, tensor) in specs.iter().zip(tensors) {
        for (axis, (dim, &length)) in spec.shape.iter().zip(tensor.shape()).enumerate() {
            let Dim::Free(name) = dim else { continue };
            let first = *lengths.entry(name.as_str()).or_insert(length);
            if first != length {
                return Err(Error::Shape {
                    what: format!("tensor `{}`, axis {axis}", spec.name),
                    expected: format!("{first}, the length that `{name}` has before"),
                    found: length.to_string(),
                });
            }
        }
    }
    Ok(lengths)
}
