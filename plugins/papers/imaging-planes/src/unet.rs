//! The network's description (specification section 4): names and shapes of its tensors, under the authors' names.

use serde::{Deserialize, Serialize};
use zoo_core::{Error, Result, Weights};

/// Channels of the first stage before `feature-scale`.
const BASE: usize = 64;
/// Encoder stages, the centre included; each after the first halves rows and columns.
pub const STAGES: usize = 5;
/// Rows and columns must be multiples of this.
pub const MULTIPLE: usize = 1 << (STAGES - 1);
/// Units of the hidden layer of the slice head.
pub const HIDDEN: usize = 128;

/// Encoders of the authors' code; only the U-Net is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// The plain U-Net of specification section 4.
    #[default]
    Unet,
    /// A ResNet-50 encoder with a pixel-shuffle decoder.
    Resnet50Unet,
    /// An AlexNet encoder.
    AlexnetUnet,
    /// DeepLabV3.
    Deeplabv3,
}

/// What comes after the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// Heat maps (`final`) and the slice head (`global_layers`).
    Pretext,
    /// Class scores of every pixel (`final_`).
    Segmentation,
    /// The slice head alone, with one output a class: encoder and classifier.
    Classifier,
}

/// A U-Net.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unet {
    /// Channels of the five stages.
    pub widths: [usize; STAGES],
    /// What comes after the decoder.
    pub head: Head,
    /// Channels of the last convolution: heat maps, or classes.
    pub outputs: usize,
}

impl Unet {
    /// The U-Net with 64 / `feature_scale` channels in its first stage.
    ///
    /// # Errors
    /// [`Error::NotOffered`] for a preset that is not built, [`Error::Config`] for numbers that do not fit.
    pub fn new(preset: Preset, feature_scale: usize, head: Head, outputs: usize) -> Result<Self> {
        if preset != Preset::Unet {
            return Err(Error::NotOffered {
                who: "imaging-planes".into(),
                what: format!("preset {preset:?}"),
                hint: "the authors' code has it, this plugin builds `unet` alone".into(),
            });
        }
        if feature_scale == 0 || !BASE.is_multiple_of(feature_scale) || outputs == 0 || outputs > 256 {
            let found = format!("feature-scale {feature_scale}, outputs {outputs}");
            return Err(Error::Config {
                key: "network".into(),
                expected: "a feature scale that divides 64, 1 to 256 outputs".into(),
                found,
            });
        }
        Ok(Self { widths: std::array::from_fn(|i| (BASE << i) / feature_scale), head, outputs })
    }

    /// Name of an encoder stage: `conv1` to `conv4`, `center`.
    pub fn stage(index: usize) -> String {
        if index + 1 == STAGES { "center".into() } else { format!("conv{}", index + 1) }
    }

    /// Names and shapes of all tensors, in order of use.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let mut all = Vec::new();
        let mut conv = |name: String, shape: Vec<usize>| {
            let channels = if name.ends_with(".up") { shape[1] } else { shape[0] };
            all.push((format!("{name}.weight"), shape));
            all.push((format!("{name}.bias"), vec![channels]));
        };
        let w = self.widths;
        for stage in 0..STAGES {
            let name = Self::stage(stage);
            let before = if stage == 0 { 1 } else { w[stage - 1] };
            conv(format!("{name}.conv1.0"), vec![w[stage], before, 3, 3]);
            conv(format!("{name}.conv2.0"), vec![w[stage], w[stage], 3, 3]);
        }
        if self.head != Head::Classifier {
            for stage in (0..STAGES - 1).rev() {
                let name = format!("up_concat{}", stage + 1);
                conv(format!("{name}.up"), vec![w[stage + 1], w[stage], 2, 2]);
                conv(format!("{name}.conv.conv1.0"), vec![w[stage], 2 * w[stage], 3, 3]);
                conv(format!("{name}.conv.conv2.0"), vec![w[stage], w[stage], 3, 3]);
            }
        }
        let last = w[STAGES - 1];
        match self.head {
            Head::Pretext => {
                conv("final".into(), vec![self.outputs, w[0], 1, 1]);
                conv("global_layers.0".into(), vec![HIDDEN, last]);
                conv("global_layers.3".into(), vec![1, HIDDEN]);
            }
            Head::Segmentation => conv("final_".into(), vec![self.outputs, w[0], 1, 1]),
            Head::Classifier => {
                conv("global_layers.0".into(), vec![HIDDEN, last]);
                conv("global_layers.3".into(), vec![self.outputs, HIDDEN]);
            }
        }
        for stage in 0..STAGES {
            for layer in ["conv1", "conv2"] {
                for part in ["weight", "bias", "running_mean", "running_var"] {
                    all.push((format!("{}.{layer}.1.{part}", Self::stage(stage)), vec![w[stage]]));
                }
            }
        }
        all
    }

    /// Checks that `weights` holds exactly this network's tensors, all finite.
    ///
    /// # Errors
    /// [`Error::Keys`], [`Error::Shape`], [`Error::DType`], or [`Error::Argument`] for a value that is not finite.
    pub fn check(&self, weights: &Weights) -> Result<()> {
        let tensors = self.tensors();
        weights.expect_keys("weights of the U-Net", tensors.iter().map(|(name, _)| name.as_str()))?;
        for (name, shape) in &tensors {
            if let Some(at) = weights.f32(name, shape)?.iter().position(|v| !v.is_finite()) {
                return Err(Error::argument(format!("weight `{name}`"), "finite numbers", format!("another at element {at}")));
            }
        }
        Ok(())
    }
}
