//! A run between two iterations, and where it is kept.

use zoo_core::{Error, Result, Tensor, Weights};

/// Everything a run needs to go on; streams are drawn by the number of the iteration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Parameters.
    pub theta: Vec<f64>,
    /// Moments of Adam.
    pub moments: [Vec<f64>; 2],
    /// Steps of Adam, which are the iterations done.
    pub iteration: u64,
    /// Delay of the streams.
    pub delay: usize,
    /// Last accuracies that the curriculum looks at.
    pub recent: Vec<f64>,
    /// Iterations since the delay grew.
    pub since_increment: u64,
}

/// Keeps states and gives back the last.
pub trait Checkpoints {
    /// The state to go on from, if a run is resumed.
    ///
    /// # Errors
    /// If there is one and it can't be read.
    fn resume(&mut self) -> Result<Option<State>>;

    /// Keeps a state in place of the last.
    ///
    /// # Errors
    /// If it can't be written.
    fn keep(&mut self, state: &State) -> Result<()>;
}

/// Keeps nothing.
impl Checkpoints for () {
    fn resume(&mut self) -> Result<Option<State>> {
        Ok(None)
    }

    fn keep(&mut self, _: &State) -> Result<()> {
        Ok(())
    }
}

impl State {
    /// As a checkpoint of the run of one seed.
    ///
    /// # Errors
    /// [`Error::Shape`] if a size overflows.
    pub fn weights(&self, seed: u64) -> Result<Weights> {
        let mut file = Weights::new();
        let [first, second] = &self.moments;
        for (name, values) in [("theta", &self.theta), ("first", first), ("second", second), ("recent", &self.recent)] {
            file.insert(name, Tensor::from_vec([values.len()], values.clone())?);
        }
        let numbers =
            [("seed", seed), ("iteration", self.iteration), ("delay", self.delay as u64), ("since_increment", self.since_increment)];
        file.metadata.extend(numbers.map(|(name, value)| (name.to_string(), value.to_string())));
        Ok(file)
    }

    /// The state of a checkpoint.
    ///
    /// # Errors
    /// [`Error::Argument`] if it is of the run of another seed; [`Error::Keys`], [`Error::DType`], [`Error::Shape`],
    /// [`Error::Artifact`] if it is no checkpoint.
    pub fn read(file: &Weights, seed: u64) -> Result<Self> {
        let vector = |name: &str| -> Result<Vec<f64>> { Ok(file.get(name)?.as_slice::<f64>()?.to_vec()) };
        let number = |name: &str| -> Result<u64> {
            let text = file.metadata.get(name).map(String::as_str).unwrap_or_default();
            text.parse().map_err(|_| Error::artifact("training checkpoint", name, format!("expected a number, found `{text}`")))
        };
        if number("seed")? != seed {
            return Err(Error::argument("seed of the run that is resumed", number("seed")?.to_string(), seed));
        }
        let state = Self {
            theta: vector("theta")?,
            moments: [vector("first")?, vector("second")?],
            iteration: number("iteration")?,
            delay: usize::try_from(number("delay")?).unwrap_or(usize::MAX),
            recent: vector("recent")?,
            since_increment: number("since_increment")?,
        };
        if state.moments.iter().any(|m| m.len() != state.theta.len()) {
            return Err(Error::shape("moments of the checkpoint", [state.theta.len()], state.moments.each_ref().map(Vec::len)));
        }
        Ok(state)
    }
}
