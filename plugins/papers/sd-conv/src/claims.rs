//! The bars of specification section 6, re-measured from the trained weights of all arms.

mod bars;
mod exam;

pub use exam::{Exam, Scored};

use crate::config::PaperConfig;
use crate::model::SdConv;
use crate::network::TinySd;
use std::collections::BTreeMap;
use zoo_core::{ClaimOutcome, Config, Error, Level, Result, Workbench};

/// Mean; NaN of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Standard error of the mean; NaN of fewer than two.
pub fn standard_error(values: &[f64]) -> f64 {
    let middle = mean(values);
    let squares: f64 = values.iter().map(|v| (v - middle).powi(2)).sum();
    (squares / (values.len() as f64 - 1.0) / values.len() as f64).sqrt()
}

/// A trained arm of one seed, and what it gave on the test split.
pub(crate) struct Run {
    pub(crate) net: TinySd,
    pub(crate) paper: PaperConfig,
    pub(crate) thresholds: Option<String>,
    pub(crate) logged_density: Option<String>,
    pub(crate) scored: Scored,
}

/// All arms with every seed.
pub(crate) struct Runs {
    seeds: Vec<u64>,
    runs: BTreeMap<(String, u64), Run>,
}

impl Runs {
    /// The runs of an arm in the order of the seeds; `None` unless every seed is there.
    pub(crate) fn arm(&self, arm: &str) -> Option<Vec<&Run>> {
        self.seeds.iter().map(|seed| self.runs.get(&(arm.to_string(), *seed))).collect()
    }

    pub(crate) fn seeds(&self) -> &[u64] {
        &self.seeds
    }

    pub(crate) fn arms(&self) -> Vec<String> {
        let mut arms: Vec<String> = self.runs.keys().map(|(arm, _)| arm.clone()).collect();
        arms.dedup();
        arms
    }
}

/// Runs every trained arm over the test split. An arm that is not registered with a seed is left out, with a warning.
fn run_arms(family: &SdConv, paper: &PaperConfig, bench: &mut dyn Workbench) -> Result<Runs> {
    let claims = paper.claims.clone().ok_or_else(|| Error::NotOffered {
        who: "sd-conv".into(),
        what: "claims".into(),
        hint: "its configuration counts no runs; the bars are claimed by sd-conv/digits-sd03".into(),
    })?;
    let exam = Exam::read(paper, bench)?;
    let mut runs = BTreeMap::new();
    for (arm, model) in &claims.arms {
        for &seed in &claims.seeds {
            let (weights, config) = match bench.weights(model, Some(seed)) {
                Ok(found) => found,
                Err(error @ Error::Unknown { .. }) => {
                    bench.log(Level::Warn, "sd-conv", &format!("arm `{arm}`, seed {seed}: {error}"));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let paper = PaperConfig::read(&config)?;
            let scored = exam.run(family, &weights, &config, &format!("{arm}, seed {seed}"), bench)?;
            let value = |key: &str| weights.metadata.get(key).cloned();
            let (thresholds, logged_density) = (value("thresholds"), value("density"));
            let net = TinySd::read(paper.network.clone(), &weights)?;
            runs.insert((arm.clone(), seed), Run { net, paper, thresholds, logged_density, scored });
        }
    }
    Ok(Runs { seeds: claims.seeds, runs })
}

/// Measures all bars.
///
/// # Errors
/// [`Error::NotOffered`] for a configuration without counted runs; whatever loading and measuring find.
pub fn claims(family: &SdConv, _: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
    let paper = PaperConfig::read(config)?;
    let runs = run_arms(family, &paper, bench)?;
    let mut outcomes = bars::outcomes(&runs);
    outcomes.extend(exam::parity(family, &paper, bench)?);
    Ok(outcomes)
}
