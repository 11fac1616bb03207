//! Masks from learnable thresholds (specification section 3.3 and 3.4).

/// How a free parameter becomes a threshold of at least 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThresholdForm {
    /// `ln(1 + e^s)`.
    Softplus,
    /// `sigmoid(s)` times the greatest absolute weight.
    Sigmoid,
}

impl ThresholdForm {
    /// The threshold of a parameter and its derivative; `largest` is the greatest absolute weight.
    pub fn threshold(self, s: f64, largest: f64) -> (f64, f64) {
        let sigmoid = 1.0 / (1.0 + (-s).exp());
        match self {
            Self::Softplus => (s.max(0.0) + (-s.abs()).exp().ln_1p(), sigmoid),
            Self::Sigmoid => (sigmoid * largest, sigmoid * (1.0 - sigmoid) * largest),
        }
    }
}

/// Whether a weight is kept: its size is at least the threshold, so a threshold of 0 keeps all.
pub fn keeps(weight: f64, threshold: f64) -> bool {
    weight.abs() >= threshold
}

/// What stands for the derivative of the step at `q = |w| - t` on the way back (the piecewise estimator of dynamic sparse
/// training): `2 - 4|q|` up to 0.4, 0.4 up to 1, else 0.
pub fn step_slope(q: f64) -> f64 {
    match q.abs() {
        q if q <= 0.4 => 2.0 - 4.0 * q,
        q if q <= 1.0 => 0.4,
        _ => 0.0,
    }
}

/// Gradients of a weight and of its threshold under the hard mask, from that of the masked weight `m w`.
pub fn hard_backward(weight: f64, threshold: f64, gradient: f64) -> (f64, f64) {
    let slope = step_slope(weight.abs() - threshold);
    let kept = f64::from(u8::from(keeps(weight, threshold)));
    (gradient * (kept + weight * slope * weight.signum()), -gradient * weight * slope)
}

/// The soft threshold `sign(w) max(|w| - t, 0)`.
pub fn soft(weight: f64, threshold: f64) -> f64 {
    weight.signum() * (weight.abs() - threshold).max(0.0)
}

/// Gradients of a weight and of its threshold under the soft threshold.
pub fn soft_backward(weight: f64, threshold: f64, gradient: f64) -> (f64, f64) {
    if weight.abs() > threshold { (gradient, -gradient * weight.signum()) } else { (0.0, 0.0) }
}

/// Holds the density at a target by moving the weight of the sparsity pressure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DensityController {
    /// Wanted share of weights kept.
    pub target: f64,
    /// Change of the pressure a unit of error.
    pub rate: f64,
    /// Pressure `alpha` on `mean exp(-t)`; negative pushes towards more weights.
    pub alpha: f64,
}

impl DensityController {
    /// Takes in the density of now.
    pub fn observe(&mut self, density: f64) {
        self.alpha += self.rate * (density - self.target);
    }
}
