//! Event-by-event execution: a neuron is updated, tested and reset once for every event that reaches it.
//!
//! Excitation and inhibition of one step no longer cancel before the threshold test, so the result differs from a
//! clocked run in general; [`super::divergence`] measures by how much. Order is deterministic: time, then order of
//! arrival, and the spikes caused by one event by channel, y, x.

use super::feed::{self, Cursor, Feed};
use super::outcome::{LayerRecord, Outcome, Raster};
use crate::layers::{Events, UnitState, Work, deposit_events, fan_out, states};
use crate::num::Num;
use crate::plan::{Cell, DepositKind, Multiplicity, NOWHERE, Plan, Rule, UnitKind};
use crate::settings::{BiasMode, Mode, Settings};
use std::collections::VecDeque;
use std::sync::Arc;
use zoo_core::{Error, Result};
use zoo_formats::event_graph::{Dynamics, EventGraph, Neuron, Op, Payload, ReadoutRule, Reset};

/// Which event is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// The oldest (breadth first).
    Oldest,
    /// The newest: each spike is followed to the output before the next one (depth first).
    Newest,
}

/// An event on its way to one reader.
#[derive(Clone, Copy, Debug)]
struct Delivery {
    from: u32,
    reader: u32,
    index: u32,
    value: f32,
}

/// Deliveries one outside event may cause before the run is given up as endless.
const RUNAWAY: u64 = 1 << 32;

/// A run in mode `async_bfs` or `async_dfs`.
pub struct Asynchronous<N: Num> {
    plan: Arc<Plan<N>>,
    states: Vec<UnitState<N>>,
    /// Step each neuron was brought up to, by unit.
    seen: Vec<Vec<u32>>,
    /// Step from which each neuron listens again, by unit; empty without refractory time.
    free: Vec<Vec<u32>>,
    follow: Follow,
    bias: BiasMode,
    queue: VecDeque<Delivery>,
    work: Work,
    step: u32,
    sums: Vec<f64>,
    now: Vec<f64>,
    per_step: Vec<f32>,
    rasters: Option<Vec<Raster>>,
    single: Events,
    fired: Vec<(u32, f32)>,
}

