//! The paper's backbones with dynamic convolutions as configurations (specification section 4). They are described and
//! checked by `dry-run`, not trained here: ImageNet is too much for two cores.

use crate::config::MaskScope;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zoo_core::{Config, Error, Result};

/// Name and text of every configuration.
pub const CONFIGS: [(&str, &str); 7] = [
    ("resnet10", include_str!("../config/full-scale/resnet10.toml")),
    ("resnet18", include_str!("../config/full-scale/resnet18.toml")),
    ("resnet50", include_str!("../config/full-scale/resnet50.toml")),
    ("mobilenetv1", include_str!("../config/full-scale/mobilenetv1.toml")),
    ("mobilenetv2-05", include_str!("../config/full-scale/mobilenetv2-05.toml")),
    ("mobilenetv2-075", include_str!("../config/full-scale/mobilenetv2-075.toml")),
    ("mobilenetv2-10", include_str!("../config/full-scale/mobilenetv2-10.toml")),
];

/// Widths of MobileNets are multiples of this.
const DIVISOR: usize = 8;

/// Networks whose convolutions, but the first and the depthwise ones, become dynamic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Backbone {
    /// One basic block a stage.
    ResNet10,
    /// Two basic blocks a stage.
    ResNet18,
    /// Bottlenecks, 3, 4, 6 and 3.
    ResNet50,
    /// Depthwise and pointwise in turn.
    MobileNetV1,
    /// Inverted residuals.
    MobileNetV2,
}

/// How the authors' kind of network is trained; kept for whoever has the machine.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recipe {
    /// `sgd`.
    pub optimiser: String,
    /// Momentum.
    pub momentum: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Learning rate at the beginning.
    pub lr: f64,
    /// `cosine`.
    pub schedule: String,
    /// Images a step.
    pub batch: usize,
    /// Passes over the data.
    pub epochs: usize,
    /// Label smoothing.
    pub label_smoothing: f64,
    /// Dropout before the classifier.
    pub dropout: f64,
    /// Augmentations.
    pub augment: Vec<String>,
}

/// A configuration.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FullScale {
    /// Network.
    pub backbone: Backbone,
    /// Factor of its channels.
    pub width: f64,
    /// Side of an image, in pixels.
    pub image: usize,
    /// Classes.
    pub classes: usize,
    /// Parallel kernels.
    pub kernels: usize,
    /// The attention's hidden width is the input channels over this, at least 1.
    pub reduction: usize,
    /// Which kernels share a mask.
    pub mask_scope: MaskScope,
    /// Share of weights to keep.
    pub density: f64,
    /// Training.
    pub recipe: Recipe,
}

/// A convolution with batch normalisation after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvSpec {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Side of the kernel; padded by half of it.
    pub kernel: usize,
    /// Stride.
    pub stride: usize,
    /// Depthwise: a group a channel.
    pub depthwise: bool,
    /// Whether a rectifier follows.
    pub rectified: bool,
}

impl ConvSpec {
    fn new(inputs: usize, outputs: usize, kernel: usize, stride: usize) -> Self {
        Self { inputs, outputs, kernel, stride, depthwise: false, rectified: true }
    }

    fn depthwise(channels: usize, stride: usize) -> Self {
        Self { depthwise: true, ..Self::new(channels, channels, 3, stride) }
    }

    fn linear(self) -> Self {
        Self { rectified: false, ..self }
    }

    /// Input channels that an output channel sees.
    pub fn fan(&self) -> usize {
        if self.depthwise { 1 } else { self.inputs }
    }

    /// Weights of one kernel.
    pub fn weights(&self) -> usize {
        self.outputs * self.fan() * self.kernel * self.kernel
    }
}

/// Convolutions in a row, and what is added to their output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// In order; dynamic, unless depthwise.
    pub convs: Vec<ConvSpec>,
    /// What the input goes through before it is added; an empty list is the input itself.
    pub shortcut: Option<Vec<ConvSpec>>,
    /// Whether a rectifier follows the sum.
    pub rectified: bool,
}

/// A whole network: stem, blocks, global average, classifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The first convolution, which stays static.
    pub stem: ConvSpec,
    /// Whether a pooling of 3 by 3 with stride 2 follows the stem.
    pub pooled: bool,
    /// Blocks.
    pub blocks: Vec<Block>,
    /// Channels before the classifier.
    pub features: usize,
}

