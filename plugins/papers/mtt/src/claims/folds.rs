//! Cross-validation on real recordings: every recording is tested once, by the run that did not see it.

use super::{Answers, Exam, Scored, choose_equal, mean, registered};
use crate::config::{ClaimsConfig, PaperConfig};
use serde_json::{Map, Value, json};
use zoo_core::metric::mcnemar;
use zoo_core::{ClaimOutcome, Result, Workbench};

/// What is counted together: clocked at the trained number of steps, and on events alone.
const TRAINED: usize = 10;
/// Greatest two-sided p of a difference that is called one.
const LEVEL: f64 = 0.05;

/// An arm's runs, fold by fold.
struct Arm {
    id: &'static str,
    folds: Vec<(u64, String, Scored)>,
}

impl Arm {
    /// Answers of all folds in one.
    fn pooled(&self, part: impl Fn(&Scored) -> Option<&Answers>) -> Answers {
        let mut all = Answers::default();
        for answers in self.folds.iter().filter_map(|(_, _, run)| part(run)) {
            all.right.extend(&answers.right);
        }
        all
    }

    fn clocked(&self) -> Answers {
        self.pooled(|run| run.clocked.get(&TRAINED))
    }

    fn events(&self) -> Answers {
        self.pooled(|run| run.dfs.as_ref())
    }

    /// Whether the loss from clocked to events alone is at most a point, with what shows it.
    fn outcome(&self) -> ClaimOutcome {
        let (clocked, events) = (self.clocked(), self.events());
        let drop = clocked.accuracy() - events.accuracy();
        let folds: Map<String, Value> =
            self.folds.iter().map(|(seed, model, run)| (format!("seed {seed}"), json!({"model": model, "run": run.summary()}))).collect();
        let detail = json!({
            "clocked": clocked.estimate(), "async_dfs": events.estimate(), "async_bfs": self.pooled(|run| run.bfs.as_ref()).estimate(),
            "clocked_minus_async_dfs": drop, "mcnemar_p": mcnemar(&clocked.right, &events.right),
            "mean_of_T_1_to_10": mean(&self.folds.iter().map(|(_, _, run)| mean(&run.curve())).collect::<Vec<_>>()), "folds": folds,
        });
        ClaimOutcome { id: self.id.into(), measured: drop, holds: drop.abs() <= 1.0, detail }
    }
}

/// Each arm with its loss from clocked to event-driven, and MTT's loss beside that of standard training.
///
/// # Errors
/// Whatever loading and measuring find.
pub(super) fn folds(paper: &PaperConfig, claims: &ClaimsConfig, bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
    let mut arms = ["folds-mtt", "folds-tet", "folds-sdt-eq"].map(|id| Arm { id, folds: Vec::new() });
    for &seed in &claims.seeds {
        let exam = Exam::read(paper, &paper.data.splits(seed).1, bench)?;
        let equal = choose_equal(claims, seed, bench)?;
        for (arm, name) in arms.iter_mut().zip([Some("mtt".to_string()), Some("tet".into()), equal]) {
            let Some(model) = name.and_then(|name| claims.arms.get(&name)) else { continue };
            let Some((weights, paper)) = registered(model, seed, bench)? else { continue };
            let scored = exam.score(&paper, &weights, &format!("{model}, seed {seed}"), true, bench)?;
            arm.folds.push((seed, model.clone(), scored));
        }
    }
    if arms.iter().any(|arm| arm.folds.len() != claims.seeds.len()) {
        return Ok(Vec::new());
    }
    let mut outcomes: Vec<_> = arms.iter().map(Arm::outcome).collect();
    let [mtt, _, equal] = &arms;
    let (ours, theirs) = (mtt.clocked(), equal.clocked());
    let (on_events, theirs_on_events) = (mtt.events(), equal.events());
    let p = mcnemar(&on_events.right, &theirs_on_events.right);
    let gain = on_events.accuracy() - theirs_on_events.accuracy();
    let detail = json!({
        "clocked_mtt_minus_sdt_eq": ours.accuracy() - theirs.accuracy(), "clocked_mcnemar_p": mcnemar(&ours.right, &theirs.right),
        "async_dfs_mcnemar_p": p,
    });
    outcomes.push(ClaimOutcome { id: "folds-mtt-over-sdt-eq".into(), measured: gain, holds: gain > 0.0 && p < LEVEL, detail });
    Ok(outcomes)
}