/// Refuses what has no meaning without a clock.
pub(super) fn check(graph: &EventGraph, settings: &Settings) -> Result<()> {
    for node in &graph.nodes {
        let refuse = |op: &str, why: &str| {
            Err(Error::UnsupportedOperator {
                backend: "events (asynchronous)".into(),
                op: op.into(),
                node: node.name.clone(),
                why: why.into(),
            })
        };
        match &node.op {
            Op::Neuron(Neuron { dynamics: Dynamics::CubaLif { .. }, .. }) => {
                return refuse("cuba-lif", "a synaptic current moves the membrane between events; use events.mode = tick_sync");
            }
            Op::Li { .. } if graph.readout.node != node.name => {
                return refuse(
                    "li",
                    "an integrator puts out a value at every step; only the readout may be one, else use events.mode = tick_sync",
                );
            }
            Op::Li { .. } if graph.readout.rule != ReadoutRule::Membrane => {
                return refuse(
                    "li",
                    "without a clock only its membrane can be read; set the readout rule to membrane, or use events.mode = tick_sync",
                );
            }
            Op::Conv1d { bias: Some(name), .. } | Op::Conv2d { bias: Some(name), .. } | Op::Linear { bias: Some(name), .. }
                if settings.bias == BiasMode::Dropped =>
            {
                let values = graph.tensors.get(name).map(|t| t.as_slice::<f32>()).transpose()?.unwrap_or(&[]);
                if let Some(b) = values.iter().find(|b| **b != 0.0) {
                    return Err(Error::argument(
                        "events.bias",
                        format!("clocked, since node `{}` has a bias of {b}", node.name),
                        "dropped",
                    ));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

impl<N: Num> Asynchronous<N> {
    /// A run before its first event.
    pub fn new(plan: Arc<Plan<N>>, settings: &Settings) -> Self {
        let classes = plan.classes();
        let cells = |u: &crate::plan::Unit<N>| if let UnitKind::Cells(_) = u.kind { vec![0; u.extent.len()] } else { Vec::new() };
        Self {
            states: states(&plan),
            seen: plan.units.iter().map(cells).collect(),
            free: plan.units.iter().map(cells).collect(),
            follow: if settings.mode == Mode::AsyncBfs { Follow::Oldest } else { Follow::Newest },
            bias: settings.bias,
            queue: VecDeque::new(),
            work: Work::new(pulp::Arch::Scalar),
            step: 0,
            sums: vec![0.0; classes],
            now: vec![0.0; classes],
            per_step: Vec::new(),
            rasters: None,
            single: Events::default(),
            fired: Vec::new(),
            plan,
        }
    }

    /// Records the events of every unit in the order they happen, and the outputs of each step.
    pub fn record(&mut self) {
        self.rasters = Some(vec![Raster::default(); self.plan.units.len()]);
    }

    /// Back to before the first event; counts stay.
    pub fn reset(&mut self) {
        for (u, (state, unit)) in self.states.iter_mut().zip(&self.plan.units).enumerate() {
            state.reset(unit);
            // Biases arrive as events of their own.
            state.current.fill(N::default());
            state.base = None;
            self.seen[u].fill(0);
            self.free[u].fill(0);
        }
        self.queue.clear();
        self.step = 0;
        self.sums.fill(0.0);
        self.now.fill(0.0);
        self.per_step.clear();
        if let Some(rasters) = &mut self.rasters {
            rasters.fill_with(Raster::default);
        }
    }

    /// Runs a whole sample from the beginning.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Argument`] for feeds that do not fit; [`Error::Runtime`] if the network excites
    /// itself without end.
    pub fn run(&mut self, feeds: &[Feed<'_>]) -> Result<()> {
        feed::check(&self.plan, feeds)?;
        self.reset();
        let plan = self.plan.clone();
        let mut cursor = Cursor::new(&plan, feeds);
        let mut arriving = Vec::new();
        for step in 0..plan.steps {
            self.begin_step()?;
            for (input, &u) in plan.inputs.iter().enumerate() {
                cursor.arriving(input, step as u32, &mut arriving);
                for &(index, value) in &arriving {
                    self.arrive(u, index, value)?;
                }
            }
            self.end_step();
        }
        Ok(())
    }

    /// An outside event; counts above 1 arrive one after the other.
    fn arrive(&mut self, unit: usize, index: u32, value: f32) -> Result<()> {
        if self.plan.units[unit].multiplicity != Multiplicity::Value {
            self.emit(unit, index, value);
            return self.drain();
        }
        for _ in 0..value as u32 {
            self.emit(unit, index, 1.0);
            self.drain()?;
        }
        Ok(())
    }

    /// Clocked sources: delayed events of past steps, neurons that start above threshold, biases.
    fn begin_step(&mut self) -> Result<()> {
        let plan = self.plan.clone();
        let mut due: Vec<Option<Events>> = Vec::with_capacity(plan.units.len());
        for (unit, state) in plan.units.iter().zip(&mut self.states) {
            due.push(match unit.kind {
                UnitKind::Delay { steps, .. } => {
                    let past = if state.line.len() == steps { state.line.pop_front() } else { None };
                    state.line.push_back(Events::default());
                    past
                }
                _ => None,
            });
        }
        for (u, unit) in plan.units.iter().enumerate() {
            match &unit.kind {
                UnitKind::Delay { .. } => {
                    for (&index, &value) in due[u].iter().flat_map(|e| e.index.iter().zip(&e.value)) {
                        self.emit(u, index, value);
                        self.drain()?;
                    }
                }
                UnitKind::Cells(cell) => {
                    let bias = unit.bias.as_ref().filter(|_| self.bias == BiasMode::Clocked);
                    if bias.is_none() && !(self.step == 0 && self.states[u].hot.contains(&true)) {
                        continue;
                    }
                    self.fired.clear();
                    for i in 0..unit.extent.len() {
                        let x = bias.map_or(N::default(), |b| b[i]);
                        self.update(u, cell, i, x);
                    }
                    self.send(u);
                    self.drain()?;
                }
                UnitKind::Emit { factor } => {
                    let Some(bias) = unit.bias.as_ref().filter(|_| self.bias == BiasMode::Clocked) else { continue };
                    for (i, &b) in bias.iter().enumerate().filter(|(_, b)| **b != N::default()) {
                        let value = factor.as_ref().map_or(b, |f| b.product(f.at(i))).to_f64();
                        self.read_current(u, i, value);
                        self.emit(u, i as u32, value as f32);
                        self.drain()?;
                    }
                }
                UnitKind::Input { .. } => {}
            }
        }
        Ok(())
    }

    fn end_step(&mut self) {
        let scale = self.plan.worth(self.plan.readout);
        if self.rasters.is_some() || self.plan.per_step {
            if self.plan.rule == ReadoutRule::Membrane {
                let next = self.step + 1;
                self.settle(self.plan.readout, next);
                let v = &self.states[self.plan.readout].v;
                self.per_step.extend(v.iter().map(|v| (v.to_f64() * self.plan.units[self.plan.readout].scale) as f32));
            } else {
                self.per_step.extend(self.now.iter().map(|v| (v * scale) as f32));
            }
        }
        self.sums.iter_mut().zip(&mut self.now).for_each(|(sum, now)| *sum += std::mem::take(now));
        self.step += 1;
    }

    /// Puts an event of a unit on its way to all readers.
    fn emit(&mut self, unit: usize, index: u32, value: f32) {
        let plan = &self.plan;
        let counters = &mut self.states[unit].counters;
        counters.active += 1;
        if matches!(plan.units[unit].kind, UnitKind::Cells(_)) {
            counters.spikes += 1;
        }
        if let Some(rasters) = &mut self.rasters {
            rasters[unit].push(self.step, plan.units[unit].extent.to_chw(index as usize) as u32, value * plan.worth(unit) as f32);
        }
        if unit == plan.readout && !plan.analog {
            self.now[plan.units[unit].extent.to_chw(index as usize)] += f64::from(value);
        }
        for &delay in &plan.delays[unit] {
            if let Some(now) = self.states[delay].line.back_mut() {
                now.push(index, value);
            }
        }
        let count = plan.readers[unit].len() as u32;
        let delivery = |reader| Delivery { from: unit as u32, reader, index, value };
        match self.follow {
            Follow::Oldest => self.queue.extend((0..count).map(delivery)),
            Follow::Newest => (0..count).rev().for_each(|reader| self.queue.push_front(delivery(reader))),
        }
    }

    fn drain(&mut self) -> Result<()> {
        let mut delivered = 0u64;
        while let Some(delivery) = self.queue.pop_front() {
            self.deliver(delivery);
            delivered += 1;
            if delivered > RUNAWAY {
                let message = format!("one event caused more than {RUNAWAY} deliveries; the network excites itself without end");
                return Err(Error::Runtime { backend: "events".into(), stage: "an asynchronous run".into(), message });
            }
        }
        Ok(())
    }

    fn deliver(&mut self, delivery: Delivery) {
        let plan = self.plan.clone();
        let (u, d) = plan.readers[delivery.from as usize][delivery.reader as usize];
        let unit = &plan.units[u];
        let deposit = &unit.deposits[d];
        let source = &plan.units[delivery.from as usize];
        let fan = fan_out(&deposit.kind, delivery.index as usize);
        let state = &mut self.states[u];
        match source.multiplicity {
            Multiplicity::Analog => state.counters.products += fan,
            _ => state.counters.additions += fan,
        }
        self.single.clear();
        self.single.push(delivery.index, delivery.value);
        deposit_events(pulp::Scalar::new(), &deposit.kind, source.extent, unit.extent, &self.single, state, &mut self.work);
        state.touched.fill(false);
        self.fired.clear();
        visit(&deposit.kind, source.extent, delivery.index as usize, |i| match &unit.kind {
            UnitKind::Cells(cell) => {
                let x = std::mem::take(&mut self.states[u].current[i]);
                if x != N::default() {
                    self.update(u, cell, i, x);
                }
            }
            UnitKind::Emit { factor } => {
                let x = std::mem::take(&mut self.states[u].current[i]);
                if x != N::default() {
                    let value = factor.as_ref().map_or(x, |f| x.product(f.at(i))).to_f64();
                    self.read_current(u, i, value);
                    self.fired.push((i as u32, value as f32));
                }
            }
            UnitKind::Input { .. } | UnitKind::Delay { .. } => {}
        });
        self.send(u);
    }

    /// Adds a current to the readout, if the unit is one.
    fn read_current(&mut self, unit: usize, i: usize, value: f64) {
        if unit == self.plan.readout && self.plan.analog {
            self.now[i] += value;
        }
    }

    /// Sends what has just fired, by channel, y, x.
    fn send(&mut self, unit: usize) {
        let mut fired = std::mem::take(&mut self.fired);
        let extent = self.plan.units[unit].extent;
        fired.sort_by_key(|&(i, _)| extent.to_chw(i as usize));
        match self.follow {
            Follow::Oldest => fired.iter().for_each(|&(i, v)| self.emit(unit, i, v)),
            Follow::Newest => self.send_newest(unit, &fired),
        }
        fired.clear();
        self.fired = fired;
    }

    /// Depth first, several spikes of one event still leave in order: the first one's deliveries come first.
    fn send_newest(&mut self, unit: usize, fired: &[(u32, f32)]) {
        let mut later = std::mem::take(&mut self.queue);
        for &(i, v) in fired {
            let mut earlier = std::mem::take(&mut self.queue);
            self.emit(unit, i, v);
            earlier.append(&mut self.queue);
            self.queue = earlier;
        }
        self.queue.append(&mut later);
    }

    /// One neuron meets one event.
    fn update(&mut self, u: usize, cell: &Cell<N>, i: usize, x: N) {
        if cell.refractory > 0 && self.step < self.free[u][i] {
            return;
        }
        self.bring_up(u, cell, i, self.step + 1);
        let state = &mut self.states[u];
        state.counters.updates += 1;
        let x = match &cell.rule {
            Rule::Leaky { gain, plain: false, .. } => x.decayed(*gain),
            _ => x,
        };
        let mut saturated = 0;
        let mut v = state.v[i].accumulate(x, &mut saturated);
        state.counters.saturations += u64::from(saturated);
        let threshold = cell.threshold.at(i);
        let amplitude = if cell.payload == Payload::Theta && !N::INTEGER { threshold.to_f64() as f32 } else { 1.0 };
        while cell.fires && cell.crosses(v, threshold) {
            self.fired.push((i as u32, amplitude));
            let before = v;
            v = match cell.reset {
                Reset::Subtract => v.minus(threshold),
                Reset::Zero | Reset::Value(_) => cell.reset_value,
            };
            if cell.refractory > 0 {
                self.free[u][i] = self.step + 1 + cell.refractory;
                break;
            }
            // A membrane so large that a threshold vanishes in its rounding would never come down.
            if v == before {
                break;
            }
        }
        self.states[u].v[i] = cell.floor.map_or(v, |floor| if v < floor { floor } else { v });
    }

    /// Decays one membrane up to and including the products of the steps before `step`.
    fn bring_up(&mut self, u: usize, cell: &Cell<N>, i: usize, step: u32) {
        let from = self.seen[u][i].max(self.free[u][i]);
        self.seen[u][i] = self.seen[u][i].max(step);
        let Rule::Leaky { decay, .. } = &cell.rule else { return };
        for _ in from..step {
            let v = self.states[u].v[i];
            let next = v.decayed(decay.at(i));
            if next == v {
                break;
            }
            self.states[u].v[i] = next;
        }
    }

    fn settle(&mut self, u: usize, step: u32) {
        let plan = self.plan.clone();
        if let UnitKind::Cells(cell) = &plan.units[u].kind {
            (0..plan.units[u].extent.len()).for_each(|i| self.bring_up(u, cell, i, step));
        }
    }

    /// Logits of the steps so far.
    pub fn logits(&mut self) -> Vec<f32> {
        let plan = self.plan.clone();
        let unit = &plan.units[plan.readout];
        if plan.rule == ReadoutRule::Membrane {
            self.settle(plan.readout, self.step);
            return self.states[plan.readout].v.iter().map(|v| (v.to_f64() * unit.scale) as f32).collect();
        }
        let scale = plan.worth(plan.readout);
        let divisor = if plan.rule == ReadoutRule::Mean { f64::from(self.step.max(1)) } else { 1.0 };
        self.sums.iter().map(|s| (s * scale / divisor) as f32).collect()
    }

    /// Outputs of each step so far, `[T, classes]`; empty unless asked for by the graph or by recording.
    pub fn per_step(&self) -> &[f32] {
        &self.per_step
    }

    /// The plan.
    pub fn plan(&self) -> &Arc<Plan<N>> {
        &self.plan
    }

    /// States by unit, for counting.
    pub fn states(&self) -> &[UnitState<N>] {
        &self.states
    }

    /// Everything recorded.
    pub fn outcome(&mut self) -> Outcome {
        let logits = self.logits();
        let rasters = self.rasters.clone().unwrap_or_else(|| vec![Raster::default(); self.states.len()]);
        let plan = self.plan.clone();
        let record = |(u, raster): (usize, Raster)| {
            let unit = &plan.units[u];
            self.settle(u, self.step);
            let state = &self.states[u];
            let place = |i: usize| state.v[unit.extent.from_chw(i)].to_f64() * unit.scale;
            LayerRecord {
                name: unit.name.clone(),
                neurons: unit.extent.len(),
                spiking: matches!(&unit.kind, UnitKind::Cells(cell) if cell.fires),
                raster,
                membrane: if state.v.is_empty() { Vec::new() } else { (0..unit.extent.len()).map(place).collect() },
                counters: state.counters.clone(),
            }
        };
        let layers = rasters.into_iter().enumerate().map(record).collect();
        Outcome { logits, per_step: self.per_step.clone(), layers }
    }
}

/// Calls `f` for every output position one event reaches.
fn visit<N: Num>(kind: &DepositKind<N>, from: crate::plan::Extent, index: usize, mut f: impl FnMut(usize)) {
    let (pixel, c) = (index / from.c, index % from.c);
    match kind {
        DepositKind::Linear { outputs, .. } => (0..*outputs).for_each(f),
        DepositKind::Map { target, .. } => match target.as_ref().map_or(index as u32, |t| t[index]) {
            NOWHERE => {}
            at => f(at as usize),
        },
        DepositKind::Pool { rows, columns, channels, width } => {
            for &y in &rows[pixel / from.w] {
                columns[pixel % from.w].iter().for_each(|&x| f((y as usize * width + x as usize) * channels + c));
            }
        }
        DepositKind::Conv(conv) => {
            let first = c / conv.group_in * conv.group_out;
            for &(_, y) in &conv.rows[pixel / from.w] {
                for segment in &conv.segments[pixel % from.w] {
                    for x in segment.column..segment.column + segment.columns {
                        let at = (y * conv.width + x) * conv.channels + first;
                        (at..at + conv.group_out).for_each(&mut f);
                    }
                }
            }
        }
    }
}
