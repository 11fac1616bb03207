//! The update rules themselves.

use multiversion::multiversion;

/// Stochastic gradient descent: `torch.optim.SGD`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// Factor on the running sum of gradients; 0 keeps none.
    pub momentum: f64,
    /// Factor on the parameter that is added to its gradient.
    pub weight_decay: f64,
    /// Look one momentum step ahead.
    pub nesterov: bool,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { momentum: 0.0, weight_decay: 0.0, nesterov: false }
    }
}

/// Adam and AdamW: `torch.optim.Adam`, `torch.optim.AdamW`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Decay of the running mean of gradients.
    pub beta1: f64,
    /// Decay of the running mean of squared gradients.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// AdamW: shrink the parameter by `lr * weight_decay` instead of adding to the gradient.
    pub decoupled: bool,
}

impl Default for Adam {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, decoupled: false }
    }
}

/// An update rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// Stochastic gradient descent.
    Sgd(Sgd),
    /// Adam or AdamW.
    Adam(Adam),
}

impl From<Sgd> for Rule {
    fn from(rule: Sgd) -> Self {
        Self::Sgd(rule)
    }
}

impl From<Adam> for Rule {
    fn from(rule: Adam) -> Self {
        Self::Adam(rule)
    }
}

/// What a rule remembers of one parameter.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Slot {
    pub(super) first: Vec<f32>,
    pub(super) second: Vec<f32>,
    pub(super) steps: u64,
}

impl Rule {
    /// One step on one parameter. Scalars are worked out in double precision, as PyTorch does.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "parameters are f32")]
    pub(super) fn apply(&self, values: &mut [f32], grad: &[f32], slot: &mut Slot, lr: f64, decays: bool) {
        slot.steps += 1;
        match *self {
            Self::Sgd(sgd) => {
                let decay = if decays { sgd.weight_decay as f32 } else { 0.0 };
                if sgd.momentum == 0.0 {
                    return plain(values, grad, decay, lr as f32);
                }
                let first = slot.first.len() != values.len();
                slot.first.resize(values.len(), 0.0);
                // The first step starts the sum at the gradient itself.
                let keep = if first { 0.0 } else { sgd.momentum as f32 };
                let ahead = if sgd.nesterov { sgd.momentum as f32 } else { 1.0 };
                momentum(values, grad, &mut slot.first, [decay, keep, lr as f32, ahead], sgd.nesterov);
            }
            Self::Adam(adam) => {
                slot.first.resize(values.len(), 0.0);
                slot.second.resize(values.len(), 0.0);
                let decay = if decays { adam.weight_decay } else { 0.0 };
                let (shrink, decay) = if adam.decoupled { ((1.0 - lr * decay) as f32, 0.0) } else { (1.0, decay as f32) };
                let power = slot.steps.min(i32::MAX as u64) as i32;
                let (bias1, bias2) = (1.0 - adam.beta1.powi(power), 1.0 - adam.beta2.powi(power));
                let scalars = [
                    shrink,
                    decay,
                    (1.0 - adam.beta1) as f32,
                    adam.beta2 as f32,
                    (1.0 - adam.beta2) as f32,
                    bias2.sqrt() as f32,
                    adam.eps as f32,
                    (lr / bias1) as f32,
                ];
                moments(values, grad, &mut slot.first, &mut slot.second, scalars);
            }
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
fn plain(values: &mut [f32], grad: &[f32], decay: f32, lr: f32) {
    for (p, g) in values.iter_mut().zip(grad) {
        *p -= lr * (g + decay * *p);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
fn momentum(values: &mut [f32], grad: &[f32], sum: &mut [f32], [decay, keep, lr, ahead]: [f32; 4], nesterov: bool) {
    for ((p, g), sum) in values.iter_mut().zip(grad).zip(sum) {
        let g = g + decay * *p;
        *sum = keep * *sum + g;
        *p -= lr * if nesterov { g + ahead * *sum } else { *sum };
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
fn moments(values: &mut [f32], grad: &[f32], first: &mut [f32], second: &mut [f32], scalars: [f32; 8]) {
    let [shrink, decay, fresh1, keep2, fresh2, root2, eps, step] = scalars;
    for (((p, g), m), v) in values.iter_mut().zip(grad).zip(first).zip(second) {
        *p *= shrink;
        let g = g + decay * *p;
        *m += fresh1 * (g - *m);
        *v = keep2 * *v + fresh2 * (g * g);
        *p -= step * (*m / (v.sqrt() / root2 + eps));
    }
}