fn residual(convs: Vec<ConvSpec>, stride: usize) -> Block {
    let (inputs, outputs) = (convs[0].inputs, convs[convs.len() - 1].outputs);
    let changes = stride != 1 || inputs != outputs;
    let shortcut = if changes { vec![ConvSpec::new(inputs, outputs, 1, stride).linear()] } else { Vec::new() };
    Block { convs, shortcut: Some(shortcut), rectified: true }
}

impl FullScale {
    /// Reads a configuration.
    ///
    /// # Errors
    /// [`Error::Unknown`] for another name, [`Error::Config`] for a key that does not fit.
    pub fn read(name: &str) -> Result<Self> {
        let Some((_, text)) = CONFIGS.iter().find(|(n, _)| *n == name) else {
            let hint = format!("configurations are {}", CONFIGS.map(|(n, _)| n).join(", "));
            return Err(Error::Unknown { kind: "full-scale configuration", name: name.into(), hint });
        };
        let bad = |found: String| Error::Config { key: name.into(), expected: "a TOML table".into(), found };
        let value: Value = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
        Config::new(value).parse()
    }

    /// Channels at this width.
    fn channels(&self, channels: usize) -> usize {
        let scaled = channels as f64 * self.width;
        let rounded = ((scaled / DIVISOR as f64).round() as usize * DIVISOR).max(DIVISOR);
        // Rounding must not take away more than a tenth.
        if (rounded as f64) < 0.9 * scaled { rounded + DIVISOR } else { rounded }
    }

    /// The network.
    pub fn describe(&self) -> Description {
        let resnet = |blocks: [usize; 4], bottleneck: bool| {
            let mut all = Vec::new();
            let mut inputs = 64;
            for (stage, count) in blocks.into_iter().enumerate() {
                let width = 64 << stage;
                for n in 0..count {
                    let stride = if n == 0 && stage > 0 { 2 } else { 1 };
                    let convs = if bottleneck {
                        vec![
                            ConvSpec::new(inputs, width, 1, 1),
                            ConvSpec::new(width, width, 3, stride),
                            ConvSpec::new(width, 4 * width, 1, 1).linear(),
                        ]
                    } else {
                        vec![ConvSpec::new(inputs, width, 3, stride), ConvSpec::new(width, width, 3, 1).linear()]
                    };
                    inputs = convs[convs.len() - 1].outputs;
                    all.push(residual(convs, stride));
                }
            }
            Description { stem: ConvSpec::new(3, 64, 7, 2), pooled: true, blocks: all, features: inputs }
        };
        match self.backbone {
            Backbone::ResNet10 => resnet([1, 1, 1, 1], false),
            Backbone::ResNet18 => resnet([2, 2, 2, 2], false),
            Backbone::ResNet50 => resnet([3, 4, 6, 3], true),
            Backbone::MobileNetV1 => self.mobile_v1(),
            Backbone::MobileNetV2 => self.mobile_v2(),
        }
    }

    fn mobile_v1(&self) -> Description {
        let steps = [
            (64, 1),
            (128, 2),
            (128, 1),
            (256, 2),
            (256, 1),
            (512, 2),
            (512, 1),
            (512, 1),
            (512, 1),
            (512, 1),
            (512, 1),
            (1024, 2),
            (1024, 1),
        ];
        let mut inputs = self.channels(32);
        let stem = ConvSpec::new(3, inputs, 3, 2);
        let mut blocks = Vec::new();
        for (outputs, stride) in steps {
            let outputs = self.channels(outputs);
            let convs = vec![ConvSpec::depthwise(inputs, stride), ConvSpec::new(inputs, outputs, 1, 1)];
            blocks.push(Block { convs, shortcut: None, rectified: false });
            inputs = outputs;
        }
        Description { stem, pooled: false, blocks, features: inputs }
    }

    fn mobile_v2(&self) -> Description {
        // Expansion, channels, blocks, stride of the first.
        let stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];
        let mut inputs = self.channels(32);
        let stem = ConvSpec::new(3, inputs, 3, 2);
        let mut blocks = Vec::new();
        for (expansion, outputs, count, first) in stages {
            let outputs = self.channels(outputs);
            for n in 0..count {
                let stride = if n == 0 { first } else { 1 };
                let hidden = inputs * expansion;
                let mut convs = if expansion == 1 { Vec::new() } else { vec![ConvSpec::new(inputs, hidden, 1, 1)] };
                convs.extend([ConvSpec::depthwise(hidden, stride), ConvSpec::new(hidden, outputs, 1, 1).linear()]);
                let shortcut = (stride == 1 && inputs == outputs).then(Vec::new);
                blocks.push(Block { convs, shortcut, rectified: false });
                inputs = outputs;
            }
        }
        let last = self.channels(1280).max(1280);
        blocks.push(Block { convs: vec![ConvSpec::new(inputs, last, 1, 1)], shortcut: None, rectified: false });
        Description { stem, pooled: false, blocks, features: last }
    }
}

