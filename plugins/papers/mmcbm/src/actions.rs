//! The plugin's own commands.

use crate::authors;
use crate::bank::Bank;
use crate::concepts::CLASSES;
use crate::config::PaperConfig;
use crate::evaluate::Encoders;
use crate::explain::{self, Change};
use crate::export::{export, head_of};
use crate::full_scale;
use crate::metrics::{greatest, softmax};
use crate::model::metadata;
use crate::phantom::{self, Patient, Split, Template};
use serde_json::{Value, json};
use std::path::Path;
use zoo_core::model::ActionSpec;
use zoo_core::{Config, Error, Result, Tensor, Workbench};

const EXPLAIN: &str = "explain";
const INTERVENE: &str = "intervene";
const DRY_RUN: &str = "dry-run";
const IMPORT_BANK: &str = "import-bank";

/// What there is.
pub(crate) fn specs() -> Vec<ActionSpec> {
    let spec = |name: &str, help: &str| ActionSpec { name: name.into(), help: help.into() };
    vec![
        spec(EXPLAIN, "PATIENT: probabilities of a test patient, the concepts behind them, what each image shows, and warnings"),
        spec(
            INTERVENE,
            "PATIENT EDIT...: the answer after edits, each `CONCEPT=SCORE` or `CLASS:CONCEPT=CONTRIBUTION`, by names or numbers",
        ),
        spec(
            DRY_RUN,
            "CONFIG [FILE]: builds the encoders of a full-scale configuration, with random weights or an authors' checkpoint (safetensors), and runs each once",
        ),
        spec(
            IMPORT_BANK,
            "CONFIG FILE OUT: reads an authors' concept bank (safetensors of their pickle's tensors) for a full-scale configuration and writes it as this plugin keeps it",
        ),
    ]
}

pub(crate) fn act(action: &str, args: &[String], model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
    if action == DRY_RUN {
        let names = full_scale::CONFIGS.map(|(name, _)| name).join(", ");
        let name = args.first().ok_or_else(|| Error::argument("arguments of dry-run", format!("one of {names}"), "none"))?;
        return full_scale::dry_run(name, args.get(1).map(Path::new), bench);
    }
    if action == IMPORT_BANK {
        let [name, file, out] = args else {
            return Err(Error::argument("arguments of import-bank", "a configuration, a file and where to write", format!("{args:?}")));
        };
        return authors::import_bank(name, Path::new(file), Path::new(out));
    }
    if ![EXPLAIN, INTERVENE].contains(&action) {
        let hint = "its commands are explain, intervene, dry-run and import-bank".into();
        return Err(Error::NotOffered { who: model.into(), what: format!("command `{action}`"), hint });
    }
    let paper = PaperConfig::read(config)?;
    let changes = args.iter().skip(1).map(|text| Change::read(text)).collect::<Result<Vec<_>>>()?;
    if (action == INTERVENE) == changes.is_empty() {
        let expected = if action == INTERVENE { "a test patient and at least one edit" } else { "a test patient" };
        return Err(Error::argument(format!("arguments of {action}"), expected, args.join(" ")));
    }
    let patient = patient(args.first(), &paper, bench)?;
    let (weights, _) = bench.weights(model, None)?;
    let (bank, head) = (Bank::read(&weights, paper.network.features())?, head_of(&paper.network, &weights)?);
    let mut encoders = Encoders::new(&paper, &weights, bench)?;
    if action == EXPLAIN {
        return explain::explain(&patient, &paper, &bank, &head, &mut encoders);
    }
    let features = encoders.features(std::slice::from_ref(&patient), &paper, bench.reporter())?;
    let scores = bank.scores(&features[0]);
    let (after, log) = explain::intervene(&head, &scores, &changes)?;
    // The edited scores go through the exported classifier, as they would elsewhere.
    let mut session = bench.compile(&export("mmcbm_classify", None, &paper, &weights, &metadata(&paper))?)?;
    let mut classify = |scores: &[Option<f64>]| -> Result<Value> {
        let row: Vec<f32> = scores.iter().map(|s| s.unwrap_or(0.0) as f32).collect();
        let at = session.outputs().iter().position(|o| o.name == "logits").unwrap_or(1);
        let outputs = session.run(&[Tensor::from_vec([1, row.len()], row)?])?;
        let logits = outputs.get(at).ok_or_else(|| Error::artifact("session", "outputs", "expected `logits`, found none"))?;
        let p = softmax(&logits.to_f32().iter().map(|v| f64::from(*v)).collect::<Vec<_>>());
        Ok(json!({"answer": CLASSES[greatest(&p)], "probabilities": p}))
    };
    Ok(
        json!({"patient": patient.index, "true_class": CLASSES[patient.class], "before": classify(&scores)?, "after": classify(&after)?, "edits": log}),
    )
}

fn patient(number: Option<&String>, paper: &PaperConfig, bench: &mut dyn Workbench) -> Result<Patient> {
    let count = paper.phantom.test;
    let number = number.and_then(|text| text.parse::<usize>().ok()).filter(|&n| n < count);
    let number = number.ok_or_else(|| Error::argument("patient", format!("a number below {count}"), "another or none"))?;
    let template = Template::read(bench.dataset(&paper.dataset, "template")?.as_ref())?;
    let mut all = phantom::patients(&template, &paper.phantom, &paper.network, Split::Test, Some(number + 1), bench.reporter())?;
    Ok(all.swap_remove(number))
}
