//! How far an asynchronous run is from the clocked one.

use super::{Feed, execute};
use crate::settings::{Mode, Settings};
use serde::Serialize;
use zoo_core::Result;
use zoo_formats::event_graph::EventGraph;

/// Difference of one layer's spike totals.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerDivergence {
    /// Name of the node.
    pub layer: String,
    /// Spikes of the clocked run (sum of what events carry).
    pub clocked: f64,
    /// Spikes of the asynchronous run.
    pub asynchronous: f64,
    /// `sum |clocked_i - async_i| / sum clocked_i` over neurons; 0 if both are silent, absent if only the clocked is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spike_difference: Option<f64>,
}

/// Difference of a whole run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Divergence {
    /// By spiking layer.
    pub layers: Vec<LayerDivergence>,
    /// Greatest absolute difference of a logit.
    pub logits: f64,
    /// Whether the largest logit is the same one (the first of equals).
    pub same_class: bool,
}

/// Runs one sample in `settings.mode` and in `tick_sync` and compares.
///
/// # Errors
/// As [`execute`].
pub fn divergence(graph: &EventGraph, feeds: &[Feed<'_>], settings: &Settings) -> Result<Divergence> {
    let clocked = execute(graph, feeds, &Settings { mode: Mode::TickSync, ..settings.clone() })?;
    let run = execute(graph, feeds, settings)?;
    let mut layers = Vec::new();
    for (reference, layer) in clocked.layers.iter().zip(&run.layers).filter(|(l, _)| l.spiking) {
        let (a, b) = (reference.raster.totals(reference.neurons), layer.raster.totals(layer.neurons));
        let (total, difference) = (a.iter().sum::<f64>(), a.iter().zip(&b).map(|(a, b)| (a - b).abs()).sum::<f64>());
        let spike_difference = match (total > 0.0, difference > 0.0) {
            (true, _) => Some(difference / total),
            (false, false) => Some(0.0),
            (false, true) => None,
        };
        layers.push(LayerDivergence { layer: reference.name.clone(), clocked: total, asynchronous: b.iter().sum(), spike_difference });
    }
    let logits = clocked.logits.iter().zip(&run.logits).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
    let best = |l: &[f32]| l.iter().enumerate().fold((0, f32::NEG_INFINITY), |m, (i, &v)| if v > m.1 { (i, v) } else { m }).0;
    Ok(Divergence { layers, logits, same_class: best(&clocked.logits) == best(&run.logits) })
}
