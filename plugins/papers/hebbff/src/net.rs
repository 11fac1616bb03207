//! HebbFF: a hidden layer whose weights change with every item (specification section 3).
//!
//! ```text
//! a_t = (W1 + A_t) x_t + b1          h_t = sigmoid(a_t)
//! A_{t+1} = lambda A_t + eta h_t x_t^T      y_t = sigmoid(W2 h_t + b2)
//! ```

use crate::random::normal;
use crate::task::Stream;
use rand::Rng;
use serde::{Deserialize, Serialize};

/// What the plasticity rate may become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Force {
    /// Whatever training finds: `eta = e`.
    None,
    /// Anti-Hebbian: `eta = -exp(e)`.
    #[default]
    Anti,
    /// Hebbian: `eta = exp(e)`.
    Hebb,
    /// No plasticity: `eta = 0`.
    Off,
}

/// How the decay is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LamParam {
    /// Itself, clamped to `[0, 1]` after each step.
    #[default]
    Raw,
    /// `lambda = sigmoid(l)`.
    Sigmoid,
    /// `lambda = 1 - 1 / tau`.
    Tau,
}

/// Sizes and parametrisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Bits of an item.
    pub d: usize,
    /// Hidden units.
    pub n: usize,
    /// Sign of the plasticity.
    pub force: Force,
    /// How the decay is stored.
    pub lam_param: LamParam,
}

/// A network: its form and its parameters in one vector (`W1` by columns `[d, n]`, `b1 [n]`, `W2 [n]`, `b2`, `e`, `l`).
#[derive(Clone, Debug, PartialEq)]
pub struct HebbNet {
    /// Sizes and parametrisation.
    pub form: Form,
    /// All parameters.
    pub theta: Vec<f64>,
}

/// Logistic function.
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl Form {
    /// Number of parameters.
    pub fn len(&self) -> usize {
        self.d * self.n + 2 * self.n + 3
    }

    /// Whether there are none; there always are.
    pub fn is_empty(&self) -> bool {
        false
    }
}

impl HebbNet {
    /// Initial weights: normal, scaled by fan-in; `lambda = 0.99`, `eta = -5/d` (its size where the sign is forced).
    pub fn new(form: Form, rng: &mut impl Rng) -> Self {
        let Form { d, n, force, lam_param } = form;
        let mut theta = vec![0.0; form.len()];
        theta[..d * n].iter_mut().for_each(|w| *w = normal(rng) / (d as f64).sqrt());
        theta[d * n + n..d * n + 2 * n].iter_mut().for_each(|w| *w = normal(rng) / (n as f64).sqrt());
        let eta = 5.0 / d as f64;
        theta[form.len() - 2] = match force {
            Force::None => -eta,
            Force::Anti | Force::Hebb => eta.ln(),
            Force::Off => 0.0,
        };
        theta[form.len() - 1] = match lam_param {
            LamParam::Raw => 0.99,
            LamParam::Sigmoid => (0.99f64 / 0.01).ln(),
            LamParam::Tau => 100.0,
        };
        Self { form, theta }
    }

    /// `W1` by columns, `b1`, `W2`, `b2`.
    pub fn parts(&self) -> (&[f64], &[f64], &[f64], f64) {
        let Form { d, n, .. } = self.form;
        let (w1, rest) = self.theta.split_at(d * n);
        (w1, &rest[..n], &rest[n..2 * n], rest[2 * n])
    }

    /// The plasticity rate and its derivative by its parameter.
    pub fn eta(&self) -> (f64, f64) {
        let e = self.theta[self.form.len() - 2];
        match self.form.force {
            Force::None => (e, 1.0),
            Force::Anti => (-e.exp(), -e.exp()),
            Force::Hebb => (e.exp(), e.exp()),
            Force::Off => (0.0, 0.0),
        }
    }

    /// The decay and its derivative by its parameter.
    pub fn lambda(&self) -> (f64, f64) {
        let l = self.theta[self.form.len() - 1];
        match self.form.lam_param {
            LamParam::Raw => (l, 1.0),
            LamParam::Sigmoid => (sigmoid(l), sigmoid(l) * (1.0 - sigmoid(l))),
            LamParam::Tau => (1.0 - 1.0 / l, 1.0 / (l * l)),
        }
    }

    /// Holds the decay within `[0, 1]`, as after every step of training.
    pub fn clamp(&mut self) {
        let last = self.form.len() - 1;
        match self.form.lam_param {
            LamParam::Raw => self.theta[last] = self.theta[last].clamp(0.0, 1.0),
            LamParam::Tau => self.theta[last] = self.theta[last].max(1.0),
            LamParam::Sigmoid => {}
        }
    }

    /// One step: pre-activation into `a`, activity into `h`, and the state `A` (by columns `[d, n]`) moves on.
    pub fn step(&self, x: &[f64], state: &mut [f64], a: &mut [f64], h: &mut [f64]) -> f64 {
        let n = self.form.n;
        let (w1, b1, w2, b2) = self.parts();
        let ((eta, _), (lambda, _)) = (self.eta(), self.lambda());
        a.copy_from_slice(b1);
        for ((x, w), s) in x.iter().zip(w1.chunks_exact(n)).zip(state.chunks_exact(n)) {
            for ((a, w), s) in a.iter_mut().zip(w).zip(s) {
                *a += x * (w + s);
            }
        }
        h.iter_mut().zip(&*a).for_each(|(h, a)| *h = sigmoid(*a));
        for (x, s) in x.iter().zip(state.chunks_exact_mut(n)) {
            let rate = eta * x;
            for (s, h) in s.iter_mut().zip(&*h) {
                *s = lambda * *s + rate * h;
            }
        }
        sigmoid(w2.iter().zip(&*h).map(|(w, h)| w * h).sum::<f64>() + b2)
    }

    /// Answers to a whole stream from an empty state.
    pub fn answers(&self, stream: &Stream) -> Vec<f64> {
        self.trace(stream, |_, _| {})
    }

    /// As [`HebbNet::answers`], showing pre-activation and activity of every step.
    pub fn trace(&self, stream: &Stream, mut see: impl FnMut(&[f64], &[f64])) -> Vec<f64> {
        let Form { d, n, .. } = self.form;
        let (mut state, mut a, mut h) = (vec![0.0; d * n], vec![0.0; n], vec![0.0; n]);
        (0..stream.steps())
            .map(|t| {
                let y = self.step(stream.item(t), &mut state, &mut a, &mut h);
                see(&a, &h);
                y
            })
            .collect()
    }
}
