//! The paper's own settings as configurations (specification section 8). They are described and checked by `dry-run`,
//! not trained here: their data are gated.

use crate::config::PaperConfig;
use crate::unet::{Head, Unet};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use zoo_core::{Config, Error, Result, Tensor, Weights};

/// Name and text of every configuration.
pub const CONFIGS: [(&str, &str); 2] = [
    ("dsbcc-acdc-unet", include_str!("../config/full-scale/dsbcc-acdc-unet.toml")),
    ("knee-cls", include_str!("../config/full-scale/knee-cls.toml")),
];

/// Reads a full-scale configuration, with the networks it needs.
///
/// # Errors
/// [`Error::Unknown`] for another name, [`Error::Config`] for a key that does not fit.
pub fn read(name: &str) -> Result<(PaperConfig, [Head; 2])> {
    let Some((_, text)) = CONFIGS.iter().find(|(n, _)| *n == name) else {
        let hint = format!("configurations are {}", CONFIGS.map(|(n, _)| n).join(", "));
        return Err(Error::Unknown { kind: "full-scale configuration", name: name.into(), hint });
    };
    let bad = |found: String| Error::Config { key: name.into(), expected: "a TOML table".into(), found };
    let value: serde_json::Value = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
    let target = if name.ends_with("-cls") { Head::Classifier } else { Head::Segmentation };
    Ok((PaperConfig::read(&Config::new(value))?, [Head::Pretext, target]))
}

/// Fresh weights: Kaiming-scaled uniform numbers, neutral batch normalisation. For dry runs and untrained exports.
///
/// # Errors
/// [`Error::Shape`] if a tensor's size overflows.
pub fn fresh_weights(network: &Unet, seed: u64) -> Result<Weights> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut weights = Weights::new();
    for (name, shape) in network.tensors() {
        let count = shape.iter().product();
        let values = if shape.len() == 1 {
            let one = name.ends_with("running_var") || (name.contains(".1.") && name.ends_with("weight"));
            vec![if one { 1.0 } else { 0.0 }; count]
        } else {
            let fan: usize = shape[1..].iter().product();
            // A uniform distribution of this bound has the variance 2 / fan.
            let bound = (6.0 / fan as f32).sqrt();
            (0..count).map(|_| rng.random_range(-bound..=bound)).collect()
        };
        weights.insert(name, Tensor::from_vec(shape, values)?);
    }
    Ok(weights)
}
