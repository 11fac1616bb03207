//! Named tensors that make up a trained model.

use crate::error::{Error, Result};
use crate::tensor::{DType, Tensor};
use std::collections::BTreeMap;

/// Whose names the tensors of a file carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// The zoo's own key names.
    #[default]
    Zoo,
    /// The `state_dict` names of the paper's authors.
    Authors,
}

/// Named tensors with string metadata, as a safetensors file holds them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    /// Tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Provenance: config hash, seed, licence ...
    pub metadata: BTreeMap<String, String>,
}

impl Weights {
    /// No tensors, no metadata.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a tensor.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) {
        self.tensors.insert(name.into(), tensor);
    }

    /// The tensor of that name.
    ///
    /// # Errors
    /// [`Error::Keys`] if there is none.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        self.tensors.get(name).ok_or_else(|| Error::Keys { what: "weights".into(), missing: vec![name.into()], unexpected: Vec::new() })
    }

    /// The `f32` elements of the tensor of that name, after checking its shape.
    ///
    /// # Errors
    /// [`Error::Keys`], [`Error::DType`] or [`Error::Shape`].
    pub fn f32(&self, name: &str, shape: &[usize]) -> Result<&[f32]> {
        let tensor = self.get(name)?;
        let wanted: Vec<_> = shape.iter().copied().map(Some).collect();
        tensor.expect(&format!("weight `{name}`"), DType::F32, &wanted)?;
        tensor.as_slice()
    }

    /// The same weights rounded to half precision, whatever they were, to be kept small.
    ///
    /// # Errors
    /// [`Error::Shape`] if a tensor's size overflows.
    pub fn in_half_precision(&self) -> Result<Self> {
        self.converted(|_| true, |t| Tensor::from_vec(t.shape(), t.to_f32().into_iter().map(half::f16::from_f32).collect()))
    }

    /// The same weights, with half-precision tensors widened to `f32`, as networks compute with them.
    ///
    /// # Errors
    /// [`Error::Shape`] if a tensor's size overflows.
    pub fn in_single_precision(&self) -> Result<Self> {
        self.converted(|t| t.dtype() == DType::F16, |t| Tensor::from_vec(t.shape(), t.to_f32()))
    }

    fn converted(&self, concerns: impl Fn(&Tensor) -> bool, convert: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Self> {
        let mut out = Self { metadata: self.metadata.clone(), ..Self::new() };
        for (name, tensor) in &self.tensors {
            out.insert(name.clone(), if concerns(tensor) { convert(tensor)? } else { tensor.clone() });
        }
        Ok(out)
    }

    /// Checks that exactly `names` are present.
    ///
    /// # Errors
    /// [`Error::Keys`], listing every missing and every unexpected name.
    pub fn expect_keys<'a>(&self, what: &str, names: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let wanted: std::collections::BTreeSet<_> = names.into_iter().collect();
        let missing: Vec<_> = wanted.iter().filter(|n| !self.tensors.contains_key(**n)).map(|n| (*n).to_string()).collect();
        let unexpected: Vec<_> = self.tensors.keys().filter(|n| !wanted.contains(n.as_str())).cloned().collect();
        if missing.is_empty() && unexpected.is_empty() {
            return Ok(());
        }
        Err(Error::Keys { what: what.into(), missing, unexpected })
    }
}
