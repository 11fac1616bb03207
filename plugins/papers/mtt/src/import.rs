//! The authors' checkpoints (specification section 11).

use crate::network::{Architecture, NORM, Network, Op};
use zoo_core::{Error, Result, Weights};
use zoo_formats::KeyMap;

/// How PyTorch names the parts of a batch normalisation, in the order of [`NORM`].
const TORCH_NORM: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

/// Stem of a layer's weight in the authors' files, of its batch normalisation, and whether the weight has a bias.
struct Names {
    weight: String,
    norm: Option<String>,
}

/// The authors' stems of every layer with weights, in forward order of [`Network::weighted`].
fn stems(architecture: Architecture, network: &Network) -> Result<Vec<Names>> {
    let flat = |numbers: &[usize]| {
        let stem = |n: usize| format!("net.{n}");
        let one =
            |(layer, &n): (usize, &usize)| Names { weight: stem(n), norm: network.layers()[layer].norm.as_ref().map(|_| stem(n + 1)) };
        network.weighted().zip(numbers).map(one).collect::<Vec<_>>()
    };
    Ok(match architecture {
        Architecture::Vgg9Event => flat(&[2, 5, 10, 13, 18, 21, 26, 29, 34]),
        Architecture::GestureEvent => flat(&[2, 6, 11, 15, 20, 22]),
        Architecture::Nmnist3c1fc => {
            return Err(Error::NotOffered {
                who: "architecture nmnist3c1fc".into(),
                what: "import of the authors' checkpoints".into(),
                hint: "their public code has resnet19, resnet18, vgg14, vgg9-event and gesture-event".into(),
            });
        }
        Architecture::Resnet19 | Architecture::Resnet18 | Architecture::Vgg14 => {
            let head = if architecture == Architecture::Vgg14 { "fc3.module" } else { "fc.module" };
            let one = |layer: usize| {
                let layer = &network.layers()[layer];
                if matches!(layer.op, Op::Linear { .. }) {
                    return Names { weight: head.into(), norm: None };
                }
                let part = layer.name.rsplit('.').next().unwrap_or_default();
                let block = layer.name.strip_prefix("stages.").and_then(|rest| rest.split('.').next());
                let stem = match (block, architecture) {
                    (None, _) => "conv".to_string(),
                    (Some(block), Architecture::Vgg14) => format!("feature_ext.{block}.conv"),
                    (Some(block), _) => format!("feature_ext.{block}.{part}"),
                };
                Names { weight: format!("{stem}.module.0"), norm: layer.norm.as_ref().map(|_| format!("{stem}.module.1")) }
            };
            network.weighted().map(one).collect()
        }
    })
}

/// Our name of every tensor with the authors' name of it.
///
/// # Errors
/// [`Error::NotOffered`] for an architecture that their code does not have.
pub fn author_names(architecture: Architecture, network: &Network) -> Result<Vec<(String, String)>> {
    let mut names = Vec::new();
    for (layer, theirs) in network.weighted().zip(stems(architecture, network)?) {
        let ours = &network.layers()[layer];
        names.push((format!("{}.weight", ours.name), format!("{}.weight", theirs.weight)));
        if network.has_bias(layer) {
            names.push((format!("{}.bias", ours.name), format!("{}.bias", theirs.weight)));
        }
        if let (Some(norm), Some(stem)) = (&ours.norm, &theirs.norm) {
            names.extend(NORM.iter().zip(TORCH_NORM).map(|(part, torch)| (format!("{norm}.{part}"), format!("{stem}.{torch}"))));
        }
    }
    Ok(names)
}

/// Imports a checkpoint of the authors: a time-stepped one may be the whole file, whose tensors stand under
/// `best_model_state_dict`, and its names may begin with `module.`. State of neurons (`v_mem`, thresholds) is dropped.
///
/// # Errors
/// [`Error::Keys`], listing every missing and unexpected name; [`Error::Shape`] or [`Error::DType`] for a tensor that does
/// not fit.
pub fn import_authors(architecture: Architecture, network: &Network, file: &Weights) -> Result<Weights> {
    const WHOLE: &str = "best_model_state_dict.";
    let whole = file.tensors.keys().any(|name| name.starts_with(WHOLE));
    let kept = file.tensors.iter().filter(|(name, _)| !whole || name.starts_with(WHOLE));
    let mut tensors: std::collections::BTreeMap<String, _> =
        kept.map(|(name, tensor)| (name.strip_prefix(WHOLE).unwrap_or(name).to_string(), tensor.clone())).collect();
    // `module.` also occurs inside names, so it is a wrapper's prefix only if every name starts with it.
    if !tensors.is_empty() && tensors.keys().all(|name| name.starts_with("module.")) {
        tensors = tensors.into_iter().map(|(name, tensor)| (name["module.".len()..].to_string(), tensor)).collect();
    }
    let neuron = |name: &str| matches!(name.rsplit('.').next(), Some("v_mem" | "thresh" | "spike_threshold" | "min_v_mem"));
    tensors.retain(|name, _| !neuron(name) && !name.ends_with(".num_batches_tracked"));
    let file = Weights { tensors, metadata: file.metadata.clone() };
    let names = author_names(architecture, network)?;
    let map = names.iter().try_fold(KeyMap::new(), |map, (ours, theirs)| map.rule(theirs, ours))?;
    map.apply("the authors' checkpoint", &file, names.iter().map(|(ours, _)| ours.as_str()))
}
