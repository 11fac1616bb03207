//! The paper's claims, our bars, and what became of them.

use super::EvalOptions;
use crate::registry::ClaimEntry;
use crate::results::{Claim, Measured, Published, Run};
use crate::zoo::Zoo;
use std::collections::BTreeMap;
use zoo_core::model::Figure;
use zoo_core::{ClaimOutcome, Level, Reporter, Result};

/// The registry's claims; those that are about a metric of this run are filled in if the whole split was seen.
pub(super) fn of_metrics(entries: &[ClaimEntry], metrics: &BTreeMap<String, Measured>, options: &EvalOptions, whole: bool) -> Vec<Claim> {
    let whole = whole && options.shard.is_none();
    let claim = |entry: &ClaimEntry| {
        let bar = entry.metric.as_ref().filter(|_| whole);
        let measured = bar.and_then(|bar| metrics.get(&bar.name)).map(|m| m.estimate.value);
        let holds = bar.zip(measured).map(|(bar, value)| bar.holds(value));
        Claim {
            id: entry.id.clone(),
            published: entry.published.as_ref().map(|p| Published { value: p.value, unit: p.unit.clone(), source: p.source.clone() }),
            bar: entry.bar.clone(),
            measured,
            holds,
            gating: entry.gating,
            detail: None,
        }
    };
    entries.iter().map(claim).collect()
}

/// Pictures of a counted run, drawn again by its plugin from the recorded outcomes; none for a run without any.
///
/// # Errors
/// [`zoo_core::Error::Unknown`] for a model that is not registered any more; whatever drawing finds.
pub fn figures_of(zoo: &Zoo, run: &Run, reporter: &dyn Reporter) -> Result<Vec<Figure>> {
    let outcome = |claim: &Claim| {
        let (measured, holds) = claim.measured.zip(claim.holds)?;
        Some(ClaimOutcome { id: claim.id.clone(), measured, holds, detail: claim.detail.clone().unwrap_or_default() })
    };
    let outcomes: Vec<_> = run.claims.iter().filter_map(outcome).collect();
    if outcomes.is_empty() {
        return Ok(Vec::new());
    }
    let found = zoo.model(&run.model, reporter)?;
    found.model.figures(&run.model, &found.config, &outcomes)
}

/// Fills in what the plugin re-measured. An outcome without a claim is reported, never dropped silently; a claim without
/// an outcome stays unmeasured.
pub(super) fn fill(claims: &mut [Claim], outcomes: Vec<ClaimOutcome>, reporter: &dyn Reporter) {
    for outcome in outcomes {
        match claims.iter_mut().find(|claim| claim.id == outcome.id) {
            Some(claim) => {
                claim.measured = Some(outcome.measured);
                claim.holds = Some(outcome.holds);
                claim.detail = (!outcome.detail.is_null()).then_some(outcome.detail);
            }
            None => reporter.log(
                Level::Warn,
                "zoo_host::claims",
                &format!("the plugin measured `{}` = {}, but registry.toml has no such claim", outcome.id, outcome.measured),
            ),
        }
    }
}
