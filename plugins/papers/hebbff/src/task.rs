//! Continual familiarity detection (specification section 2).

use rand::Rng;
use zoo_core::{Error, Result};

/// Longest stream and widest item that are made.
const LARGEST: usize = 1 << 20;

/// What a stream is made of.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Task {
    /// Bits of an item.
    pub d: usize,
    /// Steps of a stream.
    pub steps: usize,
    /// Steps from an item to its repeat.
    pub delay: usize,
    /// Probability that an item which may be repeated is.
    pub repeat: f64,
}

/// Items with their labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// Bits of an item.
    pub d: usize,
    /// Items one after another, -1 or +1.
    pub items: Vec<f64>,
    /// Whether each item is a repeat.
    pub familiar: Vec<bool>,
}

impl Task {
    /// Checks the values.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn check(&self) -> Result<()> {
        let fail = |key: &str, expected: &str, found: String| Err(Error::Config { key: key.into(), expected: expected.into(), found });
        if self.d == 0 || self.d > LARGEST {
            return fail("task.d", "1 to 2^20 bits", self.d.to_string());
        }
        if self.steps == 0 || self.steps.saturating_mul(self.d) > 64 * LARGEST {
            return fail("task.steps", "1 or more, and at most 2^26 values a stream", self.steps.to_string());
        }
        if self.delay == 0 || self.delay >= self.steps {
            return fail("task.delay", "1 or more and fewer than the steps", self.delay.to_string());
        }
        if !(0.0..=1.0).contains(&self.repeat) {
            return fail("task.repeat", "a probability", self.repeat.to_string());
        }
        Ok(())
    }

    /// The same task with another delay.
    #[must_use]
    pub fn with_delay(self, delay: usize) -> Self {
        Self { delay, ..self }
    }

    /// A fresh stream. At each step from `delay` on, the item `delay` steps ago is repeated with probability `repeat` if it
    /// was itself new; so the share of repeats is `repeat / (1 + repeat)`, 1/3 at 0.5.
    pub fn stream(&self, rng: &mut impl Rng) -> Stream {
        let mut stream = Stream { d: self.d, items: Vec::with_capacity(self.steps * self.d), familiar: Vec::with_capacity(self.steps) };
        for t in 0..self.steps {
            let coin: f64 = rng.random();
            let again = t >= self.delay && !stream.familiar[t - self.delay] && coin < self.repeat;
            if again {
                stream.items.extend_from_within((t - self.delay) * self.d..(t - self.delay + 1) * self.d);
            } else {
                stream.items.extend((0..self.d).map(|_| if rng.random::<bool>() { 1.0 } else { -1.0 }));
            }
            stream.familiar.push(again);
        }
        stream
    }
}

impl Stream {
    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.familiar.len()
    }

    /// Item of a step.
    pub fn item(&self, t: usize) -> &[f64] {
        &self.items[t * self.d..(t + 1) * self.d]
    }
}
