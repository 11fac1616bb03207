//! Commands of the plugin's own: `cargo xtask run MODEL COMMAND`.

mod dry_run;
mod options;
mod parity;
mod table;

use crate::claims::{Arm, Exam, Study};
use crate::config::{ClaimsConfig, PaperConfig};
use crate::error_analysis::layer_errors;
use options::Options;
use serde_json::{Value, json};
use zoo_core::model::ActionSpec;
use zoo_core::{Config, Error, Model, Result, Workbench};

/// What there is.
pub fn specs() -> Vec<ActionSpec> {
    let spec = |name: &str, help: &str| ActionSpec { name: name.into(), help: help.into() };
    vec![
        spec("table", "accuracy, spikes and synaptic operations of every arm at every T: [--steps 2,4] [--limit N] [--shift on|off]"),
        spec("pilot", "accuracy plain conversion loses on validation images, by T, for the pilot seed: chooses T*"),
        spec("errors", "error of each layer, clipped and floored part, before and after calibration: [--steps T] [--seed N]"),
        spec("dry-run", "builds, converts and exports a full-scale configuration with random weights: NAME [--steps T] [--pipeline NAME]"),
        parity_spec(),
    ]
}

/// What the source network offers.
pub fn source_specs() -> Vec<ActionSpec> {
    vec![parity_spec()]
}

fn parity_spec() -> ActionSpec {
    let help = "logits and classes of the test set on every runtime, side by side: [--limit N]";
    ActionSpec { name: PARITY.into(), help: help.into() }
}

/// Name of the command that compares runtimes.
pub const PARITY: &str = "parity";

/// Compares what runs `model`, registered as `name`; `source` tells that it is the source network.
///
/// # Errors
/// As [`act`].
pub fn compare(model: &dyn Model, source: bool, args: &[String], name: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
    let limit = Options::read(args, &["limit"], 0)?.number("limit")?.map(|n| n as usize);
    let paper = PaperConfig::read(config)?;
    let (weights, _) = bench.weights(name, None)?;
    parity::parity(&parity::Subject { model, paper: &paper, config, weights: &weights, source }, limit, bench)
}

/// Runs one.
///
/// # Errors
/// [`Error::NotOffered`] for an unknown command, [`Error::Argument`] for options that do not fit, and whatever
/// measuring finds.
pub fn act(action: &str, args: &[String], model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
    if action == "dry-run" {
        return dry_run::dry_run(&Options::read(args, &["steps", "pipeline"], 1)?, bench);
    }
    let paper = PaperConfig::read(config)?;
    let claims = paper.claims.clone().ok_or_else(|| Error::NotOffered {
        who: model.into(),
        what: format!("command `{action}`"),
        hint: "its configuration has no [claims]".into(),
    })?;
    match action {
        "table" => table::table(&paper, &claims, &Options::read(args, &["steps", "limit", "shift"], 0)?, bench),
        "pilot" => {
            Options::read(args, &[], 0)?;
            pilot(&paper, &claims, bench)
        }
        "errors" => errors(&paper, &claims, &Options::read(args, &["steps", "seed"], 0)?, bench),
        other => Err(Error::NotOffered {
            who: model.into(),
            what: format!("command `{other}`"),
            hint: format!("its commands are {}", specs().into_iter().map(|s| s.name).collect::<Vec<_>>().join(", ")),
        }),
    }
}

/// What plain conversion loses on validation images; T* is the greatest T of the list that loses 10 points.
fn pilot(paper: &PaperConfig, claims: &ClaimsConfig, bench: &mut dyn Workbench) -> Result<Value> {
    let exam = Exam::read(paper, "train", paper.split.train..paper.split.train + paper.split.val, bench)?;
    let mut study = Study::new(paper, &claims.ann, claims.pilot_seed, bench)?;
    let ann = exam.ann(study.ann());
    let mut rows = Vec::new();
    let mut t_star = None;
    for &steps in &claims.steps {
        let snn = study.convert(Arm::MAX_NONE, steps, true, bench.reporter())?;
        let lost = ann - exam.snn(&snn, &format!("pilot T={steps}"), bench.reporter())?.accuracy;
        if lost >= 10.0 {
            t_star = t_star.max(Some(steps));
        }
        rows.push(json!({"T": steps, "lost_points": lost}));
    }
    Ok(json!({"seed": claims.pilot_seed, "split": "validation", "images": exam.len(), "ann": ann, "max_none": rows, "t_star": t_star}))
}

fn errors(paper: &PaperConfig, claims: &ClaimsConfig, options: &Options, bench: &mut dyn Workbench) -> Result<Value> {
    let steps = options.number("steps")?.unwrap_or(claims.t_star);
    let seed = options.number("seed")?.map_or_else(|| claims.seeds.first().copied().unwrap_or(0), u64::from);
    let mut study = Study::new(paper, &claims.ann, seed, bench)?;
    let mut report = serde_json::Map::new();
    for arm in [Arm::MAX_NONE, Arm::MMSE_NONE, Arm::LIGHT, Arm::ADVANCED_PC] {
        let snn = study.convert(arm, steps, true, bench.reporter())?;
        report.insert(arm.name(), json!(layer_errors(&snn, study.held_out())));
    }
    Ok(json!({"seed": seed, "T": steps, "calibration_hashes": study.calibration_hashes(), "arms": report}))
}
