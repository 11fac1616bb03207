//! Reads the options this backend knows.

use crate::{MEND, NAME};
use std::path::Path;
use std::time::Duration;
use ureq::tls::{PemItem, parse_pem};
use zoo_core::{Error, Options, Result};

const KEYS: &str = "it has `url`, `model`, `version`, `tensors`, `tries`, `backoff-ms`, `deadline-s` and `ca`";

/// How the server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// `http://` or `https://`.
    Http,
    /// `grpc://` or `grpcs://`.
    Grpc { tls: bool },
}

impl Scheme {
    fn of(url: &str) -> Option<Self> {
        match url.split_once("://")?.0 {
            "http" | "https" => Some(Self::Http),
            "grpc" => Some(Self::Grpc { tls: false }),
            "grpcs" => Some(Self::Grpc { tls: true }),
            _ => None,
        }
    }
}

/// Options in the form the client needs.
#[derive(Clone)]
pub(crate) struct Settings {
    /// What the address begins with.
    pub(crate) scheme: Scheme,
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
    /// Certificates, in PEM, of the authorities that may have signed the server's.
    pub(crate) ca: Option<Vec<u8>>,
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
        scheme: Scheme::Http,
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
            "ca" => settings.ca = Some(authorities(Path::new(value))?),
            _ => return Err(Error::Unknown { kind: "option", name: key.clone(), hint: KEYS.into() }),
        }
    }
    let url = url.ok_or_else(|| Error::Unavailable { what: NAME.into(), why: "no server is named".into(), mend: MEND.into() })?;
    let known = "an address that starts with http://, https://, grpc:// or grpcs://";
    settings.scheme = Scheme::of(&url).ok_or_else(|| Error::argument("option `inference-server.url`", known, &url))?;
    if settings.scheme != Scheme::Http && !settings.binary {
        return Err(Error::argument("option `inference-server.tensors`", "binary (over gRPC tensors travel as bytes)", "json"));
    }
    for (what, text) in [("model", Some(&settings.model)), ("version", settings.version.as_ref())] {
        if let Some(text) = text.filter(|text| !is_segment(text)) {
            return Err(Error::argument(format!("option `{NAME}.{what}`"), "letters, digits, `-`, `_` and `.`", text));
        }
    }
    settings.url = url.trim_end_matches('/').to_owned();
    Ok(settings)
}

/// The bytes of a file with at least one certificate.
fn authorities(path: &Path) -> Result<Vec<u8>> {
    let pem = std::fs::read(path).map_err(Error::io(path))?;
    if parse_pem(&pem).any(|item| matches!(item, Ok(PemItem::Certificate(_)))) {
        return Ok(pem);
    }
    Err(Error::argument(format!("authority {}", path.display()), "a certificate in PEM", "none"))
}
