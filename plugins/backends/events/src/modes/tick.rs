//! Layer-synchronous execution: all events of a step through one unit, then the next.

use super::feed::{self, Cursor, Feed};
use super::outcome::{LayerRecord, Outcome, Raster};
use crate::layers::{Events, Leak, UnitState, Work, advance, deposit_all, emit, settle, states};
use crate::num::Num;
use crate::plan::{Plan, UnitKind};
use crate::settings::Settings;
use pulp::{Arch, Simd, WithSimd};
use std::sync::Arc;
use zoo_core::Result;
use zoo_formats::event_graph::ReadoutRule;

/// A run in mode `tick_sync`. Equal, entry for entry, to a clocked run.
pub struct Tick<N: Num> {
    plan: Arc<Plan<N>>,
    states: Vec<UnitState<N>>,
    work: Work,
    arch: Arch,
    leak: Leak,
    dense_above: Option<f32>,
    step: u32,
    sums: Vec<f64>,
    now: Vec<f64>,
    per_step: Vec<f32>,
    keep_steps: bool,
    rasters: Option<Vec<Raster>>,
}

struct OneStep<'a, N: Num>(&'a mut Tick<N>);

impl<N: Num> WithSimd for OneStep<'_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let tick = self.0;
        let plan = &*tick.plan;
        for (u, unit) in plan.units.iter().enumerate() {
            let (before, rest) = tick.states.split_at_mut(u);
            let state = &mut rest[0];
            match &unit.kind {
                UnitKind::Input { .. } => {
                    state.counters.active += state.events.len() as u64;
                }
                UnitKind::Delay { steps, .. } => {
                    state.events.clear();
                    if state.line.len() == *steps
                        && let Some(events) = state.line.pop_front()
                    {
                        state.events = events;
                    }
                }
                UnitKind::Cells(cell) => {
                    deposit_all(simd, plan, u, before, state, &mut tick.work, tick.dense_above);
                    let read = !plan.readers[u].is_empty() || !plan.delays[u].is_empty() || u == plan.readout || tick.rasters.is_some();
                    advance(simd, unit, cell, state, tick.step, tick.leak, read);
                }
                UnitKind::Emit { factor } => {
                    deposit_all(simd, plan, u, before, state, &mut tick.work, tick.dense_above);
                    let output = (u == plan.readout).then_some(tick.now.as_mut_slice());
                    emit(simd, unit, state, factor.as_ref(), output);
                }
            }
        }
    }
}

impl<N: Num> Tick<N> {
    /// A run before its first step.
    pub fn new(plan: Arc<Plan<N>>, settings: &Settings) -> Self {
        let classes = plan.classes();
        Self {
            states: states(&plan),
            work: Work::new(settings.arch()),
            arch: settings.arch(),
            leak: settings.leak(),
            dense_above: settings.dense_above(),
            step: 0,
            sums: vec![0.0; classes],
            now: vec![0.0; classes],
            per_step: Vec::new(),
            keep_steps: plan.per_step,
            rasters: None,
            plan,
        }
    }

    /// Records the events of every unit, and the outputs of each step, from now on.
    pub fn record(&mut self) {
        self.rasters = Some(vec![Raster::default(); self.plan.units.len()]);
        self.keep_steps = true;
    }

    /// Lets large layers use this many threads of the current rayon pool. Results stay the same, bit for bit.
    pub fn set_lanes(&mut self, lanes: usize) {
        self.work.lanes = lanes.max(1);
    }

    /// Back to before the first step; counts stay.
    pub fn reset(&mut self) {
        for (state, unit) in self.states.iter_mut().zip(&self.plan.units) {
            state.reset(unit);
        }
        self.step = 0;
        self.sums.fill(0.0);
        self.per_step.clear();
        if let Some(rasters) = &mut self.rasters {
            rasters.fill_with(Raster::default);
        }
    }

    /// Steps done.
    pub fn steps_done(&self) -> u32 {
        self.step
    }

    /// The events of input `input` in the next step; replace what is there. Positions ascend in `[y][x][c]` order.
    pub fn input(&mut self, input: usize) -> &mut Events {
        let unit = self.plan.inputs[input];
        &mut self.states[unit].events
    }

    /// Runs one step on what stands in the inputs.
    pub fn step(&mut self) {
        self.now.fill(0.0);
        self.arch.dispatch(OneStep(self));
        let plan = self.plan.clone();
        for (u, unit) in plan.units.iter().enumerate() {
            if let UnitKind::Delay { from, .. } = unit.kind {
                let events = self.states[from].events.clone();
                self.states[u].line.push_back(events);
            }
        }
        self.read_out(&plan);
        if let Some(rasters) = &mut self.rasters {
            for (u, ((raster, state), unit)) in rasters.iter_mut().zip(&self.states).zip(&plan.units).enumerate() {
                let worth = plan.worth(u) as f32;
                for (&i, &v) in state.events.index.iter().zip(&state.events.value) {
                    raster.push(self.step, unit.extent.to_chw(i as usize) as u32, v * worth);
                }
            }
        }
        self.step += 1;
    }

