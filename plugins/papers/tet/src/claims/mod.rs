//! The bars of the reproduction (specification section 8), re-measured from the trained weights of all arms.
//!
//! Every number follows from one array a run: the logits of every test item at every step, which one inference path
//! gives for all arms. That path sees weights and a network; it can't see which loss made them.

mod bars;
mod exam;
mod noise;
mod stats;

pub use exam::{Exam, Scored};
pub use noise::with_noise;
pub use stats::{mcnemar, mean};

use crate::config::{ClaimsConfig, PaperConfig};
use crate::model::Tet;
use std::collections::BTreeMap;
use zoo_core::{ClaimOutcome, Config, Error, Level, Result, Weights, Workbench};

/// A trained arm of one seed.
pub(crate) struct Arm {
    pub(crate) weights: Weights,
    pub(crate) paper: PaperConfig,
}

/// What all arms of all seeds gave on the test split.
pub(crate) struct Results {
    /// By arm and seed.
    scored: BTreeMap<(String, u64), Scored>,
    arms: BTreeMap<(String, u64), Arm>,
}

impl Results {
    pub(crate) fn scored(&self, arm: &str, seed: u64) -> Option<&Scored> {
        self.scored.get(&(arm.to_string(), seed))
    }

    pub(crate) fn arm(&self, arm: &str, seed: u64) -> Option<&Arm> {
        self.arms.get(&(arm.to_string(), seed))
    }

    /// Values of every seed, if every seed has one.
    pub(crate) fn by_seed<T>(&self, seeds: &[u64], value: impl Fn(u64) -> Option<T>) -> Option<Vec<T>> {
        seeds.iter().map(|&seed| value(seed)).collect()
    }

    /// The arm of SDT that validation accuracy prefers for a seed; the first one wins a tie.
    pub(crate) fn best_sdt<'a>(&self, claims: &'a ClaimsConfig, seed: u64) -> Option<&'a str> {
        let accuracy = |arm: &str| self.arm(arm, seed)?.weights.metadata.get("val_accuracy")?.parse::<f64>().ok();
        let mut best: Option<(&str, f64)> = None;
        for arm in &claims.sdt {
            let found = accuracy(arm)?;
            if best.is_none_or(|(_, value)| found > value) {
                best = Some((arm, found));
            }
        }
        best.map(|(arm, _)| arm)
    }
}

/// Steps of the test runs on still images: as many as any bar looks at.
const STILL_STEPS: usize = 8;

/// The counted configuration of a model.
pub(crate) fn counted(model: &str, config: &Config) -> Result<(PaperConfig, ClaimsConfig)> {
    let paper = PaperConfig::read(config)?;
    let claims = paper.claims.clone().filter(|c| !c.seeds.is_empty());
    let claims = claims.ok_or_else(|| Error::NotOffered {
        who: model.into(),
        what: "claims".into(),
        hint: "its configuration counts no runs".into(),
    })?;
    Ok((paper, claims))
}

/// Runs every trained arm of the seeds over a split. An arm that is not registered with a seed is left out, with a
/// warning: its bars stay unmeasured.
pub(crate) fn run_arms(family: &Tet, claims: &ClaimsConfig, seeds: &[u64], exam: &Exam, bench: &mut dyn Workbench) -> Result<Results> {
    let mut results = Results { scored: BTreeMap::new(), arms: BTreeMap::new() };
    for (name, model) in &claims.arms {
        for &seed in seeds {
            let (weights, config) = match bench.weights(model, Some(seed)) {
                Ok(found) => found,
                Err(error @ Error::Unknown { .. }) => {
                    bench.log(Level::Warn, "tet", &format!("arm `{name}`, seed {seed}: {error}"));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let paper = PaperConfig::read(&config)?;
            let scored = exam.run(family, &paper, &weights, &format!("{name}, seed {seed}"), bench)?;
            results.scored.insert((name.clone(), seed), scored);
            results.arms.insert((name.clone(), seed), Arm { weights, paper });
        }
    }
    Ok(results)
}

/// The test items at as many steps as the bars look at.
pub(crate) fn exam(family: &Tet, paper: &PaperConfig, bench: &mut dyn Workbench) -> Result<Exam> {
    let steps = if family.input() == crate::model::Input::Images { STILL_STEPS } else { paper.steps };
    Exam::read(family.input(), &paper.data.name, "test", paper.network.input, steps, bench)
}

/// Measures all bars.
///
/// # Errors
/// [`Error::NotOffered`] for a configuration without counted runs; whatever loading and measuring find.
pub fn claims(family: &Tet, model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
    let (paper, claims) = counted(model, config)?;
    let exam = exam(family, &paper, bench)?;
    let results = run_arms(family, &claims, &claims.seeds, &exam, bench)?;
    let mut outcomes = bars::outcomes(&claims, &results);
    if family.input() == crate::model::Input::Events {
        outcomes.extend(noise::flatness(family, &claims, &results, &exam, bench)?);
    }
    Ok(outcomes)
}
