//! How a framework turns the equations of NIR into steps, and what gets lost on the way into a file.

use crate::event_graph::{Compare, ReadoutRule, Source, SpikesPerStep};

/// How a framework's own importer reads a `.nir` file.
///
/// | dialect | fires at | a spike | spikes a step | leak a step | `IF` gain |
/// | --- | --- | --- | --- | --- | --- |
/// | `nir-strict` | `v > v_threshold` | sets `v_reset` | one | `1 - dt / tau` | `r dt` |
/// | `sinabs` 3.1 | `v >= v_threshold` | subtracts `v_threshold` | `trunc(v / v_threshold)` | `exp(-1 / tau)` | 1 |
/// | `spikingjelly` 2.0 | `v >= v_threshold` | sets `v_reset` | one | `1 - dt / tau` | `r dt` |
/// | `snntorch` 1.0 | `v > v_threshold` | sets 0 | one | `1 - dt / tau` | refused |
/// | `norse` 1.1 | `v > v_threshold` | sets `v_reset` | one | `1 - dt / tau` | 1 |
///
/// sinabs counts `tau` in steps, ignores `r`, and keeps the membrane of `IF` at `-v_threshold` or above. snnTorch reads
/// an `IF` as a leaky neuron with a decay of 0.9, so a file with one is refused in its dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The specification's equations by forward Euler steps.
    NirStrict,
    /// sinabs.
    Sinabs,
    /// SpikingJelly.
    SpikingJelly,
    /// snnTorch.
    SnnTorch,
    /// Norse. Its exporter writes `tau = dt / tau_mem_inv`, its importer takes `tau_mem_inv = 1 / tau`; for a file of its
    /// own exporter at the usual step of 1 ms, give a `dt` of 1e-6.
    Norse,
}

impl Dialect {
    /// All dialects.
    pub const ALL: [Self; 5] = [Self::NirStrict, Self::Sinabs, Self::SpikingJelly, Self::SnnTorch, Self::Norse];

    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::NirStrict => "nir-strict",
            Self::Sinabs => "sinabs",
            Self::SpikingJelly => "spikingjelly",
            Self::SnnTorch => "snntorch",
            Self::Norse => "norse",
        }
    }

    /// The dialect of that name.
    ///
    /// # Errors
    /// [`zoo_core::Error::Unknown`] listing the names.
    pub fn parse(name: &str) -> crate::Result<Self> {
        let found = Self::ALL.into_iter().find(|d| d.name() == name);
        found.ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|d| d.name()).collect();
            zoo_core::Error::Unknown { kind: "NIR dialect", name: name.into(), hint: format!("there are {}", names.join(", ")) }.into()
        })
    }

    /// Length of a step in seconds, as the framework's importer has it; sinabs counts in steps.
    pub fn default_dt(self) -> f64 {
        match self {
            Self::Sinabs => 1.0,
            Self::Norse => 1e-3,
            Self::NirStrict | Self::SpikingJelly | Self::SnnTorch => 1e-4,
        }
    }

    pub(super) fn compare(self) -> Compare {
        match self {
            Self::Sinabs | Self::SpikingJelly => Compare::GreaterEqual,
            Self::NirStrict | Self::SnnTorch | Self::Norse => Compare::Greater,
        }
    }

    pub(super) fn spikes(self) -> SpikesPerStep {
        if self == Self::Sinabs { SpikesPerStep::Trunc } else { SpikesPerStep::One }
    }

    pub(super) fn subtracts(self) -> bool {
        self == Self::Sinabs
    }

    /// Whether `r` counts for an `IF`.
    pub(super) fn if_gain(self) -> bool {
        !matches!(self, Self::Sinabs | Self::Norse)
    }
}

impl std::fmt::Display for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What a conversion needs to know beyond the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NirOptions {
    /// Whose reading.
    pub dialect: Dialect,
    /// Length of a step in seconds.
    pub dt: f64,
    /// Steps of the event graph.
    pub steps: usize,
    /// How outputs over time become logits.
    pub readout: ReadoutRule,
    /// What arrives at the inputs.
    pub source: Source,
}

impl NirOptions {
    /// The dialect's own step, 100 steps, spike counts, unit events.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, dt: dialect.default_dt(), steps: 100, readout: ReadoutRule::Sum, source: Source::Events }
    }

    /// Sets what arrives at the inputs.
    #[must_use]
    pub fn source(self, source: Source) -> Self {
        Self { source, ..self }
    }

    /// Sets the number of steps.
    #[must_use]
    pub fn steps(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// Sets the length of a step in seconds.
    #[must_use]
    pub fn dt(self, dt: f64) -> Self {
        Self { dt, ..self }
    }

    /// Sets how outputs over time become logits.
    #[must_use]
    pub fn readout(self, readout: ReadoutRule) -> Self {
        Self { readout, ..self }
    }

    pub(super) fn check(&self) -> crate::Result<()> {
        if self.dt.is_finite() && self.dt > 0.0 {
            return Ok(());
        }
        Err(zoo_core::Error::argument("length of a NIR step", "a positive number of seconds", self.dt).into())
    }
}

/// Something that one side can say and the other can't.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LossKind {
    /// A spike resets the membrane otherwise than the dialect reads.
    Reset,
    /// `>` against `>=`.
    Compare,
    /// Another number of spikes a step.
    SpikesPerStep,
    /// A lower bound of the membrane.
    Floor,
    /// A refractory time.
    Refractory,
    /// A membrane that does not start at 0 (or at the reset value).
    VInit,
    /// Another source of input than the options name.
    Source,
    /// Another number of steps or rule from outputs to logits than the options name.
    Readout,
    /// A loop that the file closes within a step got a delay of one step.
    LoopDelay,
}

impl LossKind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::Reset,
        Self::Compare,
        Self::SpikesPerStep,
        Self::Floor,
        Self::Refractory,
        Self::VInit,
        Self::Source,
        Self::Readout,
        Self::LoopDelay,
    ];
}

/// One loss, for the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// What kind.
    pub kind: LossKind,
    /// The node.
    pub node: String,
    /// What stood there and what a reader will take it for.
    pub detail: String,
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "node `{}`: {}", self.node, self.detail)
    }
}
