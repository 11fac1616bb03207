//! The ways of running a graph.

mod asynchronous;
mod clocked;
mod divergence;
mod feed;
mod outcome;
mod tick;

pub use asynchronous::{Asynchronous, Follow};
pub use clocked::Clocked;
pub use divergence::{Divergence, LayerDivergence, divergence};
pub use feed::{Feed, Impulse};
pub use outcome::{LayerRecord, Outcome, Raster};
pub use tick::Tick;

pub(crate) use feed::{check_stream_value, merge};

use crate::num::Num;
use crate::plan::{Plan, lower};
use crate::settings::{Mode, Precision, Settings};
use std::sync::Arc;
use zoo_core::Result;
use zoo_formats::event_graph::EventGraph;

/// A graph compiled for some settings.
#[derive(Clone)]
pub enum Compiled {
    /// `f32`.
    Single(Arc<Plan<f32>>),
    /// `f64`.
    Double(Arc<Plan<f64>>),
    /// `i8` weights, `i16` membranes.
    Integer(Arc<Plan<i16>>),
}

impl Compiled {
    /// Compiles.
    ///
    /// # Errors
    /// What [`EventGraph::validate`] finds; [`zoo_core::Error::UnsupportedOperator`] for a node the precision or mode
    /// can't express.
    pub fn new(graph: &EventGraph, settings: &Settings) -> Result<Self> {
        if matches!(settings.mode, Mode::AsyncBfs | Mode::AsyncDfs) {
            asynchronous::check(graph, settings)?;
        }
        Ok(match settings.precision {
            Precision::F32 => Self::Single(Arc::new(lower(graph)?)),
            Precision::F64 => Self::Double(Arc::new(lower(graph)?)),
            Precision::Int8 => Self::Integer(Arc::new(lower(graph)?)),
        })
    }
}

/// Runs one sample with everything recorded: spikes of each layer, membranes at the end, counts.
///
/// # Errors
/// As [`Compiled::new`]; [`zoo_core::Error::Shape`] or [`zoo_core::Error::Argument`] for a feed that does not fit.
pub fn execute(graph: &EventGraph, feeds: &[Feed<'_>], settings: &Settings) -> Result<Outcome> {
    fn with<N: Num>(graph: &EventGraph, plan: &Arc<Plan<N>>, feeds: &[Feed<'_>], settings: &Settings) -> Result<Outcome> {
        feed::check(plan, feeds)?;
        match settings.mode {
            Mode::Clocked => Clocked::<N>::new(graph)?.run(feeds),
            Mode::TickSync => {
                let mut tick = Tick::new(plan.clone(), settings);
                tick.record();
                tick.run(feeds)?;
                Ok(tick.outcome())
            }
            Mode::AsyncBfs | Mode::AsyncDfs => {
                let mut run = Asynchronous::new(plan.clone(), settings);
                run.record();
                run.run(feeds)?;
                Ok(run.outcome())
            }
        }
    }
    match Compiled::new(graph, settings)? {
        Compiled::Single(plan) => with(graph, &plan, feeds, settings),
        Compiled::Double(plan) => with(graph, &plan, feeds, settings),
        Compiled::Integer(plan) => with(graph, &plan, feeds, settings),
    }
}
