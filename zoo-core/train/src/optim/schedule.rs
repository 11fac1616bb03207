//! Learning rates over a training run.

/// A learning rate as a function of progress, after an optional linear warm-up. Progress is counted in whatever unit
/// the caller steps by (epochs or batches); the forms are PyTorch's closed forms.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    base: f64,
    shape: Shape,
    warm_up: u64,
}

#[derive(Clone, Debug, PartialEq)]
enum Shape {
    Constant,
    Cosine { total: u64, floor: f64 },
    Step { every: u64, factor: f64 },
    Milestones { at: Vec<u64>, factor: f64 },
}

impl Schedule {
    /// Always `base`.
    pub fn constant(base: f64) -> Self {
        Self { base, shape: Shape::Constant, warm_up: 0 }
    }

    /// Half a cosine from `base` at 0 to `floor` at `total` (`CosineAnnealingLR`); `floor` afterwards.
    pub fn cosine(base: f64, total: u64, floor: f64) -> Self {
        Self { base, shape: Shape::Cosine { total, floor }, warm_up: 0 }
    }

    /// Multiplied by `factor` after every `every` (`StepLR`).
    pub fn step(base: f64, every: u64, factor: f64) -> Self {
        Self { base, shape: Shape::Step { every, factor }, warm_up: 0 }
    }

    /// Multiplied by `factor` at each of the milestones (`MultiStepLR`).
    pub fn milestones(base: f64, at: impl Into<Vec<u64>>, factor: f64) -> Self {
        Self { base, shape: Shape::Milestones { at: at.into(), factor }, warm_up: 0 }
    }

    /// Rises linearly over the first `steps`: the rate at step `i` is multiplied by `(i + 1) / steps`. The shape runs
    /// on underneath.
    #[must_use]
    pub fn warm_up(self, steps: u64) -> Self {
        Self { warm_up: steps, ..self }
    }

    /// The rate at step `i`, counted from 0.
    #[allow(clippy::cast_precision_loss, reason = "counts of steps")]
    pub fn at(&self, i: u64) -> f64 {
        let rate = match &self.shape {
            Shape::Constant => self.base,
            Shape::Cosine { total, floor } => {
                let progress = if *total == 0 { 1.0 } else { (i as f64 / *total as f64).min(1.0) };
                floor + (self.base - floor) * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
            }
            Shape::Step { every, factor } => self.base * factor.powf(i.checked_div(*every).unwrap_or(0) as f64),
            Shape::Milestones { at, factor } => self.base * factor.powf(at.iter().filter(|&&m| m <= i).count() as f64),
        };
        if i < self.warm_up { rate * (i + 1) as f64 / self.warm_up as f64 } else { rate }
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;

    #[test]
    fn rates_by_hand() {
        let cosine = Schedule::cosine(1.0, 4, 0.2);
        let expected = [1.0, 0.2 + 0.8 * 0.853_553_390_593_273_8, 0.6, 0.2 + 0.8 * 0.146_446_609_406_726_2, 0.2, 0.2];
        (0..6).zip(expected).for_each(|(i, e)| assert!((cosine.at(i) - e).abs() < 1e-12, "{i}"));
        let step = Schedule::step(1.0, 3, 0.1);
        [1.0, 1.0, 1.0, 0.1, 0.1, 0.1, 0.01].iter().zip(0..).for_each(|(e, i)| assert!((step.at(i) - e).abs() < 1e-12));
        let marks = Schedule::milestones(2.0, [2, 5], 0.5).warm_up(2);
        [1.0, 2.0, 1.0, 1.0, 1.0, 0.5].iter().zip(0..).for_each(|(e, i)| assert!((marks.at(i) - e).abs() < 1e-12, "{i}"));
        assert_eq!(Schedule::constant(0.3).at(u64::MAX), 0.3);
        assert_eq!(Schedule::step(0.3, 0, 0.1).at(5), 0.3);
    }
}
