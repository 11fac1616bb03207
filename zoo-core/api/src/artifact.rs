//! Portable forms of a model.

use crate::config::Config;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The format of an artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ArtifactKind {
    /// An ONNX model.
    Onnx,
    /// The zoo's event graph: JSON topology and safetensors weights.
    EventGraph,
    /// Neuromorphic Intermediate Representation (HDF5).
    Nir,
    /// Weights alone.
    Safetensors,
}

impl ArtifactKind {
    /// The name used on the command line and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::EventGraph => "event",
            Self::Nir => "nir",
            Self::Safetensors => "safetensors",
        }
    }
}

impl std::fmt::Display for ArtifactKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for ArtifactKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Onnx, Self::EventGraph, Self::Nir, Self::Safetensors].into_iter().find(|k| k.name() == text).ok_or_else(|| Error::Unknown {
            kind: "artifact format",
            name: text.into(),
            hint: "formats are onnx, event, nir and safetensors".into(),
        })
    }
}

/// One file of an artifact.
#[derive(Clone, Debug, PartialEq)]
pub struct ArtifactFile {
    /// File name, without folders.
    pub name: String,
    /// Content.
    pub bytes: Arc<[u8]>,
}

/// A model in a portable form, ready to be written or compiled. The first file is the main one.
#[derive(Clone, Debug, PartialEq)]
pub struct Artifact {
    /// Format.
    pub kind: ArtifactKind,
    /// Which of the model's graphs this is: `ann`, `step`, `rate_T8` ...
    pub variant: String,
    /// Files; never empty.
    pub files: Vec<ArtifactFile>,
    /// What travels with it: paper id, time steps, state names ... Also inside the file where the format allows.
    pub metadata: BTreeMap<String, String>,
}

impl Artifact {
    /// An artifact of one file.
    pub fn single(kind: ArtifactKind, variant: impl Into<String>, file: impl Into<String>, bytes: impl Into<Arc<[u8]>>) -> Self {
        let files = vec![ArtifactFile { name: file.into(), bytes: bytes.into() }];
        Self { kind, variant: variant.into(), files, metadata: BTreeMap::new() }
    }

    /// The main file's content.
    ///
    /// # Errors
    /// [`Error::Artifact`] if the artifact has no file.
    pub fn main(&self) -> Result<&ArtifactFile> {
        self.files.first().ok_or_else(|| Error::artifact(self.kind.name(), "files", "expected at least one file, found none"))
    }
}

/// What to export.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportRequest {
    /// Format.
    pub kind: ArtifactKind,
    /// Which of the model's graphs; `None` is the one that is evaluated.
    pub variant: Option<String>,
    /// ONNX operator set; `None` is 17.
    pub opset: Option<u32>,
    /// Number of time steps of a spiking model; `None` is the configured one.
    pub steps: Option<u32>,
    /// Further options of the plugin.
    pub options: Config,
}

impl ExportRequest {
    /// The default export of a kind.
    pub fn new(kind: ArtifactKind) -> Self {
        Self { kind, variant: None, opset: None, steps: None, options: Config::default() }
    }

    /// The same request for a named graph.
    #[must_use]
    pub fn variant(mut self, variant: impl Into<String>) -> Self {
        self.variant = Some(variant.into());
        self
    }
}
