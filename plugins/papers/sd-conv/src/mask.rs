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

/// Holds the density at a target: the pressure follows the error and, slowly, its sum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DensityController {
    /// Wanted share of weights kept.
    pub target: f64,
    /// Pressure a unit of error.
    pub gain: f64,
    /// Growth of `alpha` a step and unit of error.
    pub rate: f64,
    /// Bound on either part of the pressure. Adam remembers the greatest gradients it has seen, so a pressure that begins
    /// far above the one that holds the density would leave thresholds too slow to come back.
    pub most: f64,
    /// The part of the pressure that remembers.
    pub alpha: f64,
}

impl DensityController {
    /// Takes in the density of now and gives the pressure on `mean exp(-t)`; a negative one pushes towards more weights.
    pub fn observe(&mut self, density: f64) -> f64 {
        let error = density - self.target;
        let now = (self.gain * error).clamp(-self.most, self.most);
        // Far from the target nothing is learned about what holds it.
        if now.abs() < self.most {
            self.alpha = (self.alpha + self.rate * error).clamp(-self.most, self.most);
        }
        self.alpha + now
    }
}
