//! The plugin's own commands.

use crate::export;
use crate::full_scale;
use crate::model::Mtt;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use zoo_core::model::ActionSpec;
use zoo_core::{Error, Result, Tensor, Weights};

const DRY_RUN: &str = "dry-run";

/// What there is.
pub(crate) fn specs() -> Vec<ActionSpec> {
    let help = "CONFIG: builds and exports a full-scale configuration with random weights, and in a build that trains runs one pass; \
                shows sizes";
    vec![ActionSpec { name: DRY_RUN.into(), help: help.into() }]
}

pub(crate) fn act(action: &str, args: &[String], model: &str) -> Result<Value> {
    match (action, args.first()) {
        (DRY_RUN, Some(name)) => dry_run(name),
        (DRY_RUN, None) => Err(Error::argument(format!("arguments of `{action}`"), "the name of a configuration", "none")),
        _ => Err(Error::NotOffered { who: model.into(), what: format!("command `{action}`"), hint: format!("its commands are {DRY_RUN}") }),
    }
}

/// Builds, folds and exports a configuration with random weights and, in a build that trains, runs one structure forward
/// and backward on one random item. Shows that the description is complete, nothing about accuracy.
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
    let net = Mtt::deployed(&paper, &weights, paper.times.max)?;
    let times = vec![paper.times.max; network.stages()];
    let mixed: Vec<usize> = paper.times.draw(network.stages(), &mut rng).swap_remove(0);
    let bytes = |artifact: zoo_core::Artifact| artifact.files.iter().map(|f| f.bytes.len()).sum::<usize>();
    let mut report = json!({
        "config": name, "times": paper.times, "stages": network.stages(), "parameters": network.parameters(),
        "macs_a_step": network.macs(&vec![1; network.stages()]), "spiking_layers": network.spiking().count(),
        "classes": network.classes(), "train": paper.train,
        "export_bytes": {
            "step": bytes(export::step(None, &net, BTreeMap::new())?),
            "seq": bytes(export::sequence(None, &net, &times, BTreeMap::new())?),
            "seq_mixed": bytes(export::sequence(None, &net, &mixed, BTreeMap::new())?),
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
