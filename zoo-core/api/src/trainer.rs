//! Training, offered by in-tree plugins and optional for third parties.

use crate::config::Config;
use crate::error::Result;
use crate::services::Workbench;
use crate::weights::Weights;
use serde_json::Value;

/// Where a trainer leaves its traces.
pub trait TrainSink: Send {
    /// One line of the training log (`epoch`, `loss`, `accuracy`, `images_per_s` ...), kept as JSON lines.
    ///
    /// # Errors
    /// If the log can't be written.
    fn log(&mut self, line: Value) -> Result<()>;

    /// Keeps a checkpoint, replacing the last one atomically.
    ///
    /// # Errors
    /// If it can't be written; the last one is then still there.
    fn save(&mut self, checkpoint: &Weights) -> Result<()>;

    /// The last checkpoint, if training is being resumed.
    ///
    /// # Errors
    /// If there is one and it can't be read.
    fn resume(&mut self) -> Result<Option<Weights>>;
}

/// Trains a model family.
pub trait Trainer: Send + Sync {
    /// Name of the model family this trains, as in its card.
    fn model(&self) -> &str;

    /// Trains with one seed and returns the weights. Deterministic for a given machine and thread count; resumable.
    ///
    /// # Errors
    /// Whatever reading data or the engine find; [`crate::Error::Cancelled`] when the user stops.
    fn train(&self, config: &Config, seed: u64, bench: &mut dyn Workbench, sink: &mut dyn TrainSink) -> Result<Weights>;
}
