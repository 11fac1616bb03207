//! Commands of the plugin's own.

use crate::config::PaperConfig;
use crate::evaluate::{measure, predict};
use crate::export::{DEFAULT, export};
use crate::full_scale;
use crate::model::{fill, loaded, metadata};
use crate::phantom::{self, Split, Template};
use serde_json::{Value, json};
use zoo_core::model::ActionSpec;
use zoo_core::{Config, Error, Result, Workbench};
use zoo_train::kernels::LocalNcc;

const CASE: &str = "case";
const DRY_RUN: &str = "dry-run";

/// What there is.
pub(crate) fn specs() -> Vec<ActionSpec> {
    let spec = |name: &str, help: &str| ActionSpec { name: name.into(), help: help.into() };
    vec![
        spec(CASE, "PATIENT: measures of a test patient, its mask, and the evidence under the mask: 1 - cc of image and filling"),
        spec(
            DRY_RUN,
            "CONFIG [all]: registers a random pair with a full-scale configuration and random weights; `all` runs the other graphs too",
        ),
    ]
}

pub(crate) fn act(action: &str, args: &[String], model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
    match action {
        DRY_RUN => {
            let names = full_scale::CONFIGS.map(|(name, _)| name).join(", ");
            let name = args.first().ok_or_else(|| Error::argument("arguments of dry-run", format!("one of {names}"), "none"))?;
            full_scale::dry_run(name, args.get(1).map_or("", String::as_str), bench)
        }
        CASE => case(args, model, config, bench),
        _ => {
            let hint = format!("its commands are {CASE} and {DRY_RUN}");
            Err(Error::NotOffered { who: model.into(), what: format!("command `{action}`"), hint })
        }
    }
}

fn case(args: &[String], model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
    let paper = PaperConfig::read(config)?;
    if !paper.arm.generates() {
        let hint = "this arm has no mask generator; `girnet/girnet` has".into();
        return Err(Error::NotOffered { who: model.into(), what: format!("command `{CASE}`"), hint });
    }
    let count = paper.phantom.patients[2];
    let number = args.first().and_then(|text| text.parse::<usize>().ok()).filter(|&n| n < count && args.len() == 1);
    let number = number.ok_or_else(|| Error::argument("patient", format!("a number below {count}"), args.join(" ")))?;
    let template = Template::read(bench.dataset(&paper.dataset, "template")?.as_ref())?;
    let mut patients = phantom::patients(&template, &paper.phantom, &paper.network, Split::Test, Some(number + 1), bench.reporter())?;
    let patient = [patients.swap_remove(number)];
    let (file, _) = bench.weights(model, None)?;
    let weights = loaded(&paper, &file)?;
    let mut session = bench.compile(&export(DEFAULT, None, &paper.network, &weights, &metadata(&paper, &file))?)?;
    let predictions = predict(session.as_mut(), &patient, &paper.network, false, bench.reporter())?;
    let filled = fill(&paper, &weights, &patient, &predictions, bench)?;
    let side = paper.network.grid[0];
    let ncc = LocalNcc::new(&[1, 1, side, side], paper.loss.window, paper.loss.eps)?;
    let mut evidence = vec![0.0; side * side];
    ncc.forward(&patient[0].x, &filled[0], &mut evidence)?;
    evidence.iter_mut().for_each(|v| *v = 1.0 - *v);
    Ok(json!({
        "patient": patient[0].index, "level_mm": patient[0].level, "rows": side, "columns": side,
        "measures": measure(&patient[0], &predictions[0], &paper.network, false)?,
        "mask": predictions[0].mask, "lesion": patient[0].lesion, "filled": filled[0], "evidence": evidence,
    }))
}
