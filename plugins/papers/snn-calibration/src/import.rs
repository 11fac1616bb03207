//! ANN checkpoints of the authors' code: their `state_dict` names and ours (specification section 11).
//!
//! The authors save *calibrated* models as pickled objects, whose thresholds and potentials are plain attributes; those
//! can't be read safely. Import the ANN and calibrate it here.

use crate::fold::{fold_network, orig};
use crate::network::{Network, Op};
use zoo_core::{Error, Result, Weights};
use zoo_formats::KeyMap;

/// Name stems of one weighted layer in the authors' files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorLayer {
    /// Stem of weight and bias.
    pub layer: String,
    /// Whether it has a bias of its own.
    pub bias: bool,
    /// Stem of the batch normalisation after it.
    pub batch_norm: Option<String>,
}

/// The authors' stems of every weighted layer, in forward order.
///
/// # Errors
/// [`Error::NotOffered`] for an architecture whose names were not read.
pub fn author_layers(architecture: &str, network: &Network) -> Result<Vec<AuthorLayer>> {
    match architecture {
        "vgg16" | "vgg16-nobn" | "vgg16-imagenet" => Ok(vgg(network)),
        "resnet20-wide" | "resnet34-deepstem" => Ok(resnet(network)),
        other => Err(Error::NotOffered {
            who: format!("architecture `{other}`"),
            what: "import of the authors' checkpoints".into(),
            hint: "the names of vgg16, vgg16-nobn, vgg16-imagenet, resnet20-wide and resnet34-deepstem are known".into(),
        }),
    }
}

/// `features.{i}`: three modules a convolution (convolution, batch normalisation or dropout, ReLU) and one a pool.
fn vgg(network: &Network) -> Vec<AuthorLayer> {
    let mut layers = Vec::new();
    let mut module = 0;
    let linear = network.nodes().iter().filter(|n| matches!(n.op, Op::Linear { .. })).count();
    let mut classifier = 0;
    for node in network.nodes() {
        match node.op {
            Op::Conv { .. } => {
                let batch_norm = node.batch_norm.then(|| format!("features.{}", module + 1));
                layers.push(AuthorLayer { layer: format!("features.{module}"), bias: true, batch_norm });
                module += 3;
            }
            Op::AvgPool { .. } | Op::GlobalAvgPool => module += 1,
            Op::Linear { .. } => {
                // Between the three linear layers of ImageNet's classifier stand ReLU and dropout.
                let layer = if linear == 1 { "classifier".to_string() } else { format!("classifier.{}", 3 * classifier) };
                layers.push(AuthorLayer { layer, bias: true, batch_norm: None });
                classifier += 1;
            }
        }
    }
    layers
}

/// `conv1`, `layer{stage}.{block}.conv{1,2}`, `downsample`, `fc`; a deep stem is `conv1.{0,3,6}` with its last batch
/// normalisation outside, as `bn1`.
fn resnet(network: &Network) -> Vec<AuthorLayer> {
    let nodes = network.nodes();
    let conv = |n: usize| matches!(nodes[n].op, Op::Conv { .. });
    // A block ends with the layer that adds a residual; what stands before the first block is the stem.
    let residual: Vec<usize> = (0..nodes.len()).filter(|&n| nodes[n].residual.is_some()).collect();
    let first_block = residual.first().map_or(0, |&end| if end >= 2 && !nodes[end - 1].relu { end - 2 } else { end - 1 });
    let stem: Vec<usize> = (0..first_block).filter(|&n| conv(n)).collect();
    let mut layers: Vec<AuthorLayer> = stem
        .iter()
        .enumerate()
        .map(|(i, _)| {
            let (layer, bn) = match (stem.len(), i) {
                (1, _) => ("conv1".to_string(), "bn1".to_string()),
                (len, i) if i + 1 == len => (format!("conv1.{}", 3 * i), "bn1".to_string()),
                (_, i) => (format!("conv1.{}", 3 * i), format!("conv1.{}", 3 * i + 1)),
            };
            AuthorLayer { layer, bias: false, batch_norm: Some(bn) }
        })
        .collect();
    let (mut stage, mut block, mut width) = (1, 0, 0);
    let mut start = first_block;
    for end in residual {
        let out = network.shape(end)[0];
        if width != 0 && width != out {
            (stage, block) = (stage + 1, 0);
        }
        width = out;
        let stem = format!("layer{stage}.{block}");
        for n in start..=end {
            let (layer, bn) = match n {
                n if n == start => ("conv1", "bn1"),
                n if n == end => ("conv2", "bn2"),
                _ => ("downsample.0", "downsample.1"),
            };
            layers.push(AuthorLayer { layer: format!("{stem}.{layer}"), bias: false, batch_norm: Some(format!("{stem}.{bn}")) });
        }
        (start, block) = (end + 1, block + 1);
    }
    layers.push(AuthorLayer { layer: "fc".into(), bias: true, batch_norm: None });
    layers
}

/// The map from the authors' names to `orig.*`.
///
/// # Errors
/// As [`author_layers`].
pub fn key_map(architecture: &str, network: &Network) -> Result<KeyMap> {
    // A file may hold the state_dict itself, or a dictionary around it, from a data-parallel model or not.
    let map = KeyMap::new().strip("state_dict.").strip("model.").strip("module.").ignore("{layer:rest}.num_batches_tracked")?;
    network.weighted().zip(author_layers(architecture, network)?).try_fold(map, |map, (layer, theirs)| {
        let mut map = map.rule(&format!("{}.weight", theirs.layer), &orig::weight(layer))?;
        if theirs.bias {
            map = map.rule(&format!("{}.bias", theirs.layer), &orig::bias(layer))?;
        }
        if let Some(bn) = theirs.batch_norm {
            map = orig::BN.iter().try_fold(map, |map, part| map.rule(&format!("{bn}.{part}"), &orig::bn(layer, part)))?;
        }
        Ok(map)
    })
}

/// Imports an ANN checkpoint of the authors and folds its batch normalisation.
///
/// # Errors
/// [`Error::Keys`], listing every missing and unexpected name; [`Error::Shape`], [`Error::DType`] or
/// [`Error::Argument`] for a tensor that does not fit.
pub fn import_authors(architecture: &str, network: &Network, file: &Weights) -> Result<Weights> {
    let map = key_map(architecture, network)?;
    let mut wanted = Vec::new();
    for (layer, theirs) in network.weighted().zip(author_layers(architecture, network)?) {
        wanted.push(orig::weight(layer));
        if theirs.bias {
            wanted.push(orig::bias(layer));
        }
        if theirs.batch_norm.is_some() {
            wanted.extend(orig::BN.map(|part| orig::bn(layer, part)));
        }
    }
    let renamed = map.apply("the authors' checkpoint", file, wanted.iter().map(String::as_str))?;
    fold_network(network, renamed)
}
