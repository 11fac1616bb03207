//! The core of the zoo: what a plugin depends on, and all that it depends on.
//!
//! A **registry** names models; a [`Model`] turns weights into a portable [`Artifact`]; a [`Backend`] compiles the
//! artifact into a [`Session`]; the host feeds the session from a [`Dataset`], drives [`Metric`]s and sets the result
//! beside what the paper claimed.
//!
//! This crate is deliberately narrow. It knows no network, no file layout, no argument parser, no runtime and no
//! training engine; a test over `cargo tree` keeps it so. Tensors are reference counted, row-major and laid out as
//! DLPack describes them, so that they cross the plugin boundary without a copy.

pub mod abi;
pub mod artifact;
pub mod backend;
pub mod card;
pub mod config;
pub mod dataset;
pub mod dlpack;
pub mod error;
pub mod metric;
pub mod model;
pub mod plugin;
pub mod services;
pub mod spec;
pub mod tensor;
pub mod trainer;
pub mod weights;

pub use artifact::{Artifact, ArtifactFile, ArtifactKind, ExportRequest};
pub use backend::{Availability, Backend, Device, Options, Session, SessionStats};
pub use card::{ModelCard, TaskKind};
pub use config::Config;
pub use dataset::{Batch, DataFiles, Dataset, DatasetFactory, DatasetInfo, SplitInfo};
pub use error::{Error, Result};
pub use metric::{Estimate, Metric};
pub use model::{ClaimOutcome, Measurements, Model, Prediction};
pub use plugin::{Plugin, PluginInfo};
pub use services::{Level, Reporter, Silent, Workbench};
pub use spec::{Dim, TensorSpec};
pub use tensor::{DType, Element, Tensor};
pub use trainer::{TrainSink, Trainer};
pub use weights::{Dialect, Weights};

#[doc(hidden)]
pub use {inventory, log, serde_json};
