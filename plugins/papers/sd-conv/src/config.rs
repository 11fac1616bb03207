//! Configurations.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use zoo_core::{Config, Error, Result};

/// Greatest width, side or number of kernels of a configuration.
const LARGEST: usize = 4096;

/// Which of the parallel kernels share a mask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaskScope {
    /// Each kernel has its own; the mixture is nonzero where any kernel is.
    PerKernel,
    /// One for all, so that the mixture is as sparse as a kernel.
    #[default]
    Shared,
}

/// Sizes of TinySD: stem, then dynamic convolutions with a pooling between them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NetworkConfig {
    /// Channels, rows and columns of an image.
    pub input: [usize; 3],
    /// Channels of the stem and of each dynamic convolution.
    pub widths: Vec<usize>,
    /// Classes.
    pub classes: usize,
    /// Parallel kernels.
    pub kernels: usize,
    /// The attention's hidden width is the input channels over this, at least 1.
    pub reduction: usize,
    /// Which kernels share a mask.
    #[serde(default)]
    pub mask_scope: MaskScope,
}

/// How weights come to be pruned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaskKind {
    /// Not at all.
    #[default]
    None,
    /// By a threshold that is learned, held to a density.
    Learned,
    /// Control: at random, before training.
    Random,
    /// Control: the smallest weights of a trained dense network, which then trains on.
    Magnitude,
}

/// Shape of the learned threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaskForm {
    /// A step forwards, the piecewise estimator backwards.
    #[default]
    Ste,
    /// The soft threshold.
    Soft,
}

/// What stands where a mask keeps nothing of the dynamic kernels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fill {
    /// Nothing: the weights are pruned.
    #[default]
    Zero,
    /// A kernel that does not depend on the image, as in the first author's later PAD-Net; the two parts are scaled by
    /// `2 sigmoid(phi)` and `2 - 2 sigmoid(phi)` with a learned `phi` a layer.
    Static,
}

impl Fill {
    fn is_zero(&self) -> bool {
        *self == Self::Zero
    }
}

/// Pruning of the dynamic convolutions.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MaskConfig {
    /// How.
    #[serde(default)]
    pub kind: MaskKind,
    /// Shape of a learned threshold.
    #[serde(default)]
    pub form: MaskForm,
    /// Share of weights to keep; 1 without a mask.
    #[serde(default = "one")]
    pub density: f64,
    /// What stands in the other places.
    #[serde(default, skip_serializing_if = "Fill::is_zero")]
    pub fill: Fill,
    /// Model whose weights of the same seed are pruned by magnitude.
    #[serde(default)]
    pub from: Option<String>,
}

impl Default for MaskConfig {
    fn default() -> Self {
        Self { kind: MaskKind::None, form: MaskForm::Ste, density: one(), fill: Fill::Zero, from: None }
    }
}

fn one() -> f64 {
    1.0
}

/// Whether the shares of the kernels depend on the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Routing {
    /// By the attention.
    #[default]
    Learned,
    /// Control: all the same.
    Uniform,
}

/// How a network is trained.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TrainConfig {
    /// Images of the training split, drawn by the seed.
    pub images: usize,
    /// Images of the training split to draw from, where that is not all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<usize>,
    /// Passes over them.
    pub epochs: u64,
    /// Images a step.
    pub batch: usize,
    /// Learning rate of Adam at the beginning; it falls to 0 along a cosine.
    pub lr: f64,
    /// Temperature of the routing at the beginning.
    pub temperature: f64,
    /// Epochs over which the temperature falls to 1.
    pub anneal: u64,
    /// Greatest shift of an image along each axis, in pixels.
    #[serde(default)]
    pub shift: usize,
    /// What a step of a threshold's parameter counts for, beside the other weights'.
    #[serde(default = "threshold_gain")]
    pub threshold_gain: f64,
    /// Pressure on the thresholds a unit of density too much.
    #[serde(default = "pressure")]
    pub pressure: f64,
    /// Growth of the pressure a step and unit of density too much.
    #[serde(default = "pressure_rate")]
    pub pressure_rate: f64,
    /// Bound on either part of the pressure.
    #[serde(default = "pressure_bound")]
    pub pressure_bound: f64,
}

fn threshold_gain() -> f64 {
    10.0
}

fn pressure() -> f64 {
    50.0
}

fn pressure_rate() -> f64 {
    0.5
}

fn pressure_bound() -> f64 {
    5.0
}

/// How much work training may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// As configured: the scaled reproduction, which made the committed weights.
    #[default]
    Quick,
    /// All images of the split, and [`FULL_EPOCHS`].
    Full,
}

/// Epochs of the paper's ResNets (from memory, unverified: specification section 4).
pub const FULL_EPOCHS: u64 = 100;

/// Which runs the bars are counted on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClaimsConfig {
    /// Counted seeds.
    pub seeds: Vec<u64>,
    /// Models by arm.
    pub arms: BTreeMap<String, String>,
}

