//! DetHebb: the familiarity detector that needs no training (specification section 3, after the 2022 paper's analysis).
//!
//! An item's first `n` bits address one of `2^n` hidden units, the other `D` are stored anti-Hebbianly in the plastic
//! weights of the addressed unit. A repeated item meets its own trace, the unit stays silent, and silence means familiar.

use crate::task::Stream;
use zoo_core::{Error, Result};

/// Most address bits: the hidden layer doubles with each.
const MOST_ADDRESS_BITS: usize = 16;

/// What the detector is designed for.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Design {
    /// Address bits.
    pub address: usize,
    /// Plastic bits.
    pub plastic: usize,
    /// Share of repeats.
    pub repeats: f64,
    /// Wanted false-positive rate.
    pub false_positive: f64,
    /// Wanted true-positive rate.
    pub true_positive: f64,
}

/// The detector.
#[derive(Clone, Debug, PartialEq)]
pub struct DetHebb {
    /// What it is designed for.
    pub design: Design,
    /// Decay of the plastic weights.
    pub gamma: f64,
    /// Bias of every unit.
    pub bias: f64,
}

impl DetHebb {
    /// Works out decay and bias.
    ///
    /// # Errors
    /// [`Error::Config`] for rates outside `(0, 1)`, no or too many bits, or rates that no decay can give.
    pub fn new(design: Design) -> Result<Self> {
        let fail =
            |key: &str, expected: &str, found: String| Error::Config { key: format!("det-hebb.{key}"), expected: expected.into(), found };
        if design.address == 0 || design.address > MOST_ADDRESS_BITS {
            return Err(fail("address", "1 to 16 bits", design.address.to_string()));
        }
        if design.plastic == 0 || design.plastic > 1 << 16 {
            return Err(fail("plastic", "1 to 2^16 bits", design.plastic.to_string()));
        }
        let open = |p: f64| p > 0.0 && p < 1.0;
        if !open(design.repeats) || !open(design.false_positive) || !open(design.true_positive) {
            let found = format!("{}, {} and {}", design.repeats, design.false_positive, design.true_positive);
            return Err(fail("rates", "three numbers between 0 and 1", found));
        }
        let inverse = |p: f64| statrs::function::erf::erfc_inv(2.0 * p);
        let alpha = (inverse(design.false_positive) - inverse(design.true_positive)) * (2.0 * std::f64::consts::E).sqrt();
        let (d, units) = (design.plastic as f64, (1usize << design.address) as f64);
        let gamma = 1.0 - alpha * alpha * design.repeats / (2.0 * d * units);
        if !(alpha > 0.0 && gamma > 0.0 && gamma < 1.0) {
            return Err(fail("rates", "rates and sizes that give a decay between 0 and 1", format!("a decay of {gamma}")));
        }
        let bias = d * (inverse(design.false_positive) * std::f64::consts::SQRT_2 / alpha - design.address as f64);
        Ok(Self { design, gamma, bias })
    }

    /// Hidden units.
    pub fn units(&self) -> usize {
        1 << self.design.address
    }

    /// Static weights `[units, address]`, row-major: all sign vectors times the number of plastic bits.
    pub fn addresses(&self) -> Vec<f64> {
        let sign = |unit: usize, bit: usize| if unit >> bit & 1 == 1 { self.design.plastic as f64 } else { -(self.design.plastic as f64) };
        (0..self.units()).flat_map(|unit| (0..self.design.address).map(move |bit| sign(unit, bit))).collect()
    }

    /// Answers to a whole stream (1 familiar, 0 new) and the number of units that fired.
    ///
    /// # Errors
    /// [`Error::Shape`] if items are not `address + plastic` bits wide.
    pub fn answers(&self, stream: &Stream) -> Result<(Vec<f64>, u64)> {
        let (address, plastic) = (self.design.address, self.design.plastic);
        if stream.d != address + plastic {
            return Err(Error::shape("items of the stream", address + plastic, stream.d));
        }
        let weights = self.addresses();
        let mut memory = vec![0.0; self.units() * plastic];
        let mut spikes = 0;
        let answers = (0..stream.steps())
            .map(|t| {
                let (place, content) = stream.item(t).split_at(address);
                let mut fired = 0;
                for (row, w) in memory.chunks_exact_mut(plastic).zip(weights.chunks_exact(address)) {
                    let drive: f64 = w.iter().zip(place).map(|(w, x)| w * x).sum::<f64>()
                        + self.bias
                        + row.iter().zip(content).map(|(m, x)| m * x).sum::<f64>();
                    let h = f64::from(u8::from(drive > 0.0));
                    row.iter_mut().zip(content).for_each(|(m, x)| *m = self.gamma * *m - h * x);
                    fired += u64::from(drive > 0.0);
                }
                spikes += fired;
                f64::from(u8::from(fired == 0))
            })
            .collect();
        Ok((answers, spikes))
    }
}
