//! From an event graph to what the executors run.
//!
//! Values are stored channels last (`[y][x][c]`), so that one event touches rows that are contiguous in the output
//! channel. A *unit* is a node that puts out events; convolutions, linear layers and additions between units become
//! *deposits* into the reading unit's current.

pub mod geometry;
mod lower;
mod params;
mod quantise;
mod weights;

pub use geometry::Conv;
pub use lower::lower;
pub use params::{Cell, Rule, Values};

use crate::num::Num;
use aligned_vec::{AVec, ConstAlign};
use zoo_formats::event_graph::{ReadoutRule, Source};

/// Numbers that begin on a cache line, so that rows of whole vectors do not straddle two.
pub type Numbers<N> = AVec<N, ConstAlign<64>>;

/// Height, width and channels of a signal; `[N]` is `1 x 1 x N`, `[C, L]` is `1 x L x C`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
    /// Channels.
    pub c: usize,
}

impl Extent {
    /// From a graph's `[C, H, W]`, `[C, L]` or `[N]`.
    pub fn of(shape: &[usize]) -> Self {
        match *shape {
            [c, h, w] => Self { h, w, c },
            [c, w] => Self { h: 1, w, c },
            _ => Self { h: 1, w: 1, c: shape.iter().product() },
        }
    }

    /// Number of values.
    #[allow(clippy::len_without_is_empty, reason = "an extent is never empty")]
    pub fn len(self) -> usize {
        self.h * self.w * self.c
    }

    /// Values of one row.
    pub fn row(self) -> usize {
        self.w * self.c
    }

    /// Position in `[c][y][x]` of the value at `[y][x][c]` position `index`.
    pub fn to_chw(self, index: usize) -> usize {
        let (pixel, c) = (index / self.c, index % self.c);
        c * self.h * self.w + pixel
    }

    /// Position in `[y][x][c]` of the value at `[c][y][x]` position `index`.
    pub fn from_chw(self, index: usize) -> usize {
        let pixels = self.h * self.w;
        (index % pixels) * self.c + index / pixels
    }
}

/// How many spikes an event stands for, which is what synaptic operations are counted by.
#[derive(Clone, Debug, PartialEq)]
pub enum Multiplicity {
    /// As many as its value.
    Value,
    /// As many as its value divided by the neuron's amplitude.
    Amplitude(Values<f32>),
    /// It is an analog value: one multiply-accumulate.
    Analog,
}

/// One way in which events of `from` change a unit's current.
pub struct Deposit<N: Num> {
    /// The unit whose events are read.
    pub from: usize,
    /// Name of the node this came from.
    pub node: String,
    /// The arithmetic.
    pub kind: DepositKind<N>,
}

/// The arithmetic of a deposit.
pub enum DepositKind<N: Num> {
    /// Convolution.
    Conv(Box<Conv<N>>),
    /// Linear layer; rows of `outputs` weights, one an input position.
    Linear {
        /// `[input position][output]`.
        weights: Numbers<N>,
        /// Row length.
        outputs: usize,
        /// Largest sum of absolute weights over the inputs of one output.
        bound: f64,
    },
    /// Sum over windows: output rows and columns each input row and column falls into.
    Pool {
        /// Output rows by input row.
        rows: Vec<Vec<u32>>,
        /// Output columns by input column.
        columns: Vec<Vec<u32>>,
        /// Channels.
        channels: usize,
        /// Output width.
        width: usize,
    },
    /// The value itself, at another position; also pools whose windows do not overlap.
    Map {
        /// Output position by input position, [`NOWHERE`] for inputs that are dropped; `None` where they are the same.
        target: Option<Vec<u32>>,
        /// Most inputs that share an output.
        fan_in: usize,
        /// Multiplier, in the precision of the run (integer runs need it; float runs have 1).
        factor: N,
    },
}

/// Target of an input that reaches no output.
pub const NOWHERE: u32 = u32::MAX;

/// What a unit does with its current.
pub enum UnitKind<N: Num> {
    /// Events arrive from outside.
    Input {
        /// Index among the inputs of a run.
        index: usize,
        /// What arrives.
        source: Source,
    },
    /// Spiking neurons or integrators.
    Cells(Box<Cell<N>>),
    /// Passes its current on where it is not 0, times a factor.
    Emit {
        /// Factor by channel; `None` is 1.
        factor: Option<Values<N>>,
    },
    /// Gives out its input of `steps` steps ago.
    Delay {
        /// The unit read.
        from: usize,
        /// Steps.
        steps: usize,
    },
}

/// A node that puts out events.
pub struct Unit<N: Num> {
    /// Name of the node.
    pub name: String,
    /// Shape.
    pub extent: Extent,
    /// What it does.
    pub kind: UnitKind<N>,
    /// What its current is made of, in the order of summation.
    pub deposits: Vec<Deposit<N>>,
    /// Current before any event, by position: the sum of the biases. `None` is 0.
    pub bias: Option<Vec<N>>,
    /// How events are counted.
    pub multiplicity: Multiplicity,
    /// Real value of one unit of current or membrane (integer runs; 1 otherwise).
    pub scale: f64,
    /// Real value of an event's value 1 (integer runs; 1 otherwise).
    pub gain: f64,
    /// Whether every deposit comes from a constant source, so that the current is the same at each step.
    pub constant: bool,
}

/// A compiled graph.
pub struct Plan<N: Num> {
    /// Steps of a run.
    pub steps: usize,
    /// Units in evaluation order, delays first among equals.
    pub units: Vec<Unit<N>>,
    /// Indices of input units, in the order of a run's inputs.
    pub inputs: Vec<usize>,
    /// The unit read out.
    pub readout: usize,
    /// How it is read out.
    pub rule: ReadoutRule,
    /// Whether each step's outputs are asked for.
    pub per_step: bool,
    /// Whether the readout is a plain current, which is accumulated and never sent on as events.
    pub analog: bool,
    /// Readers of each unit: unit and index of its deposit.
    pub readers: Vec<Vec<(usize, usize)>>,
    /// Delays reading each unit.
    pub delays: Vec<Vec<usize>>,
}

impl<N: Num> Plan<N> {
    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.units[self.readout].extent.len()
    }

    /// Real value of 1 in what a unit puts out.
    pub fn worth(&self, unit: usize) -> f64 {
        if self.analog && unit == self.readout { self.units[unit].scale } else { self.units[unit].gain }
    }

    /// Bytes of weights and parameters, as NeuroBench's footprint counts them.
    pub fn weight_bytes(&self) -> usize {
        self.units.iter().map(Unit::weight_bytes).sum()
    }
}

impl<N: Num> Unit<N> {
    fn weight_bytes(&self) -> usize {
        let deposits: usize = self
            .deposits
            .iter()
            .map(|d| match &d.kind {
                DepositKind::Conv(conv) => conv.weights.len() * N::WEIGHT_BYTES,
                DepositKind::Linear { weights, .. } => weights.len() * N::WEIGHT_BYTES,
                DepositKind::Pool { .. } | DepositKind::Map { .. } => 0,
            })
            .sum();
        deposits + self.bias.as_ref().map_or(0, |b| size_of_val(b.as_slice()))
    }
}
