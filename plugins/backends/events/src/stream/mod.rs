//! Events in, outputs out, without an end known beforehand.
//!
//! A stream holds the network's state, the events of the step that is still open, and at most [`CAPACITY`] outputs that
//! were not fetched yet; its memory does not grow with the number of events. Silent stretches cost nothing where the
//! network is idle.

use crate::layers::Events;
use crate::modes::{Impulse, Tick, check_stream_value, merge};
use crate::num::Num;
use crate::plan::{Extent, Plan, UnitKind};
use crate::settings::Settings;
use std::collections::VecDeque;
use std::sync::Arc;
use zoo_core::{Error, Result};
use zoo_formats::event_graph::Source;

/// Outputs a stream holds until they are fetched.
pub const CAPACITY: usize = 1024;
/// Events of one step at most; more are refused rather than stored.
pub const STEP_EVENTS: usize = 1 << 22;

/// An event with its address.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StreamEvent {
    /// Time in microseconds since the start of the stream; must not decrease.
    pub time_us: u64,
    /// Column.
    pub x: u32,
    /// Row.
    pub y: u32,
    /// Channel (polarity).
    pub channel: u32,
    /// Count or graded value; 1 for plain events.
    pub value: f32,
}

/// Output of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamOutput {
    /// The step; it covers `[step, step + 1)` times the step length.
    pub step: u64,
    /// `[classes]`.
    pub values: Vec<f32>,
}

/// A network fed by a stream of events, in mode `tick_sync`.
pub struct Stream<N: Num> {
    tick: Tick<N>,
    extent: Extent,
    source: Source,
    step_us: u64,
    step: u64,
    open: Vec<Impulse>,
    outputs: VecDeque<StreamOutput>,
    time: u64,
    seen: u64,
    ended: bool,
}

impl<N: Num> Stream<N> {
    /// A stream whose steps last `step_us` microseconds.
    ///
    /// # Errors
    /// [`Error::Argument`] for a step of 0, a graph with several inputs, or one whose input is not events.
    pub fn new(plan: Arc<Plan<N>>, settings: &Settings, step_us: u64) -> Result<Self> {
        if step_us == 0 {
            return Err(Error::argument("step length", "at least 1 microsecond", 0));
        }
        let &[input] = plan.inputs.as_slice() else {
            return Err(Error::argument("inputs of a streamed graph", "one", plan.inputs.len()));
        };
        let extent = plan.units[input].extent;
        let source = match plan.units[input].kind {
            UnitKind::Input { source: source @ (Source::Events | Source::GradedEvents), .. } => source,
            _ => return Err(Error::argument("source of a streamed graph", "events or graded-events", "frames or a constant image")),
        };
        let mut tick = Tick::new(plan, settings);
        tick.forget_steps();
        Ok(Self { tick, extent, source, step_us, step: 0, open: Vec::new(), outputs: VecDeque::new(), time: 0, seen: 0, ended: false })
    }

    /// Takes events in order of time; gives how many were taken. Fewer than offered means that outputs must be fetched
    /// with [`Stream::poll`] first.
    ///
    /// # Errors
    /// [`Error::Argument`] for an event outside the image, one that goes back in time, a value the source does not
    /// take, more than [`STEP_EVENTS`] in one step, or events after the end. Events before the wrong one are taken.
    pub fn push(&mut self, events: &[StreamEvent]) -> Result<usize> {
        if self.ended && !events.is_empty() {
            return Err(Error::argument("stream", "no events after its end", events.len()));
        }
        for (i, event) in events.iter().enumerate() {
            let seen = self.seen;
            let place = |part: &str| format!("stream event {seen}, {part}");
            let Extent { h, w, c } = self.extent;
            if event.x as usize >= w || event.y as usize >= h || event.channel as usize >= c {
                let found = format!("x {}, y {}, channel {}", event.x, event.y, event.channel);
                return Err(Error::argument(place("address"), format!("x below {w}, y below {h}, channel below {c}"), found));
            }
            if event.time_us < self.time {
                return Err(Error::argument(place("time"), format!("at least {} us (times must not decrease)", self.time), event.time_us));
            }
            check_stream_value(&place("value"), self.source, event.value)?;
            let step = event.time_us / self.step_us;
            while self.step < step {
                if self.outputs.len() >= CAPACITY {
                    return Ok(i);
                }
                self.close_step(step);
            }
            if self.open.len() >= STEP_EVENTS {
                return Err(Error::argument(place("step"), format!("at most {STEP_EVENTS} events a step"), STEP_EVENTS + 1));
            }
            let index = (event.channel as usize * h + event.y as usize) * w + event.x as usize;
            self.open.push(Impulse { step: 0, index: index as u32, value: event.value });
            self.time = event.time_us;
            self.seen += 1;
        }
        Ok(events.len())
    }

    /// The oldest output not fetched yet. Steps whose outputs are all 0 have none.
    pub fn poll(&mut self) -> Option<StreamOutput> {
        self.outputs.pop_front()
    }

    /// Closes the last step. Outputs stay to be fetched; no more events are taken.
    pub fn end(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            self.close_step(self.step + 1);
        }
    }

    /// Logits over all steps so far, by the graph's readout rule.
    pub fn logits(&mut self) -> Vec<f32> {
        self.tick.logits()
    }

    /// Events taken so far.
    pub fn events(&self) -> u64 {
        self.seen
    }

    /// Bytes of state and queues.
    pub fn bytes(&self) -> usize {
        let outputs: usize = self.outputs.iter().map(|o| o.values.len() * 4).sum();
        self.tick.states().iter().map(crate::layers::UnitState::bytes).sum::<usize>()
            + outputs
            + self.open.capacity() * size_of::<Impulse>()
    }

    /// Runs the open step; then, if nothing stirs, goes straight on towards `target`.
    fn close_step(&mut self, target: u64) {
        let mut events = std::mem::take(self.tick.input(0));
        merge(self.extent, &self.open, &mut events);
        self.open.clear();
        *self.tick.input(0) = events;
        self.tick.step();
        let values = self.tick.output();
        if values.iter().any(|v| *v != 0.0) {
            self.outputs.push_back(StreamOutput { step: self.step, values });
        }
        self.step += 1;
        if self.step < target && self.tick.idle() {
            let silent = u32::try_from(target - self.step).unwrap_or(u32::MAX);
            self.tick.skip(silent);
            self.step += u64::from(silent);
        }
        *self.tick.input(0) = Events::default();
    }
}
