//! A training run: epochs over shuffled batches, with a log, progress, checkpoints and resumption.

mod checkpoint;
mod meter;
mod sink;

pub use checkpoint::{Checkpoint, RngState};
pub use meter::Meter;
pub use sink::FileSink;

use crate::optim::{Optimiser, Schedule};
use crate::params::{Mode, ParamStore};
use burn::tensor::Tensor;
use rand_chacha::ChaCha12Rng;
use serde_json::{Map, Value, json};
use zoo_core::{Error, Reporter, Result, TrainSink};

/// How long and in which pieces to train.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Passes over the data.
    pub epochs: u64,
    /// Items a step; the last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// Leave out a last batch that is not full (batch statistics of a few items are poor).
    pub drop_last: bool,
    /// Learning rate at the epoch, or at the step if `per_step`.
    pub schedule: Schedule,
    /// Ask the schedule at every step instead of every epoch.
    pub per_step: bool,
    /// Bound on the norm of the gradient.
    pub clip_norm: Option<f64>,
}

/// One batch of a run.
#[derive(Debug)]
pub struct Step<'a> {
    /// Epoch, from 0.
    pub epoch: u64,
    /// Items of the batch.
    pub indices: &'a [usize],
    /// Random numbers of this batch (augmentation, noise, dropout): a stream of its own, so that a resumed run draws
    /// what the uninterrupted one would have.
    pub rng: ChaCha12Rng,
}

/// What the model reports of one batch.
#[derive(Clone, Debug)]
pub struct StepResult {
    /// The loss to differentiate, one element: the mean over the batch.
    pub loss: Tensor<1>,
    /// Items classified correctly, if the task has classes.
    pub correct: Option<usize>,
}

/// What is trained on what.
pub trait Recipe {
    /// Number of training items.
    fn items(&self) -> usize;

    /// Runs the model on one batch.
    ///
    /// # Errors
    /// Whatever the model finds.
    fn step(&mut self, params: &mut ParamStore, step: Step<'_>) -> Result<StepResult>;

    /// May validate after an epoch; what it returns joins the epoch's line of the log. Must not draw from anything that
    /// outlives the epoch.
    ///
    /// # Errors
    /// Whatever validation finds.
    fn after_epoch(&mut self, params: &mut ParamStore, epoch: u64) -> Result<Map<String, Value>> {
        let _ = (params, epoch);
        Ok(Map::new())
    }
}

/// Trains `params` and returns after the last epoch.
///
/// After each epoch the sink keeps a checkpoint; a sink that has one resumes from it, and the result is the same, bit
/// for bit, as that of a run never interrupted (on the same machine).
///
/// # Errors
/// Those of the recipe and the sink; [`Error::Runtime`] if the loss is not a finite number; [`Error::Cancelled`].
pub fn train(
    plan: &Plan,
    params: &mut ParamStore,
    optimiser: &mut Optimiser,
    recipe: &mut dyn Recipe,
    sink: &mut dyn TrainSink,
    reporter: &dyn Reporter,
) -> Result<()> {
    let items = recipe.items();
    if plan.batch_size == 0 || items == 0 {
        return Err(Error::argument("batch size and items", "at least one of each", format!("{} and {items}", plan.batch_size)));
    }
    let first = match sink.resume()? {
        Some(weights) => Checkpoint::from_weights(&weights)?.restore(params, optimiser)?,
        None => 0,
    };
    let seeds = params.seeds();
    let per_epoch = if plan.drop_last { items / plan.batch_size } else { items.div_ceil(plan.batch_size) };
    let mut meter = Meter::new((first * items as u64, plan.epochs.saturating_mul(items as u64)));
    for epoch in first..plan.epochs {
        params.set_mode(Mode::Train);
        let order = seeds.permutation(items, epoch);
        let (mut loss_sum, mut correct, mut seen) = (0.0, None, 0);
        for (index, indices) in order.chunks(plan.batch_size).take(per_epoch).enumerate() {
            reporter.check()?;
            let step_number = epoch * per_epoch as u64 + index as u64;
            let lr = plan.schedule.at(if plan.per_step { step_number } else { epoch });
            let result = recipe.step(params, Step { epoch, indices, rng: seeds.stream("step", step_number) })?;
            let loss = crate::params::to_host(result.loss.clone()).first().copied().unwrap_or(f32::NAN);
            if !loss.is_finite() {
                return Err(Error::Runtime {
                    backend: "training engine".into(),
                    stage: format!("epoch {epoch}, batch {index}"),
                    message: format!("the loss is {loss}; a smaller learning rate or a bound on the gradient may help"),
                });
            }
            let mut grads = params.backward(&result.loss);
            if let Some(limit) = plan.clip_norm {
                grads.clip_norm(limit);
            }
            optimiser.step(params, &grads, lr)?;
            #[allow(clippy::cast_precision_loss, reason = "a batch size")]
            {
                loss_sum += f64::from(loss) * indices.len() as f64;
            }
            seen += indices.len();
            correct = result.correct.map(|c| c + correct.unwrap_or(0)).or(correct);
            meter.add(indices.len() as u64);
            reporter.progress("training", meter.done(), Some(meter.total()), "items");
        }
        let mut line = Map::new();
        #[allow(clippy::cast_precision_loss, reason = "counts of items")]
        {
            line.insert("epoch".into(), json!(epoch));
            line.insert("lr".into(), json!(plan.schedule.at(if plan.per_step { epoch * per_epoch as u64 } else { epoch })));
            line.insert("loss".into(), json!(loss_sum / seen.max(1) as f64));
            if let Some(correct) = correct {
                line.insert("accuracy".into(), json!(correct as f64 / seen.max(1) as f64));
            }
        }
        line.extend(meter.line());
        line.extend(recipe.after_epoch(params, epoch)?);
        sink.log(Value::Object(line))?;
        sink.save(&Checkpoint::new(epoch + 1, params, optimiser)?.into_weights())?;
    }
    Ok(())
}

/// Replaces the running averages of all batch normalisations by plain means over `batches` training batches (of
/// `batch_size` items, drawn without repetition), then goes to evaluation. `forward` runs the model on the items it
/// is given.
///
/// # Errors
/// Those of `forward`; [`Error::Cancelled`].
pub fn recalibrate(
    params: &mut ParamStore,
    items: usize,
    batch_size: usize,
    batches: usize,
    reporter: &dyn Reporter,
    mut forward: impl FnMut(&mut ParamStore, &[usize]) -> Result<()>,
) -> Result<()> {
    let order = params.seeds().permutation(items, u64::MAX);
    params.start_recalibration();
    for (index, indices) in order.chunks(batch_size.max(1)).take(batches).enumerate() {
        reporter.check()?;
        reporter.progress("recalibrating batch norm", index as u64, Some(batches as u64), "batches");
        forward(params, indices)?;
    }
    params.set_mode(Mode::Eval);
    Ok(())
}