/// A registered configuration.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PaperConfig {
    /// Data set with splits `train` and `test`, and `val` unless a pool leaves training images for it.
    pub dataset: String,
    /// Greatest value of a pixel; images are divided by it.
    pub white: f32,
    /// Sizes.
    pub network: NetworkConfig,
    /// Routing.
    #[serde(default)]
    pub routing: Routing,
    /// Pruning.
    #[serde(default)]
    pub mask: MaskConfig,
    /// Training.
    pub train: TrainConfig,
    /// How much work training may be; not part of what is trained.
    #[serde(default)]
    pub budget: Budget,
    /// The counted runs, where the bars are claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<ClaimsConfig>,
}

impl PaperConfig {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn read(config: &Config) -> Result<Self> {
        let paper: Self = config.parse()?;
        paper.network.check()?;
        let fail = |key: &str, expected: &str, found: String| Err(Error::Config { key: key.into(), expected: expected.into(), found });
        let t = &paper.train;
        if t.images == 0 || t.batch == 0 || t.batch > t.images || t.epochs == 0 {
            return fail("train", "epochs, and at least one batch of images", format!("{} of {} images", t.batch, t.images));
        }
        if t.pool.is_some_and(|pool| pool < t.images) {
            return fail("train.pool", "at least the images that are drawn", format!("{:?}", t.pool));
        }
        for (key, value) in [("train.lr", t.lr), ("train.threshold-gain", t.threshold_gain), ("white", f64::from(paper.white))] {
            if !(value.is_finite() && value > 0.0) {
                return fail(key, "a number above 0", value.to_string());
            }
        }
        if !(t.temperature.is_finite() && t.temperature >= 1.0) {
            return fail("train.temperature", "at least 1", t.temperature.to_string());
        }
        let mask = &paper.mask;
        if !(mask.density > 0.0 && mask.density <= 1.0) || (mask.kind == MaskKind::None) != (mask.density == 1.0) {
            return fail("mask.density", "above 0, and below 1 where a mask has a kind", mask.density.to_string());
        }
        if mask.fill == Fill::Static && (mask.kind == MaskKind::None || mask.form == MaskForm::Soft) {
            return fail("mask.fill", "`zero`, for without a hard mask there is nothing to fill", "static".into());
        }
        if (mask.kind == MaskKind::Magnitude) != mask.from.is_some() {
            return fail("mask.from", "the model to prune, for kind `magnitude` alone", format!("{:?}", mask.from));
        }
        Ok(paper)
    }

    /// A configuration of one epoch without pruning, for a network that is not trained.
    pub fn plain(network: NetworkConfig) -> Self {
        let train = TrainConfig {
            images: 1,
            pool: None,
            epochs: 1,
            batch: 1,
            lr: 1e-3,
            temperature: 1.0,
            anneal: 0,
            shift: 0,
            threshold_gain: threshold_gain(),
            pressure: pressure(),
            pressure_rate: pressure_rate(),
            pressure_bound: pressure_bound(),
        };
        Self {
            dataset: String::new(),
            white: 1.0,
            network,
            routing: Routing::Learned,
            mask: MaskConfig::default(),
            train,
            budget: Budget::Quick,
            claims: None,
        }
    }

    /// SHA-256 of what training depends on: everything but the budget and the counted runs.
    pub fn training_hash(&self) -> String {
        let own = Self { budget: Budget::Quick, claims: None, ..self.clone() };
        zoo_formats::digest::config_sha256(&Config::new(serde_json::to_value(own).unwrap_or_default()))
    }
}

impl NetworkConfig {
    /// Checks the sizes.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn check(&self) -> Result<()> {
        let network = self;
        let fail = |key: &str, expected: &str, found: String| {
            Err(Error::Config { key: format!("network.{key}"), expected: expected.into(), found })
        };
        let fits = |n: &usize| (1..=LARGEST).contains(n);
        if !network.input.iter().all(fits) {
            return fail("input", "three numbers from 1 to 4096", format!("{:?}", network.input));
        }
        if network.widths.len() < 2 || network.widths.len() > 64 || !network.widths.iter().all(fits) {
            return fail("widths", "a stem and 1 to 63 dynamic convolutions of 1 to 4096 channels", format!("{:?}", network.widths));
        }
        let halvings = u32::try_from(network.widths.len() - 2).unwrap_or(u32::MAX);
        if network.input[1..].iter().any(|side| side.checked_shr(halvings).unwrap_or(0) == 0) {
            return fail("input", "an image that the poolings leave a pixel of", format!("{:?}", network.input));
        }
        if ![network.classes, network.kernels, network.reduction].iter().all(fits) {
            return fail(
                "classes",
                "classes, kernels and reduction from 1 to 4096",
                format!("{}, {}, {}", network.classes, network.kernels, network.reduction),
            );
        }
        Ok(())
    }
}
