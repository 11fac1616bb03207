//! The papers' own networks and settings as configurations (specification section 10). They are described and checked
//! by `dry-run`, not trained here. The detection networks of the 2022 paper are missing: their layout was not readable.

use crate::calibrate::Pipeline;
use crate::config::PaperConfig;
use serde::Deserialize;
use zoo_core::{Config, Error, Result};

/// Name and text of every configuration.
pub const CONFIGS: [(&str, &str); 10] = [
    ("cifar10-vgg16-bn", include_str!("../config/full-scale/cifar10-vgg16-bn.toml")),
    ("cifar10-vgg16-nobn", include_str!("../config/full-scale/cifar10-vgg16-nobn.toml")),
    ("cifar10-resnet20w", include_str!("../config/full-scale/cifar10-resnet20w.toml")),
    ("cifar100-vgg16-bn", include_str!("../config/full-scale/cifar100-vgg16-bn.toml")),
    ("cifar100-vgg16-nobn", include_str!("../config/full-scale/cifar100-vgg16-nobn.toml")),
    ("cifar100-resnet20w", include_str!("../config/full-scale/cifar100-resnet20w.toml")),
    ("imagenet-vgg16-bn", include_str!("../config/full-scale/imagenet-vgg16-bn.toml")),
    ("imagenet-resnet34-deepstem", include_str!("../config/full-scale/imagenet-resnet34-deepstem.toml")),
    ("imagenet-mobilenet-v1", include_str!("../config/full-scale/imagenet-mobilenet-v1.toml")),
    ("imagenet-regnetx4gf", include_str!("../config/full-scale/imagenet-regnetx4gf.toml")),
];

/// Conversions that a configuration is meant for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Grid {
    /// Numbers of time steps.
    pub steps: Vec<u32>,
    /// Corrections.
    pub pipelines: Vec<Pipeline>,
}

/// Reads a full-scale configuration.
///
/// # Errors
/// [`Error::Unknown`] for another name, [`Error::Config`] for a key that does not fit.
pub fn read(name: &str) -> Result<(PaperConfig, Grid)> {
    let Some((_, text)) = CONFIGS.iter().find(|(n, _)| *n == name) else {
        let hint = format!("configurations are {}", CONFIGS.map(|(n, _)| n).join(", "));
        return Err(Error::Unknown { kind: "full-scale configuration", name: name.into(), hint });
    };
    let bad = |found: String| Error::Config { key: name.into(), expected: "a TOML table".into(), found };
    let mut value: serde_json::Map<String, serde_json::Value> = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
    let grid = Config::new(value.remove("grid").unwrap_or_default()).parse()?;
    Ok((PaperConfig::read(&Config::new(value.into()))?, grid))
}
