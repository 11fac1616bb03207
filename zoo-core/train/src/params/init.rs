//! How fresh parameters are drawn.

use crate::seeds::standard_normal;
use rand::Rng;

/// Distribution of a fresh tensor's values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// One value everywhere.
    Constant(f32),
    /// Uniform between minus and plus the bound.
    Uniform {
        /// The bound.
        bound: f32,
    },
    /// Normal around 0.
    Normal {
        /// Standard deviation.
        std: f32,
    },
    /// PyTorch's default for the weights and biases of linear and convolution layers: uniform between minus and plus
    /// `1 / sqrt(fan_in)`.
    FanIn {
        /// Inputs that enter one output.
        fan_in: usize,
    },
    /// Kaiming's normal for layers followed by a rectifier: standard deviation `sqrt(2 / fan)`.
    Kaiming {
        /// Inputs (or outputs) of one output (or input).
        fan: usize,
    },
}

impl Init {
    /// Draws `count` values.
    #[allow(clippy::cast_precision_loss, reason = "fans are small")]
    pub(super) fn draw(self, count: usize, rng: &mut impl Rng) -> Vec<f32> {
        match self {
            Self::Constant(value) => vec![value; count],
            Self::Uniform { bound } => (0..count).map(|_| bound * (2.0 * rng.random::<f32>() - 1.0)).collect(),
            Self::Normal { std } => (0..count).map(|_| std * standard_normal(rng)).collect(),
            Self::FanIn { fan_in } => Self::Uniform { bound: 1.0 / (fan_in.max(1) as f32).sqrt() }.draw(count, rng),
            Self::Kaiming { fan } => Self::Normal { std: (2.0 / fan.max(1) as f32).sqrt() }.draw(count, rng),
        }
    }
}
