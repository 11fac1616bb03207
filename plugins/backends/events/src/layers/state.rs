//! Events, states and counters.

use super::dense::Dense;
use crate::num::Num;
use crate::plan::{Numbers, Plan, Unit, UnitKind, Values};

/// What a unit put out in one step: positions in `[y][x][c]` order, ascending and unique, and their values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Events {
    /// Positions.
    pub index: Vec<u32>,
    /// Values.
    pub value: Vec<f32>,
    /// Whether some value is not 1.
    pub graded: bool,
}

impl Events {
    /// Adds an event.
    #[inline(always)]
    pub fn push(&mut self, index: u32, value: f32) {
        self.index.push(index);
        self.value.push(value);
        self.graded |= value != 1.0;
    }

    /// Forgets all events.
    pub fn clear(&mut self) {
        self.index.clear();
        self.value.clear();
        self.graded = false;
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Takes the non-zero values of a dense `[y][x][c]` image.
    pub fn fill_from(&mut self, values: impl IntoIterator<Item = f32>) {
        self.clear();
        for (i, v) in values.into_iter().enumerate() {
            if v != 0.0 {
                self.push(i as u32, v);
            }
        }
    }
}

/// What was counted for one unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Events put out, each counted as often as it stands for a spike (analog events once).
    pub spikes: u64,
    /// Positions that put out something, over all steps.
    pub active: u64,
    /// Additions caused by events that are spikes: in-bounds, times multiplicity.
    pub additions: u64,
    /// Multiply-accumulates caused by analog events, in-bounds.
    pub products: u64,
    /// Membranes visited.
    pub updates: u64,
    /// Membrane additions that left 16 bits.
    pub saturations: u64,
    /// Deposits that ran as a dense layer.
    pub dense_runs: u64,
}

impl Counters {
    /// Adds another count.
    pub fn merge(&mut self, other: &Self) {
        self.spikes += other.spikes;
        self.active += other.active;
        self.additions += other.additions;
        self.products += other.products;
        self.updates += other.updates;
        self.saturations += other.saturations;
        self.dense_runs += other.dense_runs;
    }
}

/// What a unit holds between steps.
pub struct UnitState<N: Num> {
    /// Current of this step.
    pub current: Numbers<N>,
    /// What was moved out of `current` because 16 bits might not hold it; empty unless that happened.
    pub wide: Vec<i32>,
    /// Membranes.
    pub v: Numbers<N>,
    /// Synaptic currents; empty for most rules.
    pub synaptic: Vec<N>,
    /// Steps left of the refractory time; empty where there is none.
    pub refractory: Vec<u32>,
    /// Rows that received something in this step.
    pub touched: Vec<bool>,
    /// Rows that must be visited in the next step even without input.
    pub hot: Vec<bool>,
    /// First step each row has not been brought up to yet.
    pub next: Vec<u32>,
    /// Current before any event.
    pub base: Option<Numbers<N>>,
    /// Additions and products of a constant unit's one deposit, counted again at each step.
    pub steady: Option<(u64, u64)>,
    /// Events of this step.
    pub events: Events,
    /// Events of past steps, of a delay.
    pub line: std::collections::VecDeque<Events>,
    /// Work memory of the dense kernel, by deposit.
    pub dense: Vec<Option<Dense>>,
    /// Counts.
    pub counters: Counters,
}

impl<N: Num> UnitState<N> {
    /// The state before the first step.
    pub fn new(unit: &Unit<N>) -> Self {
        let (n, h) = (unit.extent.len(), unit.extent.h);
        let summing = !matches!(unit.kind, UnitKind::Input { .. } | UnitKind::Delay { .. });
        let mut state = Self {
            current: zeros(if summing { n } else { 0 }),
            wide: Vec::new(),
            v: zeros(0),
            synaptic: Vec::new(),
            refractory: Vec::new(),
            touched: vec![false; h],
            hot: vec![false; h],
            next: vec![0; h],
            base: None,
            steady: None,
            events: Events::default(),
            line: std::collections::VecDeque::new(),
            dense: unit.deposits.iter().map(|_| None).collect(),
            counters: Counters::default(),
        };
        if let UnitKind::Cells(cell) = &unit.kind {
            state.v = zeros(n);
            if matches!(cell.rule, crate::plan::Rule::Cuba { .. }) {
                state.synaptic = vec![N::default(); n];
            }
            if cell.refractory > 0 {
                state.refractory = vec![0; n];
            }
        }
        state.reset(unit);
        state
    }

    /// Back to the state before the first step; counts stay.
    pub fn reset(&mut self, unit: &Unit<N>) {
        match &unit.bias {
            Some(bias) => self.current.copy_from_slice(bias),
            None => self.current.fill(N::default()),
        }
        self.base = unit.bias.as_ref().map(|b| Numbers::from_slice(0, b));
        self.steady = None;
        self.wide.clear();
        self.synaptic.fill(N::default());
        self.refractory.fill(0);
        self.touched.fill(false);
        self.next.fill(0);
        self.events.clear();
        self.line.clear();
        self.hot.fill(false);
        if let UnitKind::Cells(cell) = &unit.kind {
            match &cell.v_init {
                Values::Same(v) => self.v.fill(*v),
                Values::Each(all) => self.v.copy_from_slice(all),
            }
            // A membrane that starts at or above threshold fires without input; one below the floor is lifted.
            let row = unit.extent.row();
            for (y, hot) in self.hot.iter_mut().enumerate() {
                let moves = |i: usize| cell.crosses(self.v[i], cell.threshold.at(i)) || cell.floor.is_some_and(|f| self.v[i] < f);
                *hot = cell.fires && (y * row..(y + 1) * row).any(moves);
            }
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let numbers = self.current.len() + self.v.len() + self.synaptic.len() + self.base.as_ref().map_or(0, |b| b.len());
        let lines: usize = self.line.iter().map(|e| e.index.capacity() * 8).sum();
        let dense: usize = self.dense.iter().flatten().map(Dense::bytes).sum();
        numbers * size_of::<N>()
            + (self.wide.len() + self.refractory.len()) * 4
            + self.next.len() * 6
            + self.events.index.capacity() * 8
            + lines
            + dense
    }
}

fn zeros<N: Num>(n: usize) -> Numbers<N> {
    Numbers::from_iter(0, std::iter::repeat_n(N::default(), n))
}

/// States of a whole plan.
pub(crate) fn states<N: Num>(plan: &Plan<N>) -> Vec<UnitState<N>> {
    plan.units.iter().map(UnitState::new).collect()
}
