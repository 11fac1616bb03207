//! Reads the options this backend knows.

use crate::{MEND, NAME};
use std::path::PathBuf;
use std::time::Duration;
use zoo_core::{Error, Options, Result};

const KEYS: &str = "it has `url`, `model`, `version`, `tensors`, `tries`, `backoff-ms`, `deadline-s` and `ca`";

/// Options in the form the client needs.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Address without a slash at its end.
    pub(crate) url: String,
    /// Name of the model on the server.
    pub(crate) model: String,
    /// Version of the model.
    pub(crate) version: Option<String>,
    /// Whether tensors travel as bytes.
    pub(crate) binary: bool,
    /// Tries of a request.
    pub(crate) tries: u32,
    /// Pause before the second try.
    pub(crate) backoff: Duration,
    /// Time for a request with all its tries.
    pub(crate) deadline: Duration,
    /// Authority that signed the server's certificate.
    pub(crate) ca: Option<PathBuf>,
    /// Bearer token.
    pub(crate) token: Option<String>,
}

impl Settings {
    /// One short try, for a probe.
    pub(crate) fn once(self) -> Self {
        Self { tries: 1, deadline: Duration::from_secs(1), ..self }
    }
}

/// A part of an address: nothing that would end the path or start another.
fn is_segment(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) && !text.starts_with('.')
}

/// Checks and converts the options. Keys of other backends are skipped.
pub(crate) fn parse(options: &Options, model: &str) -> Result<Settings> {
    let mut url = std::env::var("ZOO_INFERENCE_SERVER").ok().filter(|url| !url.is_empty());
    let token = std::env::var("ZOO_INFERENCE_TOKEN").ok().filter(|token| !token.is_empty());
    let mut settings = Settings {
        url: String::new(),
        model: model.into(),
        version: None,
        binary: true,
        tries: 5,
        backoff: Duration::from_millis(100),
        deadline: Duration::from_secs(60),
        ca: None,
        token,
    };
    for (key, value) in &options.extra {
        let Some(own) = key.strip_prefix(NAME).and_then(|rest| rest.strip_prefix('.')) else { continue };
        let number = |low: u64, high: u64| {
            let number = value.parse().ok().filter(|n| (low..=high).contains(n));
            number.ok_or_else(|| Error::argument(format!("option `{key}`"), format!("a whole number from {low} to {high}"), value))
        };
        match own {
            "url" => url = Some(value.clone()),
            "model" => settings.model.clone_from(value),
            "version" => settings.version = Some(value.clone()),
            "tensors" if value == "binary" || value == "json" => settings.binary = value == "binary",
            "tensors" => return Err(Error::argument(format!("option `{key}`"), "binary or json", value)),
            "tries" => settings.tries = u32::try_from(number(1, 100)?).unwrap_or(1),
            "backoff-ms" => settings.backoff = Duration::from_millis(number(0, 60_000)?),
            "deadline-s" => settings.deadline = Duration::from_secs(number(1, 86_400)?),
            "ca" => settings.ca = Some(value.into()),
            _ => return Err(Error::Unknown { kind: "option", name: key.clone(), hint: KEYS.into() }),
        }
    }
    let url = url.ok_or_else(|| Error::Unavailable { what: NAME.into(), why: "no server is named".into(), mend: MEND.into() })?;
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(Error::argument("option `inference-server.url`", "an address that starts with http:// or https://", url));
    }
    for (what, text) in [("model", Some(&settings.model)), ("version", settings.version.as_ref())] {
        if let Some(text) = text.filter(|text| !is_segment(text)) {
            return Err(Error::argument(format!("option `{NAME}.{what}`"), "letters, digits, `-`, `_` and `.`", text));
        }
    }
    settings.url = url.trim_end_matches('/').to_owned();
    Ok(settings)
}
