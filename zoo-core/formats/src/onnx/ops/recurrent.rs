//! Recurrent layers.

use crate::error::Result;
use crate::onnx::dims::may_equal;
use crate::onnx::infer::{Context, Inferred, Rule};

pub(super) const RULES: &[(&str, Rule)] = &[("LSTM", lstm)];

/// Input `[steps, batch, features]`, kernel `[directions, 4 hidden, features]`, recurrent kernel `[directions, 4 hidden, hidden]`; outputs
/// `[steps, directions, batch, hidden]` and, of the last step, `[directions, batch, hidden]` twice. `layout` 1 has the batch first.
fn lstm(context: &mut Context<'_>) -> Result<Inferred> {
    let (x, w, r) = (context.shape_of_rank(0, 3)?, context.shape_of_rank(1, 3)?, context.shape_of_rank(2, 3)?);
    if !may_equal(&x[2], &w[2]) {
        return Err(context.error(format!("expected as many features in inputs `X` and `W`, found {} and {}", x[2], w[2])));
    }
    let (directions, hidden) = (w[0].clone(), r[2].clone());
    let (all, last) = if context.int("layout", 0) == 0 {
        let [steps, batch] = [x[0].clone(), x[1].clone()];
        (vec![steps, directions.clone(), batch.clone(), hidden.clone()], vec![directions, batch, hidden])
    } else {
        let [batch, steps] = [x[0].clone(), x[1].clone()];
        (vec![batch.clone(), steps, directions.clone(), hidden.clone()], vec![batch, directions, hidden])
    };
    Ok([all, last.clone(), last].into_iter().take(context.output_count()).collect::<Vec<_>>().into())
}