    fn read_out(&mut self, plan: &Plan<N>) {
        let unit = &plan.units[plan.readout];
        let state = &mut self.states[plan.readout];
        let scale = plan.worth(plan.readout);
        if plan.rule == ReadoutRule::Membrane {
            if self.keep_steps {
                if let UnitKind::Cells(cell) = &unit.kind {
                    settle(unit, cell, state, self.step + 1, self.leak);
                }
                self.per_step.extend(state.v.iter().map(|v| (v.to_f64() * unit.scale) as f32));
            }
            return;
        }
        if !plan.analog {
            for (&i, &v) in state.events.index.iter().zip(&state.events.value) {
                self.now[unit.extent.to_chw(i as usize)] = f64::from(v);
            }
        }
        for (sum, now) in self.sums.iter_mut().zip(&self.now) {
            *sum += now;
        }
        if self.keep_steps {
            self.per_step.extend(self.now.iter().map(|v| (v * scale) as f32));
        }
    }

    /// Keeps no outputs of past steps, whatever the graph asks for: for runs without an end.
    pub fn forget_steps(&mut self) {
        self.keep_steps = false;
        self.per_step = Vec::new();
    }

    /// What the readout gave in the last step: its current or what its events carry; its membranes, brought up to now,
    /// where the rule is `membrane`.
    pub fn output(&mut self) -> Vec<f32> {
        if self.plan.rule == ReadoutRule::Membrane {
            return self.logits();
        }
        let scale = self.plan.worth(self.plan.readout);
        self.now.iter().map(|v| (v * scale) as f32).collect()
    }

    /// Runs a whole sample from the beginning.
    ///
    /// # Errors
    /// [`zoo_core::Error::Shape`] or [`zoo_core::Error::Argument`] for feeds that do not fit.
    pub fn run(&mut self, feeds: &[Feed<'_>]) -> Result<()> {
        feed::check(&self.plan, feeds)?;
        self.reset();
        let plan = self.plan.clone();
        let mut cursor = Cursor::new(&plan, feeds);
        for step in 0..plan.steps {
            for (input, &u) in plan.inputs.iter().enumerate() {
                cursor.merged(input, step as u32, &mut self.states[u].events);
            }
            self.step();
        }
        Ok(())
    }

    /// Runs a sample whose events are already sorted into steps, at the one input of the graph. Positions ascend in
    /// `[y][x][c]` order and are trusted to lie inside the image.
    pub fn run_sorted(&mut self, steps: &[Events]) {
        self.reset();
        for events in steps {
            self.input(0).clone_from(events);
            self.step();
        }
    }

    /// Logits of the steps so far.
    pub fn logits(&mut self) -> Vec<f32> {
        let plan = self.plan.clone();
        let unit = &plan.units[plan.readout];
        match plan.rule {
            ReadoutRule::Membrane => {
                let state = &mut self.states[plan.readout];
                if let UnitKind::Cells(cell) = &unit.kind {
                    settle(unit, cell, state, self.step, self.leak);
                }
                state.v.iter().map(|v| (v.to_f64() * unit.scale) as f32).collect()
            }
            rule => {
                let scale = plan.worth(plan.readout);
                let divisor = if rule == ReadoutRule::Mean { f64::from(self.step.max(1)) } else { 1.0 };
                self.sums.iter().map(|s| (s * scale / divisor) as f32).collect()
            }
        }
    }

    /// Outputs of each step so far, `[T, classes]`; empty unless asked for by the graph or by recording.
    pub fn per_step(&self) -> &[f32] {
        &self.per_step
    }

    /// Everything recorded. Units that were not recorded have empty rasters.
    pub fn outcome(&mut self) -> Outcome {
        let logits = self.logits();
        let rasters = self.rasters.clone().unwrap_or_else(|| vec![Raster::default(); self.states.len()]);
        let mut layers = Vec::with_capacity(rasters.len());
        for ((unit, state), raster) in self.plan.units.iter().zip(&mut self.states).zip(rasters) {
            let spiking = if let UnitKind::Cells(cell) = &unit.kind {
                settle(unit, cell, state, self.step, self.leak);
                cell.fires
            } else {
                false
            };
            let membrane = if state.v.is_empty() {
                Vec::new()
            } else {
                (0..unit.extent.len()).map(|i| state.v[unit.extent.from_chw(i)].to_f64() * unit.scale).collect()
            };
            layers.push(LayerRecord {
                name: unit.name.clone(),
                neurons: unit.extent.len(),
                spiking,
                raster,
                membrane,
                counters: state.counters.clone(),
            });
        }
        Outcome { logits, per_step: self.per_step.clone(), layers }
    }

    /// States by unit, for counting.
    pub fn states(&self) -> &[UnitState<N>] {
        &self.states
    }

    /// The plan.
    pub fn plan(&self) -> &Arc<Plan<N>> {
        &self.plan
    }

    /// Whether steps without input change nothing but decay, so that they can be skipped.
    pub fn idle(&self) -> bool {
        self.plan.units.iter().zip(&self.states).all(|(unit, state)| {
            let quiet = match &unit.kind {
                UnitKind::Cells(cell) => !cell.always && state.base.is_none() && !state.hot.contains(&true),
                UnitKind::Emit { .. } => state.base.is_none(),
                UnitKind::Delay { .. } => state.line.iter().all(Events::is_empty),
                UnitKind::Input { .. } => true,
            };
            quiet && unit.bias.is_none()
        })
    }

    /// Skips `steps` idle steps.
    pub fn skip(&mut self, steps: u32) {
        self.step = self.step.saturating_add(steps);
    }
}
