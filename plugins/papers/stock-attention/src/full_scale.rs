//! The paper's own scale as a configuration: the authors' Chinese posts, a 768-wide encoder, up to 100 posts a day. It is
//! described and checked by `dry-run`, not trained here: the posts have no licence and come without prices.

use crate::config::PaperConfig;
use zoo_core::{Config, Error, Result};

/// Name and text of every configuration.
pub const CONFIGS: [(&str, &str); 2] = [
    ("mman-posts-gated", include_str!("../config/full-scale/mman-posts-gated.toml")),
    ("mman-posts-cross", include_str!("../config/full-scale/mman-posts-cross.toml")),
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
