//! What the registry says about inputs and outputs.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Table `config` of a model that is an ONNX file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Licence of the file, an SPDX expression.
    pub licence: String,
    /// Every input of the graph, in any order.
    pub inputs: Vec<Input>,
    /// Outputs to keep; the others are dropped.
    pub outputs: Vec<Output>,
    /// Field of the data set that holds the class index, for accuracy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Configuration of the data set, handed on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dataset: BTreeMap<String, serde_json::Value>,
}

/// An input of the graph: made from a field, or zeros.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Name in the graph.
    pub name: String,
    /// Field of the data it is made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Shape of an input that is zeros, such as the first state of a recurrent net.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zeros: Option<Vec<usize>>,
    /// What is done with each item of the field, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// Whether the steps already give the graph's first axis (windows of a clip, say), so that an item is a run of its own.
    #[serde(default)]
    pub whole: bool,
}

/// A step of the preprocessing of one item. Numbers are `f32` unless said otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// Reorders the axes.
    Transpose(Vec<usize>),
    /// Resizes `[channels, height, width]` with a triangle filter, widened when it shrinks (as Pillow's `BILINEAR`).
    Resize {
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
    },
    /// Cuts `[channels, height, width]` to its middle.
    CentreCrop {
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
    },
    /// Multiplies by a number.
    Scale(f32),
    /// Subtracts a mean and divides by a deviation, one each a channel (first axis).
    Normalise {
        /// Means.
        mean: Vec<f32>,
        /// Standard deviations.
        std: Vec<f32>,
    },
    /// Repeats a single channel.
    Repeat(usize),
    /// Cuts `[samples]` into `[windows, context + size]`: each window behind the last samples of the one before, zeros
    /// before the first. Samples that fill no window are left out.
    Window {
        /// Samples of a window.
        size: usize,
        /// Samples of the window before.
        context: usize,
    },
    /// Bytes as `i32` tokens: the first of them and the last, with white space stripped off the two ends.
    Ends {
        /// Tokens from the start; what is missing is padded behind.
        first: usize,
        /// Tokens from the end; what is missing is padded before.
        last: usize,
        /// Token of the padding.
        padding: i32,
        /// Bytes looked at from each end.
        block: usize,
    },
    /// UTF-8 bytes as `i64` of so many tokens, by the file that the registry calls `tokenizer`: special tokens are added, longer texts cut,
    /// shorter ones padded.
    Tokenise {
        /// Tokens of every text.
        length: usize,
        /// What of each token.
        #[serde(default)]
        gives: Gives,
    },
}

/// What a text is turned into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gives {
    /// Numbers in the vocabulary.
    #[default]
    Ids,
    /// 1 for a token of the text, 0 for padding.
    Mask,
    /// Which of a pair of texts a token is of: always the first.
    Types,
}

/// An output of the graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Name in the graph.
    pub name: String,
    /// Name in the prediction, where it is another.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub rename: Option<String>,
    /// What is done with the values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    /// How many of the best classes `predict` prints; all values if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<usize>,
    /// JSON pointer to the list of class names in the file `labels`; empty for a text file with a name a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
}

impl Output {
    /// Name in the prediction.
    pub fn shown(&self) -> &str {
        self.rename.as_deref().unwrap_or(&self.name)
    }
}

/// A function of an output, over its last axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// Exponentials that sum to one.
    Softmax,
    /// The logistic function of each value.
    Sigmoid,
}
