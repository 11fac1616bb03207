//! The paper's own model as a configuration (specification sections 2 to 5 and 9). It is described, exported with random weights and
//! run once by `dry-run`, not trained here: its images are given by their owners alone.

use crate::authors::checkpoint;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::path::Path;
use zoo_core::{Artifact, DType, Dim, Error, Result, Tensor, Weights, Workbench};
use zoo_formats::onnx::{Conv, Graph, Value};

/// Name and text of every configuration.
pub const CONFIGS: [(&str, &str); 1] = [("mmcbm_cti_b0", include_str!("../config/full-scale/mmcbm_cti_b0.toml"))];

/// EfficientNet-B0: expansion, kernel, stride, output channels, repeats (from memory: specification section 3).
pub const STAGES: [(usize, usize, usize, usize, usize); 7] =
    [(1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)];
/// Channels of the first convolution.
const STEM: usize = 32;
const EPSILON: f32 = 1e-3;

/// Means and deviations of the channels of a modality; one of each for grey images in three channels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standardise {
    /// Means.
    pub mean: Vec<f32>,
    /// Deviations.
    pub std: Vec<f32>,
}

/// A full-scale configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FullScale {
    /// `efficientnet-b0`.
    pub encoder: String,
    /// Modalities, an encoder each.
    pub modalities: Vec<String>,
    /// Rows and columns of an image.
    pub side: usize,
    /// Features of an image.
    pub features: usize,
    /// Hidden widths are the features over this.
    pub reduction: usize,
    /// Classes.
    pub classes: usize,
    /// Data set that its owner's loader opens.
    pub data: String,
    /// By modality.
    pub standardise: BTreeMap<String, Standardise>,
    /// Training of the black box, as the authors ran it.
    pub blackbox: BTreeMap<String, Json>,
    /// The concept bank.
    pub bank: crate::config::BankConfig,
    /// Training of the bottleneck classifier.
    pub head: BTreeMap<String, Json>,
}

/// Reads a configuration.
///
/// # Errors
/// [`Error::Unknown`] for another name, [`Error::Config`] for a key that does not fit.
pub fn read(name: &str) -> Result<FullScale> {
    let Some((_, text)) = CONFIGS.iter().find(|(n, _)| *n == name) else {
        let hint = format!("configurations are {}", CONFIGS.map(|(n, _)| n).join(", "));
        return Err(Error::Unknown { kind: "full-scale configuration", name: name.into(), hint });
    };
    let bad = |found: String| Error::Config { key: name.into(), expected: "a full-scale configuration".into(), found };
    toml::from_str(text).map_err(|e| bad(e.to_string()))
}

/// Names and shapes of an encoder's tensors, after the authors' prefix `encoder.encoder.MODALITY.`.
pub fn tensors(features: usize) -> Vec<(String, Vec<usize>)> {
    let mut all = Vec::new();
    let norm = |all: &mut Vec<(String, Vec<usize>)>, name: String, channels: usize| {
        all.extend(["weight", "bias", "running_mean", "running_var"].map(|part| (format!("{name}.{part}"), vec![channels])));
    };
    all.push(("_conv_stem.weight".to_string(), vec![STEM, 3, 3, 3]));
    norm(&mut all, "_bn0".into(), STEM);
    let mut inputs = STEM;
    for (stage, (expansion, kernel, _, outputs, repeats)) in STAGES.into_iter().enumerate() {
        for rep in 0..repeats {
            let name = format!("_blocks.{stage}.{rep}");
            let (hidden, squeezed) = (inputs * expansion, (inputs / 4).max(1));
            if expansion > 1 {
                all.push((format!("{name}._expand_conv.weight"), vec![hidden, inputs, 1, 1]));
                norm(&mut all, format!("{name}._bn0"), hidden);
            }
            all.push((format!("{name}._depthwise_conv.weight"), vec![hidden, 1, kernel, kernel]));
            norm(&mut all, format!("{name}._bn1"), hidden);
            for (part, o, i) in [("_se_reduce", squeezed, hidden), ("_se_expand", hidden, squeezed)] {
                all.push((format!("{name}.{part}.weight"), vec![o, i, 1, 1]));
                all.push((format!("{name}.{part}.bias"), vec![o]));
            }
            all.push((format!("{name}._project_conv.weight"), vec![outputs, hidden, 1, 1]));
            norm(&mut all, format!("{name}._bn2"), outputs);
            inputs = outputs;
        }
    }
    all.push(("_conv_head.weight".into(), vec![features, inputs, 1, 1]));
    norm(&mut all, "_bn1".into(), features);
    all
}

struct Build<'a> {
    graph: Graph,
    weights: &'a Weights,
}

impl Build<'_> {
    fn conv(&mut self, name: &str, x: Value, settings: &Conv) -> Result<Value> {
        let weight = self.graph.initializer(&format!("{name}.weight"), self.weights.get(&format!("{name}.weight"))?)?;
        let bias = self.weights.tensors.get(&format!("{name}.bias"));
        let bias = bias.map(|b| self.graph.initializer(&format!("{name}.bias"), b)).transpose()?;
        self.graph.conv(x, weight, bias, settings).map_err(Into::into)
    }

    fn norm(&mut self, name: &str, x: Value) -> Result<Value> {
        let mut parts = Vec::with_capacity(4);
        for part in ["weight", "bias", "running_mean", "running_var"] {
            let name = format!("{name}.{part}");
            parts.push(self.graph.initializer(&name, self.weights.get(&name)?)?);
        }
        self.graph.batch_norm(x, parts[0], parts[1], parts[2], parts[3], EPSILON).map_err(Into::into)
    }

    fn swish(&mut self, x: Value) -> Result<Value> {
        let gate = self.graph.sigmoid(x)?;
        self.graph.mul(x, gate).map_err(Into::into)
    }
}

