//! The configuration files of this plugin, typed.

use crate::network::{Architecture, Network, Neuron};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use zoo_core::{Config, Error, Result};

/// Where frames or images come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DataConfig {
    /// Name in the registry.
    pub name: String,
    /// The first so many items of the training split train.
    pub train: usize,
    /// So many items validate: of the split `val` where the data set has one, else those that follow in `train`.
    pub val: usize,
}

/// The network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NetworkConfig {
    /// Which one.
    pub architecture: Architecture,
    /// Channels, rows and columns of a frame; larger frames are cut to their centre.
    pub input: [usize; 3],
    /// Number of classes.
    pub classes: usize,
    /// The neurons of all layers.
    #[serde(default)]
    pub neuron: Neuron,
}

/// Which loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// Cross entropy of the mean over time.
    Sdt,
    /// Mean over time of the cross entropy of each step.
    Tet,
}

/// The loss and its parameters (paper, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LossConfig {
    /// Which loss.
    pub kind: LossKind,
    /// Share of the pull towards `phi`, in `0..=1`; only TET has it.
    #[serde(default)]
    pub lambda: f64,
    /// What logits are pulled towards.
    #[serde(default = "one")]
    pub phi: f64,
    /// Share of the uniform distribution in the target (label smoothing), a control.
    #[serde(default)]
    pub smoothing: f32,
    /// SDT up to this epoch, `kind` from it on.
    #[serde(default)]
    pub switch_epoch: u64,
}

/// Update rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Adam, weight decay added to the gradient.
    Adam,
    /// SGD with momentum 0.9.
    Sgd,
}

/// How the network is trained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrainConfig {
    /// Seed where the command line gives none.
    #[serde(default)]
    pub seed: u64,
    /// Passes over the training items.
    pub epochs: u64,
    /// Items an update.
    pub batch: usize,
    /// Update rule.
    pub optimiser: Rule,
    /// Learning rate of the first epoch; a cosine takes it to zero.
    pub lr: f64,
    /// Weight decay.
    #[serde(default)]
    pub weight_decay: f64,
    /// Random shifts by up to so many pixels along both axes.
    #[serde(default)]
    pub shift: usize,
    /// Random left-right flips.
    #[serde(default)]
    pub flip: bool,
    /// Labels in random order: a control that must learn nothing that holds for the test items.
    #[serde(default)]
    pub random_labels: bool,
    /// Notes the seconds that training took in the weights' metadata, which then differ from run to run.
    #[serde(default)]
    pub timed: bool,
}

/// Time inheritance training: `[train]` is the second stage, this the first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TitConfig {
    /// Time steps of the first stage.
    pub steps: usize,
    /// Epochs of the first stage, from its own `lr` by a cosine to zero.
    pub epochs: u64,
    /// Learning rate of the first stage.
    pub lr: f64,
}

/// What the counted runs use; frozen after the pilot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClaimsConfig {
    /// Seeds of the counted runs.
    pub seeds: Vec<u64>,
    /// Seed of the pilot that chose what is configured here, on validation items.
    pub pilot_seed: u64,
    /// Registered models by the name of their arm.
    pub arms: BTreeMap<String, String>,
    /// Arms of SDT among which the pilot's validation accuracy chooses the one that TET is compared with.
    #[serde(default)]
    pub sdt: Vec<String>,
    /// Arms of TET, of which the pilot chooses the one that is compared.
    #[serde(default)]
    pub tet: Vec<String>,
    /// The first so many test items count; all of them if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<usize>,
}

/// How much work training may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// As configured: the scaled reproduction, which made the committed weights.
    #[default]
    Quick,
    /// With the authors' number of epochs.
    Full,
}

/// A whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PaperConfig {
    /// Where items come from.
    pub data: DataConfig,
    /// The network.
    pub network: NetworkConfig,
    /// Time steps.
    pub steps: usize,
    /// The loss.
    pub loss: LossConfig,
    /// Training.
    pub train: TrainConfig,
    /// First stage of time inheritance training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tit: Option<TitConfig>,
    /// How much work training may be; not part of what is trained.
    #[serde(default)]
    pub budget: Budget,
    /// Counted runs; absent where the configuration makes no claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<ClaimsConfig>,
}

/// Greatest number of time steps that is taken for sane.
pub const MAX_STEPS: usize = 1 << 12;

fn one() -> f64 {
    1.0
}

impl PaperConfig {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key.
    pub fn read(config: &Config) -> Result<Self> {
        let read: Self = config.parse()?;
        let check = |key: &str, good: bool, expected: &str, found: String| {
            if good { Ok(()) } else { Err(Error::Config { key: key.into(), expected: expected.into(), found }) }
        };
        let steps = 1..=MAX_STEPS;
        check("steps", steps.contains(&read.steps), "1 to 4096", read.steps.to_string())?;
        let first = read.tit.map_or(1, |t| t.steps);
        check("tit.steps", steps.contains(&first), "1 to 4096", first.to_string())?;
        let loss = read.loss;
        check("loss.lambda", (0.0..=1.0).contains(&loss.lambda), "0 to 1", loss.lambda.to_string())?;
        check("loss.lambda", loss.kind == LossKind::Tet || loss.lambda == 0.0, "0 for `sdt`", loss.lambda.to_string())?;
        check("loss.phi", loss.phi.is_finite(), "a number", loss.phi.to_string())?;
        check("loss.smoothing", (0.0..1.0).contains(&loss.smoothing), "0 to below 1", loss.smoothing.to_string())?;
        let neuron = read.network.neuron;
        check("network.neuron.decay", (0.0..=1.0).contains(&neuron.decay), "0 to 1", neuron.decay.to_string())?;
        let positive = |v: f32| v > 0.0 && v.is_finite();
        check("network.neuron.v-threshold", positive(neuron.v_threshold), "a positive number", neuron.v_threshold.to_string())?;
        check("network.neuron.surrogate-width", positive(neuron.surrogate_width), "a positive number", neuron.surrogate_width.to_string())?;
        let slope = neuron.sigmoid.unwrap_or(1.0);
        check("network.neuron.sigmoid", positive(slope), "a positive number", slope.to_string())?;
        check("train.batch", read.train.batch > 0, "at least 1", read.train.batch.to_string())?;
        Ok(read)
    }

    /// The network.
    ///
    /// # Errors
    /// As [`Network::new`].
    pub fn network(&self) -> Result<Network> {
        Network::new(self.network.architecture, self.network.input, self.network.classes)
    }

    /// SHA-256 of what decides the trained weights; budget and counted runs leave it alone.
    pub fn training_hash(&self) -> String {
        let Self { data, network, steps, loss, train, tit, .. } = self;
        let train = TrainConfig { timed: false, ..*train };
        let value = serde_json::json!({"data": data, "network": network, "steps": steps, "loss": loss, "train": train, "tit": tit});
        hex::encode(Sha256::digest(Config::new(value).canonical().as_bytes()))
    }
}
