//! The paper's own networks and settings as configurations (specification section 10). They are described and checked by
//! `dry-run`, not trained here.

use crate::config::PaperConfig;
use zoo_core::{Config, Error, Result};

/// Name and text of every configuration.
pub const CONFIGS: [(&str, &str); 10] = [
    ("cifar10_resnet19", include_str!("../config/full-scale/cifar10_resnet19.toml")),
    ("cifar100_resnet19", include_str!("../config/full-scale/cifar100_resnet19.toml")),
    ("cifar100_resnet18", include_str!("../config/full-scale/cifar100_resnet18.toml")),
    ("cifar100_vgg14", include_str!("../config/full-scale/cifar100_vgg14.toml")),
    ("cifar10dvs_resnet18", include_str!("../config/full-scale/cifar10dvs_resnet18.toml")),
    ("ncaltech101_resnet18", include_str!("../config/full-scale/ncaltech101_resnet18.toml")),
    ("cifar10dvs_vgg9_event", include_str!("../config/full-scale/cifar10dvs_vgg9_event.toml")),
    ("dvsgesture_event", include_str!("../config/full-scale/dvsgesture_event.toml")),
    ("nmnist_3c1fc_event", include_str!("../config/full-scale/nmnist_3c1fc_event.toml")),
    ("imagenet_unverified", include_str!("../config/full-scale/imagenet_unverified.toml")),
];

/// Reads a full-scale configuration.
///
/// # Errors
/// [`Error::Unknown`] for another name, [`Error::Config`] for a key that does not fit.
pub fn read(name: &str) -> Result<PaperConfig> {
    let Some((_, text)) = CONFIGS.iter().find(|(n, _)| *n == name) else {
        let hint = format!("configurations are {}", CONFIGS.map(|(n, _)| n).join(", "));
        return Err(Error::Unknown { kind: "full-scale configuration", name: name.into(), hint });
    };
    let bad = |found: String| Error::Config { key: name.into(), expected: "a TOML table".into(), found };
    let value: serde_json::Map<String, serde_json::Value> = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
    PaperConfig::read(&Config::new(value.into()))
}