/// Parameters and multiply-adds an image: of the static network, with dynamic kernels, and pruned to the density with a
/// shared mask.
fn sizes(config: &FullScale, network: &Description) -> [u64; 5] {
    let [mut stat, mut dynamic, mut pruned, mut macs, mut pruned_macs] = [0u64; 5];
    let mut side = config.image.div_ceil(network.stem.stride);
    let all = |n: u64| [n; 3];
    let mut add = |of: [u64; 3], work: [u64; 2]| {
        stat += of[0];
        dynamic += of[1];
        pruned += of[2];
        macs += work[0];
        pruned_macs += work[1];
    };
    let norm = |conv: &ConvSpec| 2 * conv.outputs as u64;
    let stem = network.stem.weights() as u64;
    let work = stem * (side * side) as u64;
    add(all(stem + norm(&network.stem)), [work, work]);
    if network.pooled {
        side = side.div_ceil(2);
    }
    for block in &network.blocks {
        let before = side;
        let own = block.convs.iter().map(|c| (c, true));
        for (conv, in_order) in own.chain(block.shortcut.iter().flatten().map(|c| (c, false))) {
            let out = if in_order { side } else { before }.div_ceil(conv.stride);
            side = out;
            let weights = conv.weights() as u64;
            let work = weights * (out * out) as u64;
            if conv.depthwise || !in_order {
                add(all(weights + norm(conv)), [work, work]);
                continue;
            }
            let k = config.kernels as u64;
            let hidden = (conv.inputs / config.reduction).max(1) as u64;
            let attention = hidden * conv.inputs as u64 + k * hidden + k + k * conv.outputs as u64;
            let kept = |n: u64| (n as f64 * config.density).round() as u64;
            let extra = norm(conv) + attention;
            add([weights + norm(conv), k * weights + extra, kept(k * weights) + extra], [work, kept(work) + kept(k * weights) + attention]);
        }
    }
    let head = (network.features * config.classes + config.classes) as u64;
    add(all(head), [head, head]);
    [stat, dynamic, pruned, macs, pruned_macs]
}

/// Describes a configuration and, in a build that trains, runs one step on one random image.
///
/// # Errors
/// As [`FullScale::read`]; whatever building finds.
pub fn dry_run(name: &str) -> Result<Value> {
    let config = FullScale::read(name)?;
    let network = config.describe();
    let [stat, dynamic, pruned, macs, pruned_macs] = sizes(&config, &network);
    #[cfg(feature = "train")]
    let step = {
        let (loss, norm) = crate::train::full_scale_step(&config)?;
        json!({"loss": loss, "gradient_norm": norm})
    };
    #[cfg(not(feature = "train"))]
    let step = json!("not run: this build has no training engine");
    Ok(json!({
        "config": name, "backbone": config.backbone, "width": config.width, "kernels": config.kernels, "density": config.density,
        "parameters": {"static": stat, "dynamic": dynamic, "pruned": pruned},
        "macs": {"static": macs, "pruned_with_shared_mask": pruned_macs},
        "recipe": config.recipe, "synthetic_step": step,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_sizes_are_the_known_ones() {
        // torchvision's parameter counts; MobileNetV1's is 4.2 M.
        for (name, parameters) in
            [("resnet18", 11_689_512), ("resnet50", 25_557_032), ("mobilenetv2-10", 3_504_872), ("mobilenetv1", 4_231_976)]
        {
            let config = FullScale::read(name).unwrap();
            assert_eq!(sizes(&config, &config.describe())[0], parameters, "{name}");
        }
        for (name, _) in CONFIGS {
            let config = FullScale::read(name).unwrap();
            let [stat, dynamic, pruned, macs, pruned_macs] = sizes(&config, &config.describe());
            assert!(stat < dynamic && pruned < dynamic && pruned_macs < macs, "{name}");
        }
        assert!(FullScale::read("resnet34").is_err());
    }
}