/// "Same" padding of a side: what is odd goes after; and the side that comes out.
pub fn same(side: usize, kernel: usize, stride: usize) -> (Conv, usize) {
    let out = side.div_ceil(stride);
    let whole = ((out - 1) * stride + kernel).saturating_sub(side);
    let (before, after) = ((whole / 2) as i64, (whole - whole / 2) as i64);
    let mut conv = Conv::square(stride as i64, 0);
    conv.pads = vec![before, before, after, after];
    (conv, out)
}

/// An encoder's graph: `image [batch, 3, side, side]` to `features [batch, F]`. Asymmetric padding stands in the convolutions.
///
/// # Errors
/// What building finds.
pub fn encoder(name: &str, side: usize, weights: &Weights) -> Result<Artifact> {
    let mut b = Build { graph: Graph::new(name).variant(name), weights };
    let image = b.graph.input("image", DType::F32, ["batch".into(), Dim::Fixed(3), Dim::Fixed(side), Dim::Fixed(side)])?;
    let (settings, mut side) = same(side, 3, 2);
    let x = b.conv("_conv_stem", image, &settings)?;
    let x = b.norm("_bn0", x)?;
    let mut x = b.swish(x)?;
    let mut inputs = STEM;
    for (stage, (expansion, kernel, first, outputs, repeats)) in STAGES.into_iter().enumerate() {
        for rep in 0..repeats {
            let stride = if rep == 0 { first } else { 1 };
            let name = format!("_blocks.{stage}.{rep}");
            let before = x;
            if expansion > 1 {
                x = b.conv(&format!("{name}._expand_conv"), x, &Conv::square(1, 0))?;
                x = b.norm(&format!("{name}._bn0"), x)?;
                x = b.swish(x)?;
            }
            let (settings, out) = same(side, kernel, stride);
            side = out;
            x = b.conv(&format!("{name}._depthwise_conv"), x, &settings.groups((inputs * expansion) as i64))?;
            x = b.norm(&format!("{name}._bn1"), x)?;
            x = b.swish(x)?;
            let squeezed = b.graph.global_average_pool(x)?;
            let squeezed = b.conv(&format!("{name}._se_reduce"), squeezed, &Conv::square(1, 0))?;
            let squeezed = b.swish(squeezed)?;
            let excited = b.conv(&format!("{name}._se_expand"), squeezed, &Conv::square(1, 0))?;
            let gate = b.graph.sigmoid(excited)?;
            x = b.graph.mul(x, gate)?;
            x = b.conv(&format!("{name}._project_conv"), x, &Conv::square(1, 0))?;
            x = b.norm(&format!("{name}._bn2"), x)?;
            if stride == 1 && inputs == outputs {
                x = b.graph.add(x, before)?;
            }
            inputs = outputs;
        }
    }
    x = b.conv("_conv_head", x, &Conv::square(1, 0))?;
    x = b.norm("_bn1", x)?;
    x = b.swish(x)?;
    let pooled = b.graph.global_average_pool(x)?;
    let features = b.graph.flatten(pooled, 1)?;
    b.graph.output("features", features)?;
    b.graph.finish().map_err(Into::into)
}

/// Random weights of an encoder, neutral batch normalisation.
fn random(config: &FullScale, rng: &mut impl Rng) -> Result<Weights> {
    let mut weights = Weights::new();
    for (name, shape) in tensors(config.features) {
        let count: usize = shape.iter().product();
        let bound = (3.0 / shape.iter().skip(1).product::<usize>().max(1) as f32).sqrt();
        let one = shape.len() == 1 && (name.ends_with("var") || (name.contains("_bn") && name.ends_with("weight")));
        let values = (0..count)
            .map(|_| {
                if one {
                    1.0
                } else if shape.len() == 1 {
                    0.0
                } else {
                    rng.random_range(-bound..bound)
                }
            })
            .collect();
        weights.insert(name, Tensor::from_vec(shape, values)?);
    }
    Ok(weights)
}

/// Builds every encoder, from an authors' checkpoint in safetensors or with random weights, and runs each on one random image.
///
/// # Errors
/// As [`read`] and [`crate::authors::checkpoint`]; whatever building and running find.
pub fn dry_run(name: &str, file: Option<&Path>, bench: &mut dyn Workbench) -> Result<Json> {
    let config = read(name)?;
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let (encoders, origin) = match file {
        Some(path) => (checkpoint(&config, &zoo_formats::safetensors::read(path)?)?.encoders, "the authors' checkpoint"),
        None => ([("every modality".to_string(), random(&config, &mut rng)?)].into(), "random"),
    };
    let pixels = (0..3 * config.side * config.side).map(|_| rng.random::<f32>()).collect();
    let image = Tensor::from_vec([1, 3, config.side, config.side], pixels)?;
    let mut graphs = Vec::new();
    for (modality, weights) in &encoders {
        let artifact = encoder("mmcbm_encoder", config.side, weights)?;
        let bytes = artifact.main()?.bytes.len();
        let outputs = bench.compile(&artifact)?.run(std::slice::from_ref(&image))?;
        let features = outputs.first().ok_or_else(|| Error::artifact("session", "outputs", "expected features, found none"))?;
        let parameters: usize = weights.tensors.iter().filter(|(n, _)| !n.contains("running_")).map(|(_, t)| t.len()).sum();
        graphs.push(json!({"modality": modality, "parameters": parameters, "onnx_bytes": bytes, "features": features.shape(),
            "finite": features.to_f32().iter().all(|v| v.is_finite())}));
    }
    Ok(json!({"config": name, "modalities": config.modalities, "encoders": graphs, "data": config.data, "weights": origin}))
}
