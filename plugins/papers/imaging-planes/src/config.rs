//! The configuration files of this plugin, typed.

use crate::heat::Heat;
use crate::preprocess::Turn;
use crate::unet::{Head, MULTIPLE, Preset, Unet};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zoo_core::{Config, Error, Result};

/// What is predicted, and by which network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NetworkConfig {
    /// Encoder preset.
    #[serde(default)]
    pub preset: Preset,
    /// 1 for the paper's widths, 8 for the scaled network.
    pub feature_scale: usize,
    /// Classes of the target task.
    pub classes: usize,
    /// Rows and columns of the prepared image.
    pub size: usize,
    /// Pixel size of the prepared image, mm.
    pub spacing: f64,
    /// Heat maps of the pretext.
    pub heat: Heat,
}

/// A pretext task or a control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// No pretext.
    Random,
    /// Heat maps.
    T1,
    /// Slice location.
    T2,
    /// Both.
    #[default]
    T1T2,
    /// Control: both, with the targets of other slices.
    Shuffled,
    /// Control: the image itself in place of the heat maps.
    Autoencoder,
}

impl Arm {
    /// Weights `a` of the heat maps' and `b` of the location's error (specification section 5).
    pub fn weights(self) -> [f32; 2] {
        match self {
            Self::T1T2 | Self::Shuffled => [1.0, 1.0],
            Self::T1 | Self::Autoencoder => [1.0, 0.0],
            Self::T2 => [0.0, 1.0],
            Self::Random => [0.0, 0.0],
        }
    }

    /// Whether the decoder had a gradient and is worth handing over.
    pub fn trains_decoder(self) -> bool {
        self != Self::T2
    }
}

/// A run of training. The learning rate is multiplied by `decay` after every `decay-every` epochs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrainConfig {
    /// Seed where the command line gives none.
    #[serde(default)]
    pub seed: u64,
    /// Updates in all, rounded up to whole epochs (of 320 items or a little more, where there are fewer).
    pub steps: usize,
    /// Images an update.
    pub batch: usize,
    /// Learning rate of Adam.
    pub lr0: f64,
    /// Factor on the learning rate.
    pub decay: f64,
    /// Updates between two decays.
    pub decay_every: usize,
    /// Whether the first decay comes before the first update, as in the authors' code.
    #[serde(default)]
    pub decay_at_epoch_0: bool,
    /// Weight of the sum of the parameters' magnitudes (`weight_decay` in the authors' code, but L1).
    #[serde(default)]
    pub l1: f64,
    /// Greatest rotation of an image with its labels or heat maps, degrees.
    #[serde(default)]
    pub rotation: f64,
    /// Bounds of the factor on an image's area, with its labels or heat maps (0.92 and 1.1 in the authors' code, whose
    /// released loader does not use them).
    #[serde(default = "unscaled")]
    pub area: [f64; 2],
}

fn unscaled() -> [f64; 2] {
    [1.0, 1.0]
}

impl TrainConfig {
    /// Draws an augmentation; `None` where there is none. What is off draws nothing.
    pub fn augment(&self, rng: &mut impl rand::Rng) -> Option<Turn> {
        if self.rotation == 0.0 && self.area == unscaled() {
            return None;
        }
        let degrees = if self.rotation > 0.0 { rng.random_range(-self.rotation..=self.rotation) } else { 0.0 };
        let area = if self.area == unscaled() { 1.0 } else { rng.random_range(self.area[0]..=self.area[1]) };
        Some(Turn::new(degrees, area))
    }
}

/// Simulated patients (specification section 7, part B).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SimConfig {
    /// Seed of all patients.
    pub seed: u64,
    /// Patients that train, validate and test; indices follow on one another.
    pub patients: [usize; 3],
    /// Short-axis slices a patient.
    pub slices: usize,
    /// Distance of the slices, mm.
    pub gap: f64,
    /// Greatest displacement of the warp, mm.
    pub warp: f64,
    /// Greatest rotation of the pose, degrees.
    pub rotation: f64,
    /// Greatest shift of the pose along each axis, mm.
    pub shift: f64,
    /// Greatest in-plane rotation of a slice's frame, degrees.
    pub frame_rotation: f64,
    /// Greatest in-plane shift of a slice's frame, pixels.
    pub frame_shift: f64,
    /// Bounds of the exponent on intensities.
    pub gamma: [f64; 2],
    /// Amplitude of the logarithm of the bias field.
    pub bias: f64,
    /// Standard deviation of the noise in both channels, as a share of the greatest intensity.
    pub noise: f64,
}

