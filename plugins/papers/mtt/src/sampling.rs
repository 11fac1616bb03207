//! Temporal structures: how many steps each stage runs for (specification section 3).

use rand::Rng;
use serde::{Deserialize, Serialize};
use zoo_core::{Error, Result};

/// How the numbers of steps of a structure are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// Every stage runs for the greatest number (standard direct training).
    Fixed,
    /// One number for all stages (naive mixture training, NMT).
    Global,
    /// A number for each stage, independent of the others (MTT).
    StageWise,
}

/// What structures are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Times {
    /// Fewest steps, drawn uniformly from here ...
    #[serde(default = "one")]
    pub min: usize,
    /// ... to here, both included; also the frames that events are cut into, and the steps of evaluation.
    pub max: usize,
    /// How.
    pub sampling: Sampling,
    /// Structures an update, `s`: their gradients are added.
    #[serde(default = "one")]
    pub structures: usize,
    /// So many blocks make a stage.
    #[serde(default = "one")]
    pub group: usize,
}

fn one() -> usize {
    1
}

/// Greatest number of time steps that is taken for sane.
pub const MAX_STEPS: usize = 1 << 12;

impl Times {
    /// Checks the values against each other.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key.
    pub fn check(&self) -> Result<()> {
        let fail = |key: &str, expected: &str, found: usize| {
            Err(Error::Config { key: key.into(), expected: expected.into(), found: found.to_string() })
        };
        if !(1..=MAX_STEPS).contains(&self.max) {
            return fail("times.max", "1 to 4096", self.max);
        }
        if !(1..=self.max).contains(&self.min) {
            return fail("times.min", "1 to `times.max`", self.min);
        }
        if !(1..=64).contains(&self.structures) {
            return fail("times.structures", "1 to 64", self.structures);
        }
        if self.group == 0 {
            return fail("times.group", "at least 1", self.group);
        }
        Ok(())
    }

    /// The structures of one update, each with a number of steps for every stage.
    pub fn draw(&self, stages: usize, rng: &mut impl Rng) -> Vec<Vec<usize>> {
        let one = |rng: &mut _| Rng::random_range(rng, self.min..=self.max);
        (0..self.structures)
            .map(|_| match self.sampling {
                Sampling::Fixed => vec![self.max; stages],
                Sampling::Global => vec![one(rng); stages],
                Sampling::StageWise => (0..stages).map(|_| one(rng)).collect(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha12Rng;

    fn times(sampling: Sampling) -> Times {
        Times { min: 1, max: 10, sampling, structures: 3, group: 1 }
    }

    #[test]
    fn one_stage_is_naive_mixture_and_one_number_is_standard_training() {
        let draw = |times: Times, stages| times.draw(stages, &mut ChaCha12Rng::seed_from_u64(5));
        assert_eq!(draw(times(Sampling::StageWise), 1), draw(times(Sampling::Global), 1));
        let single = |sampling| Times { min: 10, structures: 1, ..times(sampling) };
        assert_eq!(draw(single(Sampling::StageWise), 4), draw(single(Sampling::Fixed), 4));
    }

    #[test]
    fn numbers_are_uniform_and_independent() {
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        let mut counts = [[0u32; 10]; 2];
        let mut equal = 0;
        for structure in (0..2_000).flat_map(|_| times(Sampling::StageWise).draw(2, &mut rng)) {
            (0..2).for_each(|stage| counts[stage][structure[stage] - 1] += 1);
            equal += u32::from(structure[0] == structure[1]);
        }
        // 6,000 draws: 600 each, standard deviation 23; the same number of pairs that agree.
        assert!(counts.iter().flatten().chain([&equal]).all(|c| c.abs_diff(600) < 120), "{counts:?} {equal}");
    }
}
