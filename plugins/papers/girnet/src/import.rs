//! Weights from files: ours, which may hold half-precision numbers, and the authors' `state_dict`.

use crate::network::{INP, Named, REG, SEG, check};
use zoo_core::{Dialect, Error, Result, Weights};

/// Part of a name that only a network with two convolutions a block has, as the authors' pretrained inpainter is built.
const DOUBLE: &str = ".conv.0.0.";

/// Takes `tensors` from a file.
///
/// The authors' names may lack the first component (a checkpoint of one network) or have `state_dict.` or `module.` before them;
/// their `grid` buffer is no weight.
///
/// # Errors
/// [`Error::Keys`] listing every missing and unexpected name; [`Error::Artifact`] for an inpainter with two convolutions a block,
/// which does not fit the network that was trained with it; what [`check`] finds.
pub fn import(tensors: &[Named], file: &Weights, dialect: Dialect) -> Result<Weights> {
    let mut weights = Weights { metadata: file.metadata.clone(), ..Weights::new() };
    let owner = owner(file);
    for (name, tensor) in &file.tensors {
        if dialect == Dialect::Zoo {
            weights.insert(name.clone(), tensor.clone());
            continue;
        }
        let name = ["state_dict.", "module."].iter().fold(name.as_str(), |n, prefix| n.strip_prefix(prefix).unwrap_or(n));
        if name == "grid" || name.ends_with(".grid") {
            continue;
        }
        if name.contains(DOUBLE) {
            return Err(Error::artifact(
                "authors' checkpoint",
                name,
                "expected one convolution a block, found two: the pretraining script builds another inpainter than the training script, \
                 and no part of it fits",
            ));
        }
        let whole = [SEG, INP, REG].iter().any(|prefix| name.starts_with(&format!("{prefix}.")));
        let name = if whole { name.to_string() } else { format!("{owner}.{name}") };
        weights.insert(name, tensor.clone());
    }
    let weights = weights.in_single_precision()?;
    check(&weights, tensors)?;
    Ok(weights)
}

/// The network of a checkpoint whose names lack their first component: told by its encoders.
fn owner(file: &Weights) -> &'static str {
    let has = |part: &str| file.tensors.keys().any(|name| name.trim_start_matches("state_dict.").starts_with(part));
    if has("unet.") {
        "symnet"
    } else if has("encoder1.") {
        INP
    } else {
        SEG
    }
}