/// A whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PaperConfig {
    /// Data set name in the registry.
    pub dataset: String,
    /// The network.
    pub network: NetworkConfig,
    /// Pretext task.
    #[serde(default)]
    pub arm: Arm,
    /// Training of the pretext.
    pub pretext: TrainConfig,
    /// Training of the target task.
    pub target: TrainConfig,
    /// Labelled patients of the target task.
    #[serde(default)]
    pub labelled: usize,
    /// Registered pretext model that the target task starts from; absent for random weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Simulated patients; absent for data that are read as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sim: Option<SimConfig>,
    /// Seeds of the counted runs.
    #[serde(default)]
    pub seeds: Vec<u64>,
    /// Seed where the command line gives none (`train.seed` of other papers).
    #[serde(default)]
    pub train: Seeded,
    /// How much work training of simulated patients may be; not part of what is trained.
    #[serde(default, skip_serializing)]
    pub budget: Budget,
    /// Whether values of this configuration come from memory or inference and not from the paper or its code.
    #[serde(default)]
    pub unverified: bool,
}

/// Steps of the pretext and of the target task in specification section 7.
const SPECIFIED_STEPS: [usize; 2] = [1500, 400];

/// How much work training may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// As configured: what made the committed weights.
    #[default]
    Quick,
    /// With the specification's numbers of steps, decays in proportion.
    Full,
}

/// A seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seeded {
    /// The seed.
    #[serde(default)]
    pub seed: u64,
}

impl PaperConfig {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key.
    pub fn read(config: &Config) -> Result<Self> {
        let read: Self = config.parse()?;
        let read = if read.budget == Budget::Full && read.sim.is_some() { read.with_specified_steps() } else { read };
        let fail = |key: &str, expected: &str, found: String| Err(Error::Config { key: key.into(), expected: expected.into(), found });
        let NetworkConfig { size, spacing, classes, .. } = read.network;
        if size == 0 || !size.is_multiple_of(MULTIPLE) || size > 4096 {
            return fail("network.size", &format!("a multiple of {MULTIPLE} up to 4096"), size.to_string());
        }
        if !(spacing.is_finite() && spacing > 0.0) {
            return fail("network.spacing", "above 0 mm", spacing.to_string());
        }
        if !(2..=256).contains(&classes) {
            return fail("network.classes", "2 to 256", classes.to_string());
        }
        for (key, run) in [("pretext", &read.pretext), ("target", &read.target)] {
            let rates = [run.lr0, run.decay, run.l1, run.rotation];
            if !(run.area[0] > 0.1 && run.area[0] <= run.area[1] && run.area[1] < 10.0) {
                return fail(key, "bounds of `area` in order, between 0.1 and 10", format!("{:?}", run.area));
            }
            if run.steps == 0 || run.batch == 0 || run.decay_every == 0 || rates.iter().any(|r| !r.is_finite() || *r < 0.0) {
                return fail(key, "at least one step, image and decay period, and rates that are not negative", format!("{run:?}"));
            }
        }
        if let Some(sim) = &read.sim {
            let amounts = [sim.gap, sim.warp, sim.rotation, sim.shift, sim.frame_rotation, sim.frame_shift, sim.bias, sim.noise];
            let total: usize = sim.patients.iter().map(|&n| n.min(100_000)).sum();
            let sane = (1..=1000).contains(&total) && (2..=100).contains(&sim.slices);
            if !sane
                || amounts.iter().any(|a| !a.is_finite() || *a < 0.0)
                || !(0.1..=10.0).contains(&sim.gamma[0])
                || sim.gamma[1] < sim.gamma[0]
            {
                return fail("sim", "1 to 1000 patients of 2 to 100 slices, amounts that are not negative", format!("{sim:?}"));
            }
            if read.labelled > sim.patients[0] {
                return fail("labelled", &format!("at most {}, the training patients", sim.patients[0]), read.labelled.to_string());
            }
        }
        Ok(read)
    }

    fn with_specified_steps(mut self) -> Self {
        for (run, steps) in [&mut self.pretext, &mut self.target].into_iter().zip(SPECIFIED_STEPS) {
            run.decay_every = (run.decay_every * steps / run.steps.max(1)).max(1);
            run.steps = steps;
        }
        self
    }

    /// The network with a head.
    ///
    /// # Errors
    /// As [`Unet::new`].
    pub fn network(&self, head: Head) -> Result<Unet> {
        let outputs = if head == Head::Pretext { 2 } else { self.network.classes };
        Unet::new(self.network.preset, self.network.feature_scale, head, outputs)
    }

    /// The simulated patients.
    ///
    /// # Errors
    /// [`Error::NotOffered`] if the configuration reads real data.
    pub fn sim(&self) -> Result<&SimConfig> {
        self.sim.as_ref().ok_or_else(|| Error::NotOffered {
            who: format!("a configuration for {}", self.dataset),
            what: "simulated patients".into(),
            hint: "full-scale configurations are checked by `dry-run`; they need gated data and are not trained here".into(),
        })
    }
}

/// SHA-256 of a configuration, budget left out.
pub fn config_hash(config: &Config) -> String {
    let mut value = config.value().clone();
    if let Some(map) = value.as_object_mut() {
        map.remove("budget");
    }
    hex::encode(Sha256::digest(Config::new(value).canonical()))
}
