//! What the host's evaluation loop costs over a bare loop on the same session.

use crate::row::{Better, Row, median};
use std::time::Instant;
use zoo_core::{Error, Result, Session, Tensor};

/// A case of [`host`].
pub struct HostCase<'a> {
    /// Name of the case, such as `host-b64`.
    pub case: String,
    /// The inputs of every run, already stacked, as the bare loop feeds them.
    pub batches: &'a [Vec<Tensor>],
    /// Items in all batches together.
    pub items: usize,
    /// Turns of each side; at least 1.
    pub rounds: usize,
}

/// Compares the host's loop with a bare one. `evaluate` must put the same items through the session once, in batches of
/// the same size. The unit is items a second.
///
/// # Errors
/// [`Error::Argument`] for no rounds or no batches, else what either side finds.
pub fn host(case: &HostCase<'_>, session: &mut dyn Session, evaluate: &mut dyn FnMut(&mut dyn Session) -> Result<()>) -> Result<Row> {
    if case.rounds == 0 || case.items == 0 {
        return Err(Error::argument("benchmark", "at least one round and one item", format!("{} and {}", case.rounds, case.items)));
    }
    let first = case.batches.first().ok_or_else(|| Error::argument("benchmark", "at least one batch", "none"))?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..case.rounds {
        session.run(first)?;
        let start = Instant::now();
        evaluate(session)?;
        ours.push(start.elapsed().as_secs_f64());
        session.run(first)?;
        let start = Instant::now();
        for batch in case.batches {
            std::hint::black_box(session.run(batch)?);
        }
        bare.push(start.elapsed().as_secs_f64());
    }
    #[allow(clippy::cast_precision_loss, reason = "a number of items")]
    let rate = |times: &[f64]| case.items as f64 / median(times);
    Ok(Row::new("backends", &case.case, "items/s", Better::Higher, rate(&ours), "bare", rate(&bare)))
}
