//! The configuration of a model.

use crate::det_hebb::Design;
use crate::multilayer::Resolution;
use crate::net::{Force, LamParam};
use crate::task::Task;
use serde::{Deserialize, Serialize};
use zoo_core::{Config, Error, Result};

/// Widest hidden layer and most iterations that a configuration may ask for.
const MOST_UNITS: usize = 1 << 16;
const MOST_ITERATIONS: u64 = 10_000_000;

/// Which network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// HebbFF, or with `force = "off"` the same without plasticity.
    Plastic,
    /// The gated baseline.
    Lstm,
    /// The analytic detector.
    DetHebb,
}

/// Sizes and parametrisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NetworkConfig {
    /// Which network.
    pub kind: Kind,
    /// Hidden units; DetHebb's follow from its address bits.
    #[serde(default)]
    pub n: usize,
    /// Sign of the plasticity.
    #[serde(default)]
    pub force: Force,
    /// How the decay is stored.
    #[serde(default)]
    pub lam_param: LamParam,
}

/// Where training streams come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// A fresh stream every step.
    Inf,
    /// One stream throughout.
    Dat,
    /// Fresh streams whose delay grows as they are mastered.
    Cur,
}

/// How to train.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TrainConfig {
    /// Where streams come from.
    pub mode: Mode,
    /// Steps of the optimiser.
    pub iterations: u64,
    /// Learning rate.
    pub lr: f64,
    /// The curriculum gives up after so many iterations without a longer delay.
    #[serde(default = "patience")]
    pub patience: u64,
}

fn patience() -> u64 {
    2_000_000
}

/// The study of snapshots (specification section 4).
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StudyConfig {
    /// Networks trained, each with a seed of its own.
    pub nets: u64,
    /// Their training.
    pub train: TrainConfig,
    /// Iterations between snapshots, a multiple of 10.
    pub every: u64,
    /// Steps of a window.
    pub window: usize,
    /// Restarts of the community detection; the best counts.
    pub restarts: usize,
    /// Resolution and coupling.
    #[serde(default)]
    pub resolution: Resolution,
    /// Remove self-correlations, which the authors keep.
    #[serde(default)]
    pub zero_diagonal: bool,
    /// Couplings of the sensitivity check.
    pub omegas: Vec<f64>,
    /// Positive resolutions of the sensitivity check.
    pub gammas: Vec<f64>,
    /// Snapshots between two of the sensitivity check.
    pub check_stride: usize,
    /// Circular shifts of the control.
    pub shifts: usize,
}

/// How the bars about behaviour are measured.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExamConfig {
    /// Test streams a network and delay.
    pub streams: u64,
    /// Longest delay tested.
    pub longest: usize,
}

/// Sizes whose capacity the curriculum finds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Capacity {
    /// Bits of an item.
    pub d: Vec<usize>,
    /// Hidden units.
    pub n: Vec<usize>,
}

/// A whole configuration.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PaperConfig {
    /// Sizes and parametrisation.
    pub network: NetworkConfig,
    /// The streams.
    pub task: Task,
    /// Training; absent for DetHebb.
    pub train: Option<TrainConfig>,
    /// DetHebb's design.
    pub det_hebb: Option<Design>,
    /// The bars about behaviour.
    pub exam: Option<ExamConfig>,
    /// The study of snapshots.
    pub study: Option<StudyConfig>,
    /// Delays of a sweep at full scale, a network each.
    #[serde(default)]
    pub delays: Vec<usize>,
    /// Sizes of a sweep at full scale.
    pub capacity: Option<Capacity>,
    /// `quick` or `full`, set by the command line; both mean the configured run.
    #[serde(default)]
    pub budget: Option<String>,
}

impl PaperConfig {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn read(config: &Config) -> Result<Self> {
        let paper: Self = config.parse()?;
        paper.task.check()?;
        let fail = |key: &str, expected: &str, found: String| Err(Error::Config { key: key.into(), expected: expected.into(), found });
        match (paper.network.kind, &paper.det_hebb) {
            (Kind::DetHebb, None) => return fail("det-hebb", "a table with the detector's design", "nothing".into()),
            (Kind::DetHebb, Some(design)) if design.address.saturating_add(design.plastic) != paper.task.d => {
                return fail("task.d", "address and plastic bits together", paper.task.d.to_string());
            }
            (Kind::Plastic | Kind::Lstm, _) if paper.network.n == 0 || paper.network.n > MOST_UNITS => {
                return fail("network.n", "1 to 65536 hidden units", paper.network.n.to_string());
            }
            _ => {}
        }
        for plan in paper.train.iter().chain(paper.study.iter().map(|s| &s.train)) {
            if !(plan.lr > 0.0 && plan.lr.is_finite()) || plan.iterations > MOST_ITERATIONS {
                let found = format!("{} and {}", plan.lr, plan.iterations);
                return fail("train", "a positive learning rate and at most 10^7 iterations", found);
            }
        }
        if let Some(study) = &paper.study
            && (study.every == 0
                || study.every % crate::learn::LOG_EVERY != 0
                || study.check_stride == 0
                || study.window > paper.task.steps)
        {
            let found = format!("every {}, stride {}, window {}", study.every, study.check_stride, study.window);
            return fail("study", "snapshots every multiple of 10 iterations, a stride of 1 or more, windows within the stream", found);
        }
        Ok(paper)
    }

    /// The training plan.
    ///
    /// # Errors
    /// [`Error::Config`] if there is none.
    pub fn plan(&self) -> Result<TrainConfig> {
        self.train.ok_or_else(|| Error::Config {
            key: "train".into(),
            expected: "a table with the training plan".into(),
            found: "nothing".into(),
        })
    }
}
