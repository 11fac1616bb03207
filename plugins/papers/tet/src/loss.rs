//! The losses on plain numbers, with their gradients: what evaluation reports and what the training engine's losses are
//! checked against (specification section 3).
//!
//! Logits are `[steps, batch, classes]`, the order in which a spiking layer computes them.

use zoo_core::{Error, Result};

/// A loss and its gradient with respect to the logits.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    /// The loss.
    pub value: f64,
    /// Its gradient, in the order of the logits.
    pub gradient: Vec<f64>,
}

/// Shape of logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Time steps.
    pub steps: usize,
    /// Items.
    pub batch: usize,
    /// Classes.
    pub classes: usize,
}

impl Sizes {
    fn check(self, logits: &[f64], labels: &[usize]) -> Result<()> {
        let len = self.steps * self.batch * self.classes;
        if len == 0 || logits.len() != len || labels.len() != self.batch {
            let found = (logits.len(), labels.len());
            return Err(Error::shape("logits and labels", (self.steps, self.batch, self.classes), found));
        }
        match labels.iter().find(|&&label| label >= self.classes) {
            Some(label) => Err(Error::argument("label", format!("a class in 0..{}", self.classes), label)),
            None => Ok(()),
        }
    }
}

/// Cross entropy of one row and `softmax - target`.
fn cross_entropy(row: &[f64], label: usize) -> (f64, Vec<f64>) {
    let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = row.iter().map(|v| (v - max).exp()).sum();
    let error = row.iter().enumerate().map(|(i, v)| (v - max).exp() / sum - f64::from(u8::from(i == label))).collect();
    (max + sum.ln() - row[label], error)
}

/// Standard direct training: cross entropy of the mean over time. The gradient is the same at every step.
///
/// # Errors
/// [`Error::Shape`] or [`Error::Argument`] if sizes or labels do not fit.
pub fn sdt(logits: &[f64], labels: &[usize], sizes: Sizes) -> Result<Loss> {
    sizes.check(logits, labels)?;
    let Sizes { steps, batch, classes } = sizes;
    let scale = 1.0 / (steps * batch) as f64;
    let mut loss = Loss { value: 0.0, gradient: vec![0.0; logits.len()] };
    for (item, &label) in labels.iter().enumerate() {
        let at = |step: usize, class: usize| (step * batch + item) * classes + class;
        let mean: Vec<f64> = (0..classes).map(|c| (0..steps).map(|t| logits[at(t, c)]).sum::<f64>() / steps as f64).collect();
        let (value, error) = cross_entropy(&mean, label);
        loss.value += value / batch as f64;
        for step in 0..steps {
            error.iter().enumerate().for_each(|(class, e)| loss.gradient[at(step, class)] = e * scale);
        }
    }
    Ok(loss)
}

/// Temporal efficient training: `(1 - lambda) * mean over steps of the cross entropy + lambda * mean (O - phi)^2`.
///
/// # Errors
/// As [`sdt`].
pub fn tet(logits: &[f64], labels: &[usize], sizes: Sizes, lambda: f64, phi: f64) -> Result<Loss> {
    sizes.check(logits, labels)?;
    let rows = (sizes.steps * sizes.batch) as f64;
    let count = logits.len() as f64;
    let mut loss = Loss { value: 0.0, gradient: Vec::with_capacity(logits.len()) };
    for (index, row) in logits.chunks_exact(sizes.classes).enumerate() {
        let (value, error) = cross_entropy(row, labels[index % sizes.batch]);
        loss.value += (1.0 - lambda) * value / rows;
        for (e, o) in error.iter().zip(row) {
            loss.value += lambda * (o - phi).powi(2) / count;
            loss.gradient.push((1.0 - lambda) * e / rows + lambda * 2.0 * (o - phi) / count);
        }
    }
    Ok(loss)
}
