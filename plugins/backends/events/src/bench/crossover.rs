//! Where the dense kernel overtakes the following of events.

use super::input::Random;
use crate::layers::Events;
use crate::modes::Tick;
use crate::plan::lower;
use crate::settings::{DenseThreshold, Settings};
use std::sync::Arc;
use std::time::Instant;
use zoo_core::{Result, Tensor};
use zoo_formats::event_graph::{EventGraph, Neuron, ReadoutRule, Source};

/// Times of one layer at one activity.
#[derive(Clone, Copy, Debug)]
pub struct Crossover {
    /// Channels in and out.
    pub channels: [usize; 2],
    /// Share of active inputs.
    pub activity: f32,
    /// Whether the inputs are counts rather than single spikes.
    pub counts: bool,
    /// Microseconds a step, following events.
    pub events: f64,
    /// Microseconds a step, dense.
    pub dense: f64,
}

/// Convolutions of 3x3 over 16x16 at several activities, events and dense in turns; the least of nine timings each.
///
/// # Errors
/// None is expected; those of building a graph.
pub fn crossover() -> Result<Vec<Crossover>> {
    const STEPS: usize = 50;
    let mut rows = Vec::new();
    for channels in [[8, 16], [16, 32], [32, 64]] {
        let mut random = Random(5);
        let [from, to] = channels;
        let weight = Tensor::from_vec([to, from, 3, 3], (0..to * from * 9).map(|_| random.unit() - 0.5).collect::<Vec<_>>())?;
        let graph = EventGraph::builder(STEPS)
            .input("x", [from, 16, 16], Source::Events)
            .conv2d("c", "x", weight, None)
            .padding([1, 1])
            .neuron("n", "c", Neuron::integrate_and_fire(1e6))
            .flatten("f", "n")
            .readout("f", ReadoutRule::Sum)
            .build()?;
        let plan = Arc::new(lower::<f32>(&graph)?);
        for (activity, counts) in [0.1f32, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0].into_iter().flat_map(|a| [(a, false), (a, true)]) {
            let mut steps = vec![Events::default(); STEPS];
            for events in &mut steps {
                let value = |r: &mut Random| if counts { 1.0 + (r.unit() * 3.0).floor() } else { 1.0 };
                events.fill_from((0..from * 256).map(|_| if random.unit() < activity { value(&mut random) } else { 0.0 }));
            }
            let tick = |dense_threshold| Tick::new(plan.clone(), &Settings { dense_threshold, ..Settings::default() });
            let mut ticks = [tick(DenseThreshold::Off), tick(DenseThreshold::Above(0.0))];
            let mut best = [f64::INFINITY; 2];
            for _ in 0..9 {
                for (tick, best) in ticks.iter_mut().zip(&mut best) {
                    let start = Instant::now();
                    tick.run_sorted(&steps);
                    *best = best.min(start.elapsed().as_secs_f64() * 1e6 / STEPS as f64);
                }
            }
            rows.push(Crossover { channels, activity, counts, events: best[0], dense: best[1] });
        }
    }
    Ok(rows)
}
