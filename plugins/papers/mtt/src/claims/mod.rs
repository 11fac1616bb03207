//! The bars of the reproduction (specification section 9), re-measured from the trained weights of all arms.
//!
//! All arms go through one path, which sees a network and weights; it can't see how they were trained. Test items are
//! only read here. A bar one of whose runs is not registered stays unmeasured.

mod bars;
mod exam;
mod folds;
mod stats;

pub use exam::{Answers, CLOCKED, Exam, Scored};
pub use stats::{mean, spike_difference};

use crate::config::{ClaimsConfig, PaperConfig, Report};
use std::collections::BTreeMap;
use zoo_core::{ClaimOutcome, Config, Error, Level, Result, Weights, Workbench};

/// What all arms of all seeds gave.
pub(crate) struct Results {
    scored: BTreeMap<(String, u64), Scored>,
    /// Agreement on the grid of MTT's runs, by seed.
    grid: BTreeMap<u64, f64>,
    /// The arm of equal work that MTT is compared with; `None` if the pilot is not whole.
    equal: Option<String>,
}

impl Results {
    pub(crate) fn scored(&self, arm: &str, seed: u64) -> Option<&Scored> {
        self.scored.get(&(arm.to_string(), seed))
    }
}

/// Weights of a registered run, or `None` where it is not registered.
fn registered(model: &str, seed: u64, bench: &mut dyn Workbench) -> Result<Option<(Weights, PaperConfig)>> {
    match bench.weights(model, Some(seed)) {
        Ok((weights, config)) => Ok(Some((weights, PaperConfig::read(&config)?))),
        Err(error @ Error::Unknown { .. }) => {
            bench.log(Level::Warn, "mtt", &format!("{model}, seed {seed}: {error}"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The arm of equal work whose run of this seed has the greatest validation accuracy; the first one wins a tie. No test item
/// plays a part.
fn choose_equal(claims: &ClaimsConfig, seed: u64, bench: &mut dyn Workbench) -> Result<Option<String>> {
    let mut best: Option<(&String, f64)> = None;
    for arm in &claims.sdt_eq {
        let Some(model) = claims.arms.get(arm) else { return Ok(None) };
        let Some((weights, _)) = registered(model, seed, bench)? else { return Ok(None) };
        let Some(accuracy) = weights.metadata.get("val_accuracy").and_then(|text| text.parse::<f64>().ok()) else { return Ok(None) };
        if best.is_none_or(|(_, value)| accuracy > value) {
            best = Some((arm, accuracy));
        }
    }
    Ok(best.map(|(arm, _)| arm.clone()))
}

/// Measures all bars whose runs are registered.
///
/// # Errors
/// [`Error::NotOffered`] for a configuration without counted runs; whatever loading and measuring find.
pub fn claims(model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
    let paper = PaperConfig::read(config)?;
    let claims = paper.claims.clone().filter(|c| !c.seeds.is_empty()).ok_or_else(|| Error::NotOffered {
        who: model.into(),
        what: "claims".into(),
        hint: "its configuration counts no runs".into(),
    })?;
    if claims.report == Report::Folds {
        return folds::folds(&paper, &claims, bench);
    }
    let exam = Exam::read(&paper, "test", bench)?;
    let equal = match claims.pilot_seed {
        Some(pilot) => choose_equal(&claims, pilot, bench)?,
        None => None,
    };
    let mut results = Results { scored: BTreeMap::new(), grid: BTreeMap::new(), equal };
    let on_events = ["mtt", "tet", "sdt"].map(String::from);
    for (name, model) in &claims.arms {
        if claims.sdt_eq.contains(name) && results.equal.as_ref() != Some(name) {
            continue;
        }
        let events = on_events.contains(name) || results.equal.as_ref() == Some(name);
        for &seed in &claims.seeds {
            let Some((weights, paper)) = registered(model, seed, bench)? else { continue };
            let task = format!("{name}, seed {seed}");
            let scored = exam.score(&paper, &weights, &task, events, bench)?;
            if name == "mtt" && claims.report == Report::Bars {
                results.grid.insert(seed, exam.grid_agreement(&paper, &weights, &task, bench)?);
            }
            results.scored.insert((name.clone(), seed), scored);
        }
    }
    if claims.report == Report::Bars { bars::bars(&claims, &results) } else { Ok(bars::recordings(&claims, &results)) }
}
