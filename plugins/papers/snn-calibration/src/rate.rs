//! Closed form of an integrate-and-fire neuron under a constant current (specification section 2).

/// Mean output over `steps` steps of a neuron that gets `current` every step and starts at `v_init`:
/// `theta / T * clip(floor((T current + v_init) / theta), 0, T)`. Any half-threshold shift belongs into `current`.
///
/// Equal to the clocked neuron whenever the current does not change over the steps and `v_init < theta`; for a
/// changing current only while it stays in `[0, theta]`. All four in the unit of the activation.
pub fn closed_form(current: f64, v_init: f64, theta: f64, steps: u32) -> f64 {
    let t = f64::from(steps);
    ((t * current + v_init) / theta).floor().clamp(0.0, t) * theta / t
}

/// What the threshold search and weight calibration quantise with: no initial potential, no shift.
#[inline(always)]
pub fn quantise(activation: f32, theta: f32, steps: f32) -> f32 {
    (activation * (steps / theta)).clamp(0.0, steps).floor() * (theta / steps)
}
