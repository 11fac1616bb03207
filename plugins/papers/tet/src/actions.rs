//! The plugin's own commands.

use crate::claims::{counted, exam, run_arms};
use crate::export::{self, Deployed};
use crate::fold::fold;
use crate::full_scale;
use crate::model::Tet;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use zoo_core::model::ActionSpec;
use zoo_core::{Config, Error, Result, Tensor, Weights, Workbench};

const DRY_RUN: &str = "dry-run";
const LOGITS: &str = "logits";

/// What there is.
pub(crate) fn specs() -> Vec<ActionSpec> {
    let spec = |name: &str, help: &str| ActionSpec { name: name.into(), help: help.into() };
    vec![
        spec(
            DRY_RUN,
            "CONFIG: builds and exports a full-scale configuration with random weights, and in a build that trains runs one step; shows sizes",
        ),
        spec(LOGITS, "FILE [SEED]: writes the logits of every test item at every step, for every trained arm, as safetensors"),
    ]
}

pub(crate) fn act(family: &Tet, action: &str, args: &[String], model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
    let first = |what: &str| args.first().ok_or_else(|| Error::argument(format!("arguments of `{action}`"), what, "none"));
    match action {
        DRY_RUN => dry_run(first("the name of a configuration")?),
        LOGITS => logits(family, Path::new(first("a file to write")?), args.get(1), model, config, bench),
        _ => {
            let hint = format!("its commands are {}", specs().into_iter().map(|a| a.name).collect::<Vec<_>>().join(", "));
            Err(Error::NotOffered { who: model.into(), what: format!("command `{action}`"), hint })
        }
    }
}

/// Builds, folds and exports a configuration with random weights and, in a build that trains, runs one training step on
/// one random item. Shows that the description is complete, nothing about accuracy.
///
/// # Errors
/// As [`full_scale::read`]; whatever building finds.
pub fn dry_run(name: &str) -> Result<Value> {
    let paper = full_scale::read(name)?;
    let network = paper.network()?;
    let mut rng = ChaCha12Rng::seed_from_u64(0);
    let mut weights = Weights::new();
    for (tensor, shape) in network.tensors() {
        let fan: usize = shape.iter().skip(1).product();
        let bound = (3.0 / fan.max(1) as f32).sqrt();
        let ones = tensor.ends_with(".var") || tensor.ends_with(".gamma");
        let count: usize = shape.iter().product();
        let values = (0..count).map(|_| if ones { 1.0 } else { rng.random_range(-bound..bound) }).collect();
        weights.insert(tensor, Tensor::from_vec(shape, values)?);
    }
    let folded = fold(&network, &weights)?;
    let still = network.input()[0] != 2;
    let (parameters, macs) = (network.parameters(), network.macs());
    let (spiking, classes) = (network.spiking().count(), network.classes());
    let net = Deployed { network, folded, neuron: paper.network.neuron, steps: paper.steps, still };
    let bytes = |artifact: zoo_core::Artifact| artifact.files.iter().map(|f| f.bytes.len()).sum::<usize>();
    let mut report = json!({
        "config": name, "T": paper.steps, "parameters": parameters, "macs_a_step": macs, "spiking_layers": spiking, "classes": classes,
        "loss": paper.loss, "tit": paper.tit,
        "export_bytes": {
            "step": bytes(export::step(None, &net, BTreeMap::new())?),
            "seq": bytes(export::sequence(None, &net, BTreeMap::new())?),
        },
    });
    #[cfg(feature = "train")]
    {
        let (loss, norm) = crate::train::synthetic_step(&paper)?;
        report["synthetic_step"] = json!({"loss": loss, "gradient_norm": norm});
    }
    #[cfg(not(feature = "train"))]
    {
        report["synthetic_step"] = "not run: this build has no training engine".into();
    }
    Ok(report)
}

fn logits(family: &Tet, path: &Path, seed: Option<&String>, model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
    let (paper, claims) = counted(model, config)?;
    let seeds = match seed {
        None => claims.seeds.clone(),
        Some(text) => vec![text.parse().map_err(|_| Error::argument("seed", "a number", text))?],
    };
    let exam = exam(family, &paper, bench)?;
    let results = run_arms(family, &claims, &seeds, &exam, bench)?;
    let mut file = Weights::new();
    let mut lines = Vec::new();
    for arm in claims.arms.keys() {
        for &seed in &seeds {
            let Some(scored) = results.scored(arm, seed) else { continue };
            let shape = [scored.labels.len(), scored.steps, scored.classes];
            file.insert(format!("{arm}/{seed}"), Tensor::from_vec(shape, scored.logits.clone())?);
            let labels = scored.labels.iter().map(|&l| l as i64).collect();
            file.insert("labels", Tensor::from_vec([scored.labels.len()], labels)?);
            lines.push(json!({"arm": arm, "seed": seed, "accuracy": scored.accuracy(scored.steps), "sha256": scored.hash()}));
        }
    }
    zoo_formats::safetensors::write_atomically(path, &file)?;
    Ok(json!({"file": path.display().to_string(), "runs": lines}))
}
