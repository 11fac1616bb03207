//! Full-scale configurations: built, converted and exported with random weights and one synthetic image. Shows that
//! the description is complete, nothing about accuracy.

use super::options::Options;
use crate::ann::{Ann, bias_key, weight_key};
use crate::calibrate::{Pipeline, convert};
use crate::config::PaperConfig;
use crate::export;
use crate::full_scale;
use crate::network::Network;
use crate::reference::Reference;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use zoo_core::{Error, Reporter, Result, Tensor, Weights, Workbench};

pub(super) fn dry_run(options: &Options, bench: &mut dyn Workbench) -> Result<Value> {
    let name = options.positional.first().map_or("", String::as_str);
    let (paper, grid) = full_scale::read(name)?;
    let steps = options.number("steps")?.or(grid.steps.first().copied()).unwrap_or(paper.convert.steps);
    let pipeline = match options.text("pipeline") {
        None => paper.convert.pipeline,
        Some(text) => *grid.pipelines.iter().find(|p| p.name() == text).ok_or_else(|| {
            let known = grid.pipelines.iter().map(|p| p.name()).collect::<Vec<_>>().join(", ");
            Error::argument("option --pipeline", known, text)
        })?,
    };
    run(name, &paper, steps, pipeline, bench.reporter())
}

/// Converts a configuration with random weights and exports all graphs; returns their sizes.
pub(super) fn run(name: &str, paper: &PaperConfig, steps: u32, pipeline: Pipeline, reporter: &dyn Reporter) -> Result<Value> {
    let network = paper.network()?;
    let image: usize = network.input().iter().product();
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let images = vec![(0..image).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f32>>()];
    let ann = Arc::new(Ann::new(network.clone(), &random_weights(&network, &mut rng)?)?);
    let reference = Reference::new(&ann, images.clone())?;
    let mut recipe = paper.convert;
    (recipe.steps, recipe.pipeline) = (steps, pipeline);
    // One image and one update: the full settings are for real images.
    (recipe.threshold.batch, recipe.threshold.batches) = (1, 1);
    (recipe.weight.iterations, recipe.weight.batch) = (1, 1);
    let snn = convert(&ann, &reference, &recipe, reporter)?;
    let outcome = snn.run(&mut snn.scratch(), &images[0]);
    let bytes = |artifact: zoo_core::Artifact| artifact.files.iter().map(|f| f.bytes.len()).sum::<usize>();
    let sizes = json!({
        "ann": bytes(export::ann("ann", None, &ann, BTreeMap::new())?),
        "step": bytes(export::step("step", None, &snn, BTreeMap::new())?),
        "rate": bytes(export::rate("rate", None, &snn, BTreeMap::new())?),
    });
    Ok(json!({
        "config": name, "T": steps, "pipeline": pipeline.name(), "parameters": network.parameters(), "macs": network.macs(),
        "spiking_layers": network.spiking().count(), "classes": outcome.logits.len(),
        "finite": outcome.logits.iter().all(|v| v.is_finite()), "export_bytes": sizes,
    }))
}

/// Weights that keep the scale of activations from layer to layer (Kaiming's rule).
fn random_weights(network: &Network, rng: &mut ChaCha8Rng) -> Result<Weights> {
    let mut weights = Weights::new();
    for layer in network.weighted() {
        let shape = network.weight_shape(layer).unwrap_or_default();
        let fan_in: usize = shape[1..].iter().product();
        let bound = (6.0 / fan_in.max(1) as f32).sqrt();
        let values = (0..shape.iter().product()).map(|_| rng.random_range(-bound..bound)).collect();
        weights.insert(weight_key(layer), Tensor::from_vec(shape, values)?);
        weights.insert(bias_key(layer), Tensor::from_vec([network.shape(layer)[0]], vec![0.0f32; network.shape(layer)[0]])?);
    }
    Ok(weights)
}

#[cfg(test)]
mod tests;
