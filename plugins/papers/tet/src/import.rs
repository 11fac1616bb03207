//! The authors' checkpoints (specification section 10): a plain `state_dict`.
//!
//! In ResNet-19 every layer is registered twice, so that each tensor stands under several names. They must agree; one of
//! them is kept.

use crate::network::{Architecture, NORM, Network, Op};
use zoo_core::{Error, Result, Weights};
use zoo_formats::KeyMap;

/// How PyTorch names the parts of a batch normalisation, in the order of [`NORM`].
const TORCH_NORM: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

/// One tensor of ours and every name it has in the authors' files, the canonical one first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorNames {
    /// Our name.
    pub ours: String,
    /// Theirs.
    pub theirs: Vec<String>,
}

/// The authors' names of every tensor of a network.
///
/// # Errors
/// [`Error::NotOffered`] for an architecture that their code does not have.
pub fn author_names(architecture: Architecture, network: &Network) -> Result<Vec<AuthorNames>> {
    match architecture {
        Architecture::Vggsnn | Architecture::VggsnnWoap | Architecture::VggsnnMini => Ok(vgg(network)),
        Architecture::Resnet19 => Ok(resnet(network)),
        Architecture::SpikingResnet34 | Architecture::SewResnet34 => Err(Error::NotOffered {
            who: format!("architecture {architecture:?}"),
            what: "import of the authors' checkpoints".into(),
            hint: "their public code has vggsnn, vggsnn-woap and resnet19".into(),
        }),
    }
}

/// `features.{i}.fwd.module.{0,1}`, where pools count as modules too, and `classifier.module`.
fn vgg(network: &Network) -> Vec<AuthorNames> {
    let mut names = Vec::new();
    let one = |ours: String, theirs: String| AuthorNames { ours, theirs: vec![theirs] };
    for (i, layer) in network.layers().iter().enumerate() {
        match layer.op {
            Op::Conv { .. } => {
                let stem = format!("features.{i}.fwd.module");
                names.extend(["weight", "bias"].map(|part| one(format!("{}.{part}", layer.name), format!("{stem}.0.{part}"))));
                if let Some(norm) = &layer.norm {
                    let parts = NORM.iter().zip(TORCH_NORM);
                    names.extend(parts.map(|(ours, theirs)| one(format!("{norm}.{ours}"), format!("{stem}.1.{theirs}"))));
                }
            }
            Op::Linear { .. } => {
                names.extend(["weight", "bias"].map(|part| one(format!("{}.{part}", layer.name), format!("classifier.module.{part}"))));
            }
            _ => {}
        }
    }
    names
}

/// `conv1`, `layer{1,2,3}.{b}.conv{1,2}`, `downsample`, `fc1`, `fc2`, each with its aliases.
fn resnet(network: &Network) -> Vec<AuthorNames> {
    let mut names = Vec::new();
    for layer in network.layers() {
        if let Op::Linear { .. } = layer.op {
            let n = if layer.name == "head.0" { 1 } else { 2 };
            for part in ["weight", "bias"] {
                let theirs = vec![format!("fc{n}.{part}"), format!("fc{n}_s.layer.module.{part}")];
                names.push(AuthorNames { ours: format!("{}.{part}", layer.name), theirs });
            }
        }
        let (Op::Conv { .. }, Some(norm)) = (layer.op, &layer.norm) else { continue };
        let mut block = layer.name.strip_prefix("blocks.").into_iter().flat_map(|rest| rest.split('.'));
        let stem = match (block.next().and_then(|s| s.parse::<usize>().ok()), block.next()) {
            (Some(stage), Some(number)) => format!("layer{}.{number}.", stage + 1),
            _ => String::new(),
        };
        let (conv, norms) = match layer.name.rsplit('.').next() {
            Some("shortcut") => {
                let bn = format!("{stem}downsample.bn");
                (vec![format!("{stem}downsample.layer.module")], vec![format!("{bn}.bn"), format!("{bn}.seqbn.module")])
            }
            last => {
                let n = if last == Some("conv2") { 2 } else { 1 };
                let (bn, wrapped) = (format!("{stem}bn{n}"), format!("{stem}conv{n}_s"));
                let norms = vec![
                    format!("{bn}.bn"),
                    format!("{bn}.seqbn.module"),
                    format!("{wrapped}.bn.bn"),
                    format!("{wrapped}.bn.seqbn.module"),
                ];
                (vec![format!("{stem}conv{n}"), format!("{wrapped}.layer.module")], norms)
            }
        };
        names.push(AuthorNames {
            ours: format!("{}.weight", layer.name),
            theirs: conv.into_iter().map(|stem| format!("{stem}.weight")).collect(),
        });
        for (ours, part) in NORM.iter().zip(TORCH_NORM) {
            names.push(AuthorNames { ours: format!("{norm}.{ours}"), theirs: norms.iter().map(|stem| format!("{stem}.{part}")).collect() });
        }
    }
    names
}

/// Imports a checkpoint of the authors.
///
/// # Errors
/// [`Error::Keys`], listing every missing and unexpected name; [`Error::Argument`] if two names of one tensor hold
/// different values; [`Error::Shape`] or [`Error::DType`] for a tensor that does not fit.
pub fn import_authors(architecture: Architecture, network: &Network, file: &Weights) -> Result<Weights> {
    // `module.` also occurs inside names, so it is a wrapper's prefix only if every name starts with it.
    let wrapped = !file.tensors.is_empty() && file.tensors.keys().all(|name| name.starts_with("module."));
    let mut file = Weights {
        tensors: file.tensors.iter().map(|(k, v)| (if wrapped { &k["module.".len()..] } else { k }.to_string(), v.clone())).collect(),
        metadata: file.metadata.clone(),
    };
    let names = author_names(architecture, network)?;
    let mut map = KeyMap::new().ignore("{layer:rest}.num_batches_tracked")?;
    for AuthorNames { ours, theirs } in &names {
        let mut held: Option<String> = None;
        for name in theirs {
            let Some(tensor) = file.tensors.get(name) else { continue };
            match &held {
                None => held = Some(name.clone()),
                Some(first) => {
                    if file.get(first)? != tensor {
                        let expected = format!("the values of `{first}`, of which it is another name");
                        return Err(Error::argument(format!("tensor `{name}`"), expected, "others"));
                    }
                    file.tensors.remove(name);
                }
            }
        }
        map = map.rule(held.as_ref().unwrap_or(&theirs[0]), ours)?;
    }
    map.apply("the authors' checkpoint", &file, names.iter().map(|n| n.ours.as_str()))
}
