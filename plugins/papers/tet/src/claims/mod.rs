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
pub use stats::mean;

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
    sdt: Option<String>,
    tet: Option<String>,
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

    /// The arm of SDT that TET is compared with; `None` if the pilot is not whole.
    pub(crate) fn best_sdt(&self) -> Option<&str> {
        self.sdt.as_deref()
    }

    /// The arm of TET that is compared; `None` if the pilot is not whole.
    pub(crate) fn best_tet(&self) -> Option<&str> {
        self.tet.as_deref()
    }
}

/// The arm whose pilot has the greatest validation accuracy; the first one wins a tie. No test item plays a part.
fn choose(among: &[String], claims: &ClaimsConfig, bench: &mut dyn Workbench) -> Result<Option<String>> {
    if let [only] = among {
        return Ok(Some(only.clone()));
    }
    let mut best: Option<(&String, f64)> = None;
    for arm in among {
        let Some(model) = claims.arms.get(arm) else { return Ok(None) };
        let accuracy = match bench.weights(model, Some(claims.pilot_seed)) {
            Ok((weights, _)) => weights.metadata.get("val_accuracy").and_then(|text| text.parse::<f64>().ok()),
            Err(Error::Unknown { .. }) => None,
            Err(error) => return Err(error),
        };
        let Some(accuracy) = accuracy else {
            bench.log(
                Level::Warn,
                "tet",
                &format!("arm `{arm}` has no pilot (seed {}): bars that compare it stay unmeasured", claims.pilot_seed),
            );
            return Ok(None);
        };
        if best.is_none_or(|(_, value)| accuracy > value) {
            best = Some((arm, accuracy));
        }
    }
    Ok(best.map(|(arm, _)| arm.clone()))
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
    let (sdt, tet) = (choose(&claims.sdt, claims, bench)?, choose(&claims.tet, claims, bench)?);
    let mut results = Results { scored: BTreeMap::new(), arms: BTreeMap::new(), sdt, tet };
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
    let items = paper.claims.as_ref().and_then(|c| c.items).unwrap_or(usize::MAX);
    let steps = if family.input() == crate::model::Input::Images { STILL_STEPS } else { paper.steps };
    Exam::read(family.input(), [&paper.data.name, "test"], items, paper.network.input, steps, bench)
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
