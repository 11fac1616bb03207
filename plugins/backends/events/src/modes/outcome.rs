//! What a recorded run gives back.

use crate::layers::Counters;

/// Events of one layer over a run, in order of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Raster {
    /// Time step of each event.
    pub step: Vec<u32>,
    /// Neuron of each event, in `[C, H, W]` order.
    pub index: Vec<u32>,
    /// What each event carries; several unit spikes of one step are one event of that count.
    pub value: Vec<f32>,
}

impl Raster {
    /// Adds an event.
    pub fn push(&mut self, step: u32, index: u32, value: f32) {
        self.step.push(step);
        self.index.push(index);
        self.value.push(value);
    }

    /// The same events sorted by step and neuron, events of one step and neuron joined.
    #[must_use]
    pub fn sorted(&self) -> Self {
        let mut all: Vec<_> = (0..self.step.len()).map(|i| (self.step[i], self.index[i], self.value[i])).collect();
        all.sort_by_key(|&(step, index, _)| (step, index));
        let mut out = Self::default();
        for same in all.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            out.push(same[0].0, same[0].1, same.iter().map(|e| e.2).sum());
        }
        out
    }

    /// Sum of values by neuron, for `neurons` neurons.
    pub fn totals(&self, neurons: usize) -> Vec<f64> {
        let mut totals = vec![0.0; neurons];
        for (&i, &v) in self.index.iter().zip(&self.value) {
            totals[i as usize] += f64::from(v);
        }
        totals
    }
}

/// One unit's record.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerRecord {
    /// Name of the node.
    pub name: String,
    /// Number of neurons (or values).
    pub neurons: usize,
    /// Whether it is a layer of neurons.
    pub spiking: bool,
    /// Events.
    pub raster: Raster,
    /// Membranes after the last step in `[C, H, W]` order; empty for units without.
    pub membrane: Vec<f64>,
    /// Counts; all zero in a clocked run.
    pub counters: Counters,
}

/// A recorded run of one sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// `[classes]`.
    pub logits: Vec<f32>,
    /// `[T, classes]`, whether or not the graph asks for it.
    pub per_step: Vec<f32>,
    /// Units in order of evaluation.
    pub layers: Vec<LayerRecord>,
}

impl Outcome {
    /// The record of a node, if it is a unit.
    pub fn layer(&self, name: &str) -> Option<&LayerRecord> {
        self.layers.iter().find(|l| l.name == name)
    }
}
