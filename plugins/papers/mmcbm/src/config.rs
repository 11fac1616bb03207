//! The configuration files of this plugin, typed.

use serde::{Deserialize, Serialize};
use zoo_core::{Config, Error, Result};

/// Modalities, in the order of all arrays. In the phantom they stand for an early, a late and an ultrasound-like view.
pub const MODALITIES: [&str; 3] = ["FA", "ICGA", "US"];
/// Groups of modalities that share concepts: the first two, and the last.
pub const GROUPS: [&str; 2] = ["FA_ICGA", "US"];

/// Group of a modality.
pub fn group(modality: usize) -> usize {
    usize::from(modality == 2)
}

/// Sizes of the encoders and of the classifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NetworkConfig {
    /// Channels of the encoder's blocks; the last is the number of features.
    pub widths: Vec<usize>,
    /// Classes.
    pub classes: usize,
    /// Hidden widths of pooling and head are the features over this.
    pub reduction: usize,
    /// Rows and columns of an image.
    pub side: usize,
    /// Channels of an image.
    pub channels: usize,
}

impl NetworkConfig {
    /// Features of an image.
    pub fn features(&self) -> usize {
        self.widths.last().copied().unwrap_or(0)
    }

    /// Hidden width of pooling and head.
    pub fn hidden(&self) -> usize {
        self.features() / self.reduction
    }
}

/// The phantom patients (specification section 8, part A).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PhantomConfig {
    /// Training patients.
    pub train: usize,
    /// Validation patients.
    pub val: usize,
    /// Test patients.
    pub test: usize,
    /// Greatest number of images of a modality.
    pub images: usize,
    /// Probability that a modality other than the first is absent.
    pub absent: f64,
    /// Probability that a concept label is wrong.
    pub flipped: f64,
    /// Probability that a concept label is missing.
    pub missing: f64,
    /// Deviation of the noise of a pixel.
    pub noise: f32,
}

/// Training of the black box (specification section 3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BlackBoxConfig {
    /// Passes over the patients.
    pub epochs: u64,
    /// Patients a step.
    pub batch: usize,
    /// Learning rate of AdamW.
    pub lr: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Dropout in the head.
    pub dropout: f32,
    /// Probability that a patient is shown with one modality alone.
    pub single: f32,
}

/// The concept bank (specification section 4).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BankConfig {
    /// Positives, and negatives, that a vector is trained on; as many again measure it.
    pub n: usize,
    /// Cost of the support-vector machine.
    pub c: f64,
}

/// Training of the bottleneck classifier (specification section 5).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HeadConfig {
    /// Passes over the patients.
    pub epochs: usize,
    /// Patients a step.
    pub batch: usize,
    /// Learning rate of Adam.
    pub lr: f64,
}

/// How much work training may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// As configured: the scaled reproduction, which made the committed weights.
    #[default]
    Quick,
    /// With the authors' number of epochs for the black box.
    Full,
}

/// Which runs the bars are counted on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimsConfig {
    /// Counted seeds.
    pub seeds: Vec<u64>,
}

/// A whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaperConfig {
    /// The template that lesions are drawn on.
    pub dataset: String,
    /// Sizes.
    pub network: NetworkConfig,
    /// Patients.
    pub phantom: PhantomConfig,
    /// Training of the black box.
    pub blackbox: BlackBoxConfig,
    /// The concept bank.
    pub bank: BankConfig,
    /// Training of the bottleneck classifier.
    pub head: HeadConfig,
    /// How much work training may be; not part of what is trained.
    #[serde(default)]
    pub budget: Budget,
    /// The counted runs.
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
        let fail = |key: &str, expected: &str, found: String| Err(Error::Config { key: key.into(), expected: expected.into(), found });
        let n = &paper.network;
        let sane = |v: usize| (1..=4096).contains(&v);
        if n.widths.is_empty() || n.widths.len() > 8 || !n.widths.iter().all(|&w| sane(w)) {
            return fail("network.widths", "1 to 8 widths of 1 to 4096 channels", format!("{:?}", n.widths));
        }
        if !sane(n.classes) || !sane(n.channels) || !sane(n.side) || n.side >> n.widths.len() == 0 {
            return fail("network.side", "an image that the poolings leave a pixel of", format!("{} x {}", n.side, n.side));
        }
        if n.reduction == 0 || n.hidden() == 0 {
            return fail("network.reduction", "from 1 to the number of features", n.reduction.to_string());
        }
        let p = &paper.phantom;
        if p.train == 0 || p.test == 0 || p.images == 0 || p.train + p.val + p.test > 100_000 || p.images > 16 {
            return fail("phantom", "patients and images to train and test with", format!("{p:?}"));
        }
        for (key, share) in [("absent", p.absent), ("flipped", p.flipped), ("missing", p.missing), ("noise", f64::from(p.noise))] {
            if !(0.0..=1.0).contains(&share) {
                return fail(&format!("phantom.{key}"), "from 0 to 1", share.to_string());
            }
        }
        if paper.blackbox.batch == 0 || paper.blackbox.batch > p.train || paper.head.batch == 0 {
            return fail("blackbox.batch", "from 1 to the number of training patients", paper.blackbox.batch.to_string());
        }
        if paper.bank.n == 0 || paper.bank.c.is_nan() || paper.bank.c <= 0.0 {
            return fail("bank", "n and c above 0", format!("{:?}", paper.bank));
        }
        Ok(paper)
    }

    /// SHA-256 of what training depends on.
    pub fn training_hash(&self) -> String {
        let own = Self { budget: Budget::Quick, claims: None, ..self.clone() };
        zoo_formats::digest::config_sha256(&Config::new(serde_json::to_value(own).unwrap_or_default()))
    }
}
