//! The bars, re-measured over all trained networks.

mod behaviour;
mod communities;
mod modularity;

use crate::config::PaperConfig;
use zoo_core::{ClaimOutcome, Error, Result, Workbench};

/// The model whose claims these are.
const MODEL: &str = "hebbff/anti-r5";

/// All bars of the specification.
///
/// # Errors
/// [`Error::NotOffered`] for another model than the anti-Hebbian one; whatever measuring finds.
pub fn claims(model: &str, paper: &PaperConfig, bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
    if model != MODEL {
        let hint = format!("the claims of all networks are those of {MODEL}");
        return Err(Error::NotOffered { who: model.into(), what: "claims".into(), hint });
    }
    let mut outcomes = behaviour::measure(paper, bench)?;
    outcomes.extend(modularity::measure(paper, bench)?);
    outcomes.extend(communities::measure()?);
    Ok(outcomes)
}
