//! What a process of its own costs a plugin: the same library opened directly and isolated.

use crate::executor::Goal;
use crate::row::{Better, Row, median};
use std::time::{Duration, Instant};
use zoo_core::{ArtifactKind, Batch, Error, Model, Result, Session};

/// Most microseconds that isolation may add to a call.
const CALL_US: f64 = 30.0;
/// Most that isolation may add to an inference of 10 ms, as a part of it.
const INFERENCE: f64 = 0.05;
/// Calls of a turn.
const CALLS: usize = 2_000;
/// The inference that the goal is about.
const TEN_MS: Duration = Duration::from_millis(10);
/// Predictions of 10 ms for each turn of another case: they take turns one by one, since a machine's speed drifts by more in a
/// turn of many than what is measured.
const PREDICTIONS: usize = 20;

/// A case of [`isolation`].
pub struct IsolationCase<'a> {
    /// The model of the library that was opened in this process.
    pub direct: &'a dyn Model,
    /// The model of the library in a process of its own.
    pub isolated: &'a dyn Model,
    /// A batch of one item.
    pub one: Batch,
    /// Makes a batch of so many items.
    pub batch: &'a dyn Fn(usize) -> Result<Batch>,
    /// Turns of each side; at least 1.
    pub rounds: usize,
}

/// Compares a model that is opened directly with the same one isolated: a call without tensors, preprocessing of one item, a
/// prediction of one item and one that takes about 10 ms, both on a session of the host, which the model calls back. Values
/// are times of a call.
///
/// # Errors
/// [`Error::Argument`] for no rounds or where both doors do not predict the same, else what either side finds.
pub fn isolation(case: &IsolationCase<'_>, session: &mut dyn Session) -> Result<(Vec<Row>, Vec<Goal>)> {
    if case.rounds == 0 {
        return Err(Error::argument("benchmark", "at least one round", 0));
    }
    let size = items_of_ten_ms(case, session)?;
    let large = (case.batch)(size)?;
    let (mut direct, mut isolated) = (case.direct.predict(session, &large)?, case.isolated.predict(session, &large)?);
    if direct != isolated {
        direct.outputs.truncate(1);
        isolated.outputs.truncate(1);
        return Err(Error::argument("prediction through the other door", format!("{direct:?}"), format!("{isolated:?}")));
    }
    let rows = vec![
        turns("call", "us", case, (case.rounds, CALLS), &mut |model| {
            std::hint::black_box(model.variants(ArtifactKind::Onnx));
            Ok(())
        })?,
        turns("preprocess-b1", "us", case, (case.rounds, CALLS), &mut |model| model.preprocess(&case.one, session).map(drop))?,
        turns("predict-b1", "us", case, (case.rounds, CALLS / 4), &mut |model| model.predict(session, &case.one).map(drop))?,
        turns(&format!("predict-10ms (b{size})"), "ms", case, (case.rounds * PREDICTIONS, 1), &mut |model| {
            model.predict(session, &large).map(drop)
        })?,
    ];
    let added = rows[0].ours - rows[0].peer_value;
    let part = rows[3].ours / rows[3].peer_value - 1.0;
    let goals = vec![
        Goal { goal: "microseconds added to a call (at most)".into(), bar: CALL_US, measured: Some(added), met: added <= CALL_US },
        Goal { goal: "part added to an inference of 10 ms (at most)".into(), bar: INFERENCE, measured: Some(part), met: part <= INFERENCE },
    ];
    Ok((rows, goals))
}

/// How many items a prediction of about 10 ms has.
fn items_of_ten_ms(case: &IsolationCase<'_>, session: &mut dyn Session) -> Result<usize> {
    let mut size = 1;
    loop {
        let batch = (case.batch)(size)?;
        case.direct.predict(session, &batch)?;
        // The fastest of a few: one that was interrupted would make the batch too small.
        let mut taken = Duration::MAX;
        for _ in 0..5 {
            let start = Instant::now();
            case.direct.predict(session, &batch)?;
            taken = taken.min(start.elapsed());
        }
        if taken >= TEN_MS || size >= 4096 {
            return Ok(size);
        }
        // At most twice as many, since the first items are the slowest.
        let wanted = size as f64 * TEN_MS.as_secs_f64() / taken.as_secs_f64().max(1e-6);
        size = (wanted.ceil().min(2.0 * size as f64) as usize).max(size + 1);
    }
}

/// Both sides in so many turns of so many calls; the value of a side is the median over its turns of the mean time of a call.
fn turns(
    name: &str,
    unit: &str,
    case: &IsolationCase<'_>,
    (rounds, calls): (usize, usize),
    call: &mut dyn FnMut(&dyn Model) -> Result<()>,
) -> Result<Row> {
    let scale = if unit == "us" { 1e6 } else { 1e3 };
    let mut turn = |model: &dyn Model| -> Result<f64> {
        call(model)?;
        let start = Instant::now();
        for _ in 0..calls {
            call(model)?;
        }
        Ok(start.elapsed().as_secs_f64() * scale / calls as f64)
    };
    let (mut isolated, mut direct) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        isolated.push(turn(case.isolated)?);
        direct.push(turn(case.direct)?);
    }
    Ok(Row::new("isolation", name, unit, Better::Lower, median(&isolated), "direct", median(&direct)))
}
