//! Model cards: what a model is, where it comes from and how it may be used.

use crate::spec::TensorSpec;
use serde::{Deserialize, Serialize};

/// The kind of task, which decides the default metrics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum TaskKind {
    /// One class an item: the default metrics are top-1 accuracy and its Wilson interval.
    Classification {
        /// Name of the output that holds the logits, shape `[batch, classes]`.
        logits: String,
        /// Name of the data set field that holds the class index.
        label: String,
    },
    /// Anything whose protocol the plugin evaluates itself.
    Own,
}

/// Facts about a model, as its plugin states them; crosses the ABI as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// Name of the model family inside its plugin, in kebab case.
    pub name: String,
    /// One line.
    pub title: String,
    /// A paragraph: what it does and what it is good for.
    pub description: String,
    /// Paper identifier, such as `arXiv:2205.10121`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub paper: String,
    /// Where the authors' code was read, with its licence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub upstream: String,
    /// SPDX expression for the plugin's code.
    pub code_licence: String,
    /// SPDX expression, or sentence, for weights made by this plugin.
    pub weights_licence: String,
    /// The task.
    pub task: TaskKind,
    /// Data set fields the model reads, before preprocessing.
    pub inputs: Vec<TensorSpec>,
    /// Outputs of a prediction.
    pub outputs: Vec<TensorSpec>,
    /// Preprocessing in words; the executed one is `Model::preprocess`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub preprocessing: String,
    /// What it must not be used for, and where it is known to fail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limitations: Vec<String>,
}
