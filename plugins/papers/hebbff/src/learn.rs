//! Training by back-propagation through time with Adam, one stream a step.

use crate::bptt;
use crate::checkpoint::{Checkpoints, State};
use crate::config::{Mode, TrainConfig};
use crate::lstm::Lstm;
use crate::net::HebbNet;
use crate::random::{Purpose, stream};
use crate::score::Score;
use crate::task::{Stream, Task};
use zoo_core::{Error, Reporter, Result};

/// Iterations between two lines of the log, and between two looks at the curriculum.
pub const LOG_EVERY: u64 = 10;
/// Iterations between two checkpoints.
const KEEP_EVERY: u64 = 500;
/// The curriculum moves on when so many logged accuracies in a row sum to [`CURRICULUM_SUM`].
const CURRICULUM_WINDOW: usize = 5;
const CURRICULUM_SUM: f64 = 4.99;

/// What can be trained here.
pub trait Learner: Clone {
    /// All parameters.
    fn theta(&mut self) -> &mut Vec<f64>;
    /// Loss on a stream and its gradient.
    fn loss_and_gradient(&self, stream: &Stream, gradient: &mut [f64]) -> f64;
    /// Answers to a stream.
    fn answers(&self, stream: &Stream) -> Vec<f64>;
    /// Puts parameters back into their range after a step.
    fn clamp(&mut self) {}
}

impl Learner for HebbNet {
    fn theta(&mut self) -> &mut Vec<f64> {
        &mut self.theta
    }

    fn loss_and_gradient(&self, stream: &Stream, gradient: &mut [f64]) -> f64 {
        bptt::loss_and_gradient(self, stream, gradient)
    }

    fn answers(&self, stream: &Stream) -> Vec<f64> {
        Self::answers(self, stream)
    }

    fn clamp(&mut self) {
        Self::clamp(self);
    }
}

impl Learner for Lstm {
    fn theta(&mut self) -> &mut Vec<f64> {
        &mut self.theta
    }

    fn loss_and_gradient(&self, stream: &Stream, gradient: &mut [f64]) -> f64 {
        Self::loss_and_gradient(self, stream, gradient)
    }

    fn answers(&self, stream: &Stream) -> Vec<f64> {
        Self::answers(self, stream)
    }
}

/// Adam (Kingma and Ba, 2015) with its usual constants.
#[derive(Clone, Debug)]
struct Adam {
    lr: f64,
    step: i32,
    first: Vec<f64>,
    second: Vec<f64>,
}

impl Adam {
    fn new(size: usize, lr: f64) -> Self {
        Self { lr, step: 0, first: vec![0.0; size], second: vec![0.0; size] }
    }

    /// Goes on from a kept state.
    fn take_up(&mut self, state: &State) {
        let [first, second] = state.moments.clone();
        (self.first, self.second, self.step) = (first, second, i32::try_from(state.iteration).unwrap_or(i32::MAX));
    }

    fn apply(&mut self, theta: &mut [f64], gradient: &[f64]) {
        const BETA: [f64; 2] = [0.9, 0.999];
        self.step += 1;
        let [unbias_first, unbias_second] = BETA.map(|b| 1.0 - b.powi(self.step));
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((theta, g), (first, second)) in theta.iter_mut().zip(gradient).zip(moments) {
            *first = BETA[0] * *first + (1.0 - BETA[0]) * g;
            *second = BETA[1] * *second + (1.0 - BETA[1]) * g * g;
            *theta -= self.lr * (*first / unbias_first) / ((*second / unbias_second).sqrt() + 1e-8);
        }
    }
}

/// One look at a run.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a, L> {
    /// Iterations done.
    pub iteration: u64,
    /// Delay of the streams at present.
    pub delay: usize,
    /// The network.
    pub net: &'a L,
    /// Loss of the last stream; `None` before the first.
    pub loss: Option<f64>,
    /// Accuracy on the last stream before the step.
    pub score: Score,
}

