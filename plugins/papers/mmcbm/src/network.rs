//! Names and shapes of all tensors, in the style of the public code's `state_dict`.

use crate::concepts::COUNT;
use crate::config::{GROUPS, MODALITIES, NetworkConfig};
use zoo_core::{Error, Result, Weights};

/// What batch normalisation adds to a variance.
pub const EPSILON: f32 = 1e-5;
/// Slope of the rectifiers below 0 in pooling and gate.
pub const LEAK: f32 = 0.2;
/// Concepts of the first group; the rest are of the second. [`crate::concepts::CONCEPTS`] is sorted so.
pub const FIRST_GROUP: usize = 8;
/// Linear layers of the gate.
pub const GATE: [&str; 3] = ["linear_q", "linear_k", "linear_v"];

/// Name of a block's convolution or normalisation.
pub fn encoder(modality: usize, part: &str, block: usize) -> String {
    format!("encoder.encoder.{}.{part}{block}", MODALITIES[modality])
}

/// Name of a group's free weights `[classes, concepts of the group]`.
pub fn group_weight(group: usize) -> String {
    format!("classifier.modality_weight_dict.{}.weight", GROUPS[group])
}

/// Tensors of the black box.
pub fn blackbox(config: &NetworkConfig) -> Vec<(String, Vec<usize>)> {
    let (f, hidden) = (config.features(), config.hidden());
    let mut all = Vec::new();
    for modality in 0..MODALITIES.len() {
        let mut inputs = config.channels;
        for (block, &width) in config.widths.iter().enumerate() {
            all.push((format!("{}.weight", encoder(modality, "conv", block)), vec![width, inputs, 3, 3]));
            for part in ["weight", "bias", "running_mean", "running_var"] {
                all.push((format!("{}.{part}", encoder(modality, "bn", block)), vec![width]));
            }
            inputs = width;
        }
    }
    let mut linear = |name: &str, outputs: usize, inputs: usize, bias: bool| {
        all.push((format!("{name}.weight"), vec![outputs, inputs]));
        if bias {
            all.push((format!("{name}.bias"), vec![outputs]));
        }
    };
    linear("classifier.pool.weight.mlp.0", hidden, f, true);
    linear("classifier.pool.weight.mlp.2", f, hidden, true);
    for part in GATE {
        linear(&format!("classifier.attn.{part}"), f, f, false);
    }
    linear("classifier.classifier.classifier.0", hidden, f, true);
    linear("classifier.classifier.classifier.2", config.classes, hidden, true);
    all
}

/// All tensors: black box, concept bank and bottleneck classifier.
pub fn tensors(config: &NetworkConfig) -> Vec<(String, Vec<usize>)> {
    let mut all = blackbox(config);
    for group in 0..GROUPS.len() {
        let concepts = if group == 0 { FIRST_GROUP } else { COUNT - FIRST_GROUP };
        all.push((group_weight(group), vec![config.classes, concepts]));
    }
    all.push(("bank.vectors".into(), vec![COUNT, config.features()]));
    all.push(("bank.intercepts".into(), vec![COUNT]));
    all.push(("bank.norms".into(), vec![COUNT]));
    all
}

/// Checks that weights have exactly these tensors, of these shapes and finite.
///
/// # Errors
/// [`Error::Keys`], [`Error::Shape`], [`Error::DType`]; [`Error::Argument`] for values that are not finite.
pub fn check(config: &NetworkConfig, weights: &Weights) -> Result<()> {
    let tensors = tensors(config);
    weights.expect_keys("weights of mmcbm", tensors.iter().map(|(name, _)| name.as_str()))?;
    for (name, shape) in &tensors {
        if let Some(bad) = weights.f32(name, shape)?.iter().find(|v| !v.is_finite()) {
            return Err(Error::argument(format!("weight `{name}`"), "finite numbers", bad));
        }
    }
    Ok(())
}
