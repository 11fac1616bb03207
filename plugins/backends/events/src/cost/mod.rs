//! What a run costs, by NeuroBench's definitions.
//!
//! Synaptic operations (NeuroBench, `SynapticOperations`): *effective* counts products of a non-zero input and a
//! non-zero weight, *dense* all products of a forward pass, each in-bounds only; operations whose input is spikes are
//! accumulates (ACs), those with analog input multiply-accumulates (MACs). One difference: a neuron that puts out `n`
//! spikes in one step counts as `n` accumulates here, where NeuroBench calls a non-binary input analog. *Activation
//! sparsity* is the share of zero outputs of all neurons over all steps. *Footprint* is bytes of parameters plus
//! membranes. *Membrane updates* are those the event executor made.

mod energy;

pub use energy::{Energy, EnergyModel};

use crate::modes::Outcome;
use crate::plan::{DepositKind, Extent, Multiplicity, UnitKind, lower};
use serde::Serialize;
use zoo_core::Result;
use zoo_formats::event_graph::EventGraph;

/// Cost of one layer, summed over the runs given.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LayerCost {
    /// Name of the node.
    pub layer: String,
    /// Accumulates with non-zero weights.
    pub effective_acs: u64,
    /// Multiply-accumulates with non-zero weights.
    pub effective_macs: u64,
    /// Products of a dense run.
    pub dense: u64,
    /// Operations of the executor, zero weights included: in-bounds, times multiplicity.
    pub synops: u64,
    /// Membranes visited.
    pub membrane_updates: u64,
    /// Spikes.
    pub spikes: u64,
    /// Share of zero outputs; absent for layers that are not neurons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation_sparsity: Option<f64>,
}

/// Cost of a number of recorded runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// Runs (samples).
    pub runs: usize,
    /// By layer, in order of evaluation.
    pub layers: Vec<LayerCost>,
    /// Accumulates with non-zero weights.
    pub effective_acs: u64,
    /// Multiply-accumulates with non-zero weights.
    pub effective_macs: u64,
    /// Accumulates of a dense run.
    pub dense_acs: u64,
    /// Multiply-accumulates of a dense run.
    pub dense_macs: u64,
    /// Share of zero outputs of all neurons.
    pub activation_sparsity: f64,
    /// Bytes of parameters and membranes.
    pub footprint_bytes: usize,
    /// Membranes visited.
    pub membrane_updates: u64,
}

/// Products by input position: all, and those with a non-zero weight.
fn fan_outs(kind: &DepositKind<f32>, from: Extent) -> Vec<(u64, u64)> {
    let nonzero = |w: &[f32]| w.iter().filter(|w| **w != 0.0).count() as u64;
    match kind {
        DepositKind::Linear { weights, outputs, .. } => weights.chunks(*outputs).map(|row| (*outputs as u64, nonzero(row))).collect(),
        DepositKind::Conv(conv) => {
            let taps = conv.kernel[1] * conv.group_out;
            let at = |index: usize| {
                let (pixel, c) = (index / from.c, index % from.c);
                let mut sums = (0, 0);
                for &(ky, _) in &conv.rows[pixel / from.w] {
                    for segment in &conv.segments[pixel % from.w] {
                        let start = (c * conv.kernel[0] + ky) * taps + segment.weight;
                        let length = segment.columns * conv.group_out;
                        sums = (sums.0 + length as u64, sums.1 + nonzero(&conv.weights[start..start + length]));
                    }
                }
                sums
            };
            (0..from.len()).map(at).collect()
        }
        DepositKind::Pool { .. } | DepositKind::Map { .. } => vec![(0, 0); from.len()],
    }
}

/// Costs of recorded runs of a graph.
///
/// # Errors
/// What [`EventGraph::validate`] finds.
pub fn cost(graph: &EventGraph, runs: &[Outcome]) -> Result<Cost> {
    let plan = lower::<f32>(graph)?;
    let (mut layers, mut zeros, mut outputs) = (Vec::new(), 0u64, 0u64);
    let (mut dense_acs, mut dense_macs, mut footprint) = (0, 0, plan.weight_bytes());
    let steps = (graph.steps * runs.len()) as u64;
    for unit in &plan.units {
        let mut cost = LayerCost { layer: unit.name.clone(), ..LayerCost::default() };
        for deposit in &unit.deposits {
            let source = &plan.units[deposit.from];
            let fans = fan_outs(&deposit.kind, source.extent);
            let dense = steps * fans.iter().map(|f| f.0).sum::<u64>();
            cost.dense += dense;
            let analog = source.multiplicity == Multiplicity::Analog;
            *(if analog { &mut dense_macs } else { &mut dense_acs }) += dense;
            for raster in runs.iter().filter_map(|r| r.layer(&source.name)).map(|l| &l.raster) {
                for (&i, &v) in raster.index.iter().zip(&raster.value) {
                    let position = source.extent.from_chw(i as usize);
                    match &source.multiplicity {
                        Multiplicity::Analog => cost.effective_macs += fans[position].1,
                        Multiplicity::Value => cost.effective_acs += fans[position].1 * v.abs() as u64,
                        Multiplicity::Amplitude(theta) => {
                            cost.effective_acs += fans[position].1 * (v / theta.at(position)).round().abs() as u64;
                        }
                    }
                }
            }
        }
        for layer in runs.iter().filter_map(|r| r.layer(&unit.name)) {
            cost.synops += layer.counters.additions + layer.counters.products;
            cost.membrane_updates += layer.counters.updates;
            cost.spikes += layer.counters.spikes;
        }
        if let UnitKind::Cells(cell) = &unit.kind {
            footprint += unit.extent.len() * size_of::<f32>();
            if cell.fires {
                let all = steps * unit.extent.len() as u64;
                let active: u64 = runs.iter().filter_map(|r| r.layer(&unit.name)).map(|l| l.counters.active).sum();
                cost.activation_sparsity = Some(1.0 - active as f64 / (all.max(1)) as f64);
                (zeros, outputs) = (zeros + all.saturating_sub(active), outputs + all);
            }
        }
        layers.push(cost);
    }
    Ok(Cost {
        runs: runs.len(),
        effective_acs: layers.iter().map(|l| l.effective_acs).sum(),
        effective_macs: layers.iter().map(|l| l.effective_macs).sum(),
        membrane_updates: layers.iter().map(|l| l.membrane_updates).sum(),
        layers,
        dense_acs,
        dense_macs,
        activation_sparsity: zeros as f64 / outputs.max(1) as f64,
        footprint_bytes: footprint,
    })
}
