//! The configuration files of this plugin, typed.

use crate::calibrate::Recipe;
use crate::network::{Network, Shape};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zoo_core::{Config, Error, Result};

/// How pools are converted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pool {
    /// An average of spikes, passed on as an analog value (public code).
    #[default]
    Analog,
    /// An average followed by integrate-and-fire neurons (the papers' text).
    Spiking,
}

/// The network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NetworkConfig {
    /// Name of the architecture, one of [`crate::network::ARCHITECTURES`] or RegNetX.
    pub architecture: String,
    /// Channels, rows, columns of an image.
    pub input: Shape,
    /// Number of classes.
    pub classes: usize,
    /// How pools are converted.
    #[serde(default)]
    pub pool: Pool,
    /// Mean of pixel values in `[0, 1]`, one a channel.
    pub mean: Vec<f32>,
    /// Standard deviation of pixel values in `[0, 1]`, one a channel.
    pub std: Vec<f32>,
}

/// How the ANN is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrainConfig {
    /// Seed where the command line gives none.
    #[serde(default)]
    pub seed: u64,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images an update.
    pub batch: usize,
    /// Learning rate of the first update; a cosine takes it to zero.
    pub lr: f64,
    /// Momentum of SGD.
    pub momentum: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Greatest random shift of an image in pixels, both axes.
    #[serde(default)]
    pub random_shift: usize,
    /// Random left-right flips. AutoAugment and Cutout, which the authors also use, are not offered.
    #[serde(default)]
    pub flip: bool,
}

/// Which items of the training split serve which purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SplitConfig {
    /// The first so many items train the ANN.
    pub train: usize,
    /// The next so many validate; pilots choose on these.
    pub val: usize,
    /// Images that calibrate thresholds, biases and potentials.
    pub calibration: usize,
    /// Images that calibrate weights; the list above is its beginning.
    pub weight_calibration: usize,
}

impl SplitConfig {
    /// Training indices of the calibration images, evenly spread.
    pub fn calibration_indices(&self) -> Vec<usize> {
        let stride = (self.train / self.weight_calibration.max(1)).max(1);
        (0..self.weight_calibration).map(|i| i * stride).collect()
    }

    /// As many training indices again, halfway between the calibration images, for measuring errors on images that
    /// calibration has not seen.
    pub fn held_out_indices(&self) -> Vec<usize> {
        let stride = (self.train / self.weight_calibration.max(1)).max(1);
        (0..self.calibration).map(|i| i * stride + stride / 2).collect()
    }

    fn check(&self) -> Result<()> {
        if self.calibration == 0 || self.calibration > self.weight_calibration || 2 * self.weight_calibration > self.train {
            let found = format!("train {}, calibration {}, weight-calibration {}", self.train, self.calibration, self.weight_calibration);
            let expected = "1 <= calibration <= weight-calibration <= train / 2";
            return Err(Error::Config { key: "split".into(), expected: expected.into(), found });
        }
        Ok(())
    }
}

/// What the counted runs use; frozen after the pilot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClaimsConfig {
    /// Registered model that holds the trained ANNs, one a seed.
    pub ann: String,
    /// Seeds of the counted runs.
    pub seeds: Vec<u64>,
    /// Seed of the pilot that chose `t_star` on validation images.
    pub pilot_seed: u64,
    /// The greatest number of steps in the list at which plain conversion loses 10 points in the pilot.
    pub t_star: u32,
    /// Numbers of steps of the table.
    pub steps: Vec<u32>,
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
    /// The network.
    pub network: NetworkConfig,
    /// Data set name in the registry.
    pub dataset: String,
    /// Use of the training split.
    pub split: SplitConfig,
    /// Training of the ANN.
    pub train: TrainConfig,
    /// Conversion.
    pub convert: Recipe,
    /// How much work training may be; not part of what is trained.
    #[serde(default)]
    pub budget: Budget,
    /// Counted runs; absent where the configuration makes no claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<ClaimsConfig>,
}

impl PaperConfig {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key.
    pub fn read(config: &Config) -> Result<Self> {
        let read: Self = config.parse()?;
        let [channels, ..] = read.network.input;
        let channel_wise = |key: &str, values: &[f32], good: fn(f32) -> bool| {
            if values.len() == channels && values.iter().all(|v| good(*v)) {
                return Ok(());
            }
            let expected = format!("{channels} finite values, standard deviations above 0");
            Err(Error::Config { key: format!("network.{key}"), expected, found: format!("{values:?}") })
        };
        channel_wise("mean", &read.network.mean, f32::is_finite)?;
        channel_wise("std", &read.network.std, |v| v.is_finite() && v > 0.0)?;
        if read.convert.steps == 0 || read.convert.steps > MAX_STEPS {
            let expected = format!("1 to {MAX_STEPS}");
            return Err(Error::Config { key: "convert.steps".into(), expected, found: read.convert.steps.to_string() });
        }
        read.split.check()?;
        Ok(read)
    }

    /// SHA-256 of what decides the trained ANN: data set, network, split, training. Conversion and counted runs, which
    /// come later, leave it alone.
    pub fn training_hash(&self) -> String {
        let Self { dataset, network, split, train, .. } = self;
        config_hash(&Config::new(serde_json::json!({"dataset": dataset, "network": network, "split": split, "train": train})))
    }

    /// Name of the registered model that holds the source networks.
    ///
    /// # Errors
    /// [`Error::Config`] if the configuration has no `[claims]`.
    pub fn ann_model(&self) -> Result<String> {
        let missing =
            || Error::Config { key: "claims.ann".into(), expected: "the source network's registered name".into(), found: "nothing".into() };
        self.claims.as_ref().map(|c| c.ann.clone()).ok_or_else(missing)
    }

    /// The network with pools as configured.
    ///
    /// # Errors
    /// As [`Network::named`].
    pub fn network(&self) -> Result<Network> {
        let NetworkConfig { architecture, input, classes, pool, .. } = &self.network;
        let network = Network::named(architecture, *input, *classes)?;
        Ok(if *pool == Pool::Spiking { network.with_spiking_pools() } else { network })
    }
}

/// Greatest number of time steps that is taken for sane.
pub const MAX_STEPS: u32 = 1 << 16;

/// SHA-256 of a configuration's canonical form, the budget aside: it says how long to train, not what.
pub fn config_hash(config: &Config) -> String {
    let mut value = config.value().clone();
    if let Some(table) = value.as_object_mut() {
        table.remove("budget");
    }
    hex::encode(Sha256::digest(Config::new(value).canonical().as_bytes()))
}

/// SHA-256 of a list of indices, as little-endian 32-bit numbers.
pub fn index_hash(indices: &[usize]) -> String {
    let mut hash = Sha256::new();
    for &index in indices {
        hash.update((index as u32).to_le_bytes());
    }
    hex::encode(hash.finalize())
}
