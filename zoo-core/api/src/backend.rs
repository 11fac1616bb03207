//! Backends compile artifacts into sessions.

use crate::artifact::{Artifact, ArtifactKind};
use crate::error::{Error, Result};
use crate::spec::TensorSpec;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whether a backend can be used here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Availability {
    /// It can.
    Ready {
        /// Version and build of the runtime, such as `onnxruntime 1.32.0`.
        version: String,
        /// Devices that can be asked for.
        devices: Vec<String>,
    },
    /// It can't.
    Unavailable {
        /// What was looked for and not found.
        why: String,
        /// The command that mends it.
        mend: String,
    },
}

/// Where to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA GPU by index.
    Cuda(u32),
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl std::str::FromStr for Device {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let index = |t: &str| t.parse().ok().map(Self::Cuda);
        match text {
            "cpu" => Some(Self::Cpu),
            "cuda" => Some(Self::Cuda(0)),
            other => other.strip_prefix("cuda:").and_then(index),
        }
        .ok_or_else(|| Error::argument("device", "cpu, cuda or cuda:N", text))
    }
}

/// How to compile and run. Unknown `extra` keys are an error of the backend, never ignored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Threads for one run; `None` leaves it to the runtime.
    pub threads: Option<usize>,
    /// The batch size most runs will have, which lets a backend plan for it; others still work.
    pub batch_hint: Option<usize>,
    /// Whether the items of a batch do not influence one another, so that a backend may run them apart. The host's
    /// evaluation says so; a caller with a graph that mixes items says nothing.
    #[serde(default)]
    pub independent_items: bool,
    /// Settings of one backend, by `backend.key` (`onnxruntime.graph-optimization`, `events.mode` ...).
    pub extra: BTreeMap<String, String>,
}

/// Turns artifacts into sessions on some runtime or hardware.
pub trait Backend: Send + Sync {
    /// The name used on the command line: `tract`, `onnxruntime`, `events` ...
    fn name(&self) -> &str;

    /// One line for lists.
    fn description(&self) -> &str;

    /// Whether it can be used here. Never panics and never takes longer than a second or so.
    fn probe(&self) -> Availability;

    /// Artifact kinds it compiles, best first.
    fn accepts(&self) -> &[ArtifactKind];

    /// Compiles an artifact.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if runtime or device are absent, [`Error::UnsupportedOperator`] naming node and operator,
    /// [`Error::Artifact`] if the artifact is malformed, [`Error::Runtime`] for the runtime's own failures.
    fn compile(&self, artifact: &Artifact, device: &Device, options: &Options) -> Result<Box<dyn Session>>;
}

/// What a session counted since it was made. Absent is unknown, not zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionStats {
    /// Runs so far.
    pub runs: u64,
    /// Synaptic operations, in-bounds adds times multiplicity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synops: Option<u64>,
    /// Spikes emitted by all neurons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spikes: Option<u64>,
    /// Peak bytes of state and work memory the session itself holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_bytes: Option<u64>,
    /// What really ran where: execution provider to number of nodes, where the runtime tells.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub placement: BTreeMap<String, u64>,
}

/// A compiled model.
pub trait Session: Send {
    /// Inputs in the order [`Session::run`] takes them.
    fn inputs(&self) -> &[TensorSpec];

    /// Outputs in the order [`Session::run`] returns them.
    fn outputs(&self) -> &[TensorSpec];

    /// Metadata of the artifact, such as the number of time steps.
    fn metadata(&self) -> &BTreeMap<String, String>;

    /// Runs once. The first axis may be any batch size where the artifact leaves it free.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::DType`] for inputs that do not fit, [`Error::Runtime`] for the runtime's own failures.
    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>>;

    /// Counters since the session was made.
    fn stats(&self) -> SessionStats;

    /// Forgets state kept between runs. A session without state does nothing.
    fn reset(&mut self);
}