/// Trains `net` and returns the delay it ended with. `see` looks before the first iteration and every [`LOG_EVERY`]; a
/// run that is resumed from `kept` ends as it would have, bit for bit.
///
/// # Errors
/// [`Error::Runtime`] if the loss is not finite, [`Error::Cancelled`], [`Error::Shape`] for a checkpoint of another network,
/// whatever `kept` and `see` find.
pub fn learn<L: Learner>(
    net: &mut L,
    plan: &TrainConfig,
    task: Task,
    seed: u64,
    reporter: &dyn Reporter,
    kept: &mut dyn Checkpoints,
    mut see: impl FnMut(&Look<'_, L>) -> Result<()>,
) -> Result<usize> {
    let mut optimiser = Adam::new(net.theta().len(), plan.lr);
    let mut gradient = vec![0.0; net.theta().len()];
    let mut task = task;
    let fixed = (plan.mode == Mode::Dat).then(|| task.stream(&mut stream(seed, Purpose::Training, 0)));
    let mut recent: Vec<f64> = Vec::new();
    let mut since_increment = 0;
    let mut first = 1;
    if let Some(state) = kept.resume()? {
        if state.theta.len() != net.theta().len() {
            return Err(Error::shape("parameters of the checkpoint", [net.theta().len()], [state.theta.len()]));
        }
        net.theta().clone_from(&state.theta);
        optimiser.take_up(&state);
        (task.delay, recent, since_increment, first) = (state.delay, state.recent, state.since_increment, state.iteration + 1);
    } else {
        see(&Look { iteration: 0, delay: task.delay, net, loss: None, score: Score::default() })?;
    }
    for iteration in first..=plan.iterations {
        let fresh = fixed.is_none().then(|| task.stream(&mut stream(seed, Purpose::Training, iteration)));
        let Some(sequence) = fixed.as_ref().or(fresh.as_ref()) else { continue };
        let looks = iteration % LOG_EVERY == 0;
        let score = if looks { Score::default().add(&net.answers(sequence), &sequence.familiar) } else { Score::default() };
        let loss = net.loss_and_gradient(sequence, &mut gradient);
        if !loss.is_finite() {
            let message = format!("the loss became {loss} at iteration {iteration}; lower `train.lr`");
            return Err(Error::Runtime { backend: "hebbff".into(), stage: "training".into(), message });
        }
        optimiser.apply(net.theta(), &gradient);
        net.clamp();
        since_increment += 1;
        if looks {
            reporter.check()?;
            reporter.progress("training", iteration, Some(plan.iterations), "iterations");
            see(&Look { iteration, delay: task.delay, net, loss: Some(loss), score })?;
            if plan.mode == Mode::Cur {
                recent.push(score.accuracy());
                let last = &recent[recent.len().saturating_sub(CURRICULUM_WINDOW)..];
                if last.len() == CURRICULUM_WINDOW && last.iter().sum::<f64>() >= CURRICULUM_SUM && task.delay + 1 < task.steps {
                    task.delay += 1;
                    recent.clear();
                    since_increment = 0;
                }
                if since_increment >= plan.patience {
                    break;
                }
            }
        }
        if iteration % KEEP_EVERY == 0 {
            recent.drain(..recent.len().saturating_sub(CURRICULUM_WINDOW));
            let moments = [optimiser.first.clone(), optimiser.second.clone()];
            let theta = net.theta().clone();
            kept.keep(&State { theta, moments, iteration, delay: task.delay, recent: recent.clone(), since_increment })?;
        }
    }
    Ok(task.delay)
}

/// Score over `streams` fresh test streams.
pub fn test<L: Learner>(net: &L, task: Task, streams: u64, seed: u64) -> Score {
    (0..streams).fold(Score::default(), |score, index| {
        let stream = task.stream(&mut stream(seed, Purpose::Test, index));
        score.add(&net.answers(&stream), &stream.familiar)
    })
}
