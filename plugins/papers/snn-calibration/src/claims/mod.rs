//! The bars of the reproduction (specification section 9), re-measured over all seeds with their controls.

mod bars;
mod control;
mod events;
mod seed_run;
mod study;

pub(crate) use bars::{deviation, mean};
pub use control::permuted_bias;
pub use events::{Agreement, compare};
pub use seed_run::{Fallen, SeedRun, measure};
pub use study::{Arm, Exam, Score, Study};

use crate::config::PaperConfig;
use zoo_core::{ClaimOutcome, Config, Error, Level, Result, Workbench};

/// Measures all bars.
///
/// # Errors
/// [`Error::NotOffered`] for a configuration without counted runs; whatever loading and measuring find.
pub fn claims(model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
    let paper = PaperConfig::read(config)?;
    let Some(claims) = paper.claims.clone().filter(|c| !c.seeds.is_empty()) else {
        return Err(Error::NotOffered { who: model.into(), what: "claims".into(), hint: "its configuration counts no runs".into() });
    };
    let exam = Exam::read(&paper, "test", 0..usize::MAX, bench)?;
    let mut runs = Vec::new();
    let mut agreements = Vec::new();
    for &seed in &claims.seeds {
        let (run, snn) = measure(&paper, &claims, seed, &exam, bench)?;
        agreements.push(match compare(&snn, &exam, bench) {
            // What the executor can't do is a finding about bar 8, not a reason to lose the others.
            Err(error) if !matches!(error, Error::Cancelled) => {
                bench.log(Level::Warn, "snn-calibration", &format!("seed {seed}: the event-driven run failed: {error}"));
                Err(error.to_string())
            }
            other => Ok(other?),
        });
        runs.push(run);
    }
    Ok(bars::outcomes(&claims, &runs, &agreements))
}
