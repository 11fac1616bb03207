//! The paper's own networks and settings as configurations (specification section 9). They are described and checked by
//! `dry-run`, not trained here.

use crate::config::PaperConfig;
use zoo_core::{Config, Error, Result};

/// Name and text of every configuration.
pub const CONFIGS: [(&str, &str); 11] = [
    ("dvscifar10-vggsnn", include_str!("../config/full-scale/dvscifar10-vggsnn.toml")),
    ("dvscifar10-vggsnn-woap", include_str!("../config/full-scale/dvscifar10-vggsnn-woap.toml")),
    ("cifar10-resnet19-T2", include_str!("../config/full-scale/cifar10-resnet19-T2.toml")),
    ("cifar10-resnet19-T4", include_str!("../config/full-scale/cifar10-resnet19-T4.toml")),
    ("cifar10-resnet19-T6", include_str!("../config/full-scale/cifar10-resnet19-T6.toml")),
    ("cifar100-resnet19-T2", include_str!("../config/full-scale/cifar100-resnet19-T2.toml")),
    ("cifar100-resnet19-T4", include_str!("../config/full-scale/cifar100-resnet19-T4.toml")),
    ("cifar100-resnet19-T6", include_str!("../config/full-scale/cifar100-resnet19-T6.toml")),
    ("imagenet-spiking-resnet34-T6", include_str!("../config/full-scale/imagenet-spiking-resnet34-T6.toml")),
    ("imagenet-sew-resnet34-T4", include_str!("../config/full-scale/imagenet-sew-resnet34-T4.toml")),
    ("tit-cifar100-2to6", include_str!("../config/full-scale/tit-cifar100-2to6.toml")),
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
