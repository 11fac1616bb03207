//! Weights from files: ours, which may hold half-precision numbers, and the authors' `state_dict`.

use crate::unet::{Head, Unet};
use zoo_core::{Dialect, Result, Weights};

/// Tensors of the authors' networks that no forward pass reads: a counter, two unused convolutions, an unused layer.
fn unused(name: &str, head: Head) -> bool {
    name.ends_with(".num_batches_tracked")
        || name.starts_with("conv1_label.")
        || name.starts_with("conv2_label.")
        || (head == Head::Segmentation && (name.starts_with("linear1_.") || name.starts_with("global_layers.")))
}

/// Takes the tensors of `network` from a file; `module.` (data-parallel training) is dropped from the authors' names.
///
/// # Errors
/// [`zoo_core::Error::Keys`] listing every missing and unexpected name, and what [`Unet::check`] finds.
pub fn import(network: &Unet, file: &Weights, dialect: Dialect) -> Result<Weights> {
    let mut weights = Weights { metadata: file.metadata.clone(), ..Weights::new() };
    for (name, tensor) in &file.tensors {
        let name = match dialect {
            Dialect::Zoo => name.as_str(),
            Dialect::Authors => name.strip_prefix("module.").unwrap_or(name),
        };
        if dialect == Dialect::Authors && unused(name, network.head) {
            continue;
        }
        weights.insert(name, tensor.clone());
    }
    let weights = weights.in_single_precision()?;
    network.check(&weights)?;
    Ok(weights)
}

/// What the target network takes over from a pretext network: every tensor of the same name and shape, encoder and
/// decoder, or the encoder alone (after T2, whose decoder had no gradient).
pub fn transferable(target: &Unet, pretext: &Weights, decoder: bool) -> Vec<String> {
    let encoder = |name: &str| name.starts_with("conv") || name.starts_with("center");
    let fits = |(name, shape): &(String, Vec<usize>)| pretext.tensors.get(name).is_some_and(|t| t.shape() == shape.as_slice());
    target.tensors().into_iter().filter(|t| fits(t) && (decoder || encoder(&t.0))).map(|(name, _)| name).collect()
}
