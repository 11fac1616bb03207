//! Where the cache is, and whether the network may be used.

use crate::error::{Error, Result};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Variable that moves the cache.
pub(super) const CACHE: &str = "ZOO_CACHE";
/// Variable that names the folder of local data.
pub(super) const DATA: &str = "ZOO_DATA";
/// Variable that moves the hub's cache.
pub(super) const HUB_CACHE: &str = "HF_HUB_CACHE";

const PUBLIC_HUB: &str = "https://huggingface.co";
/// That of the hub's own client.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How to fetch. [`FetchOptions::from_env`] is the usual start.
#[derive(Clone)]
pub struct FetchOptions {
    /// Root of the cache.
    pub cache: PathBuf,
    /// Folder of local data, if there is one.
    pub data: Option<PathBuf>,
    /// Cache in the layout of `huggingface_hub`, if there is a place for one.
    pub hub_cache: Option<PathBuf>,
    /// Address of the hub.
    pub hub_endpoint: String,
    /// Token for repositories that are not public.
    pub hub_token: Option<Token>,
    /// How long to wait for the hub to connect, to answer and to send more.
    pub timeout: Duration,
    /// Whether the network must not be used.
    pub offline: bool,
    /// Whether cached files are read and summed again although they were verified before.
    pub full_check: bool,
}

/// A secret. It has no textual form, so that no log can hold it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    pub(crate) fn secret(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(...)")
    }
}

impl std::fmt::Debug for FetchOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FetchOptions")
            .field("cache", &self.cache)
            .field("data", &self.data)
            .field("hub_cache", &self.hub_cache)
            .field("hub_endpoint", &self.hub_endpoint)
            .field("hub_token", &self.hub_token)
            .field("timeout", &self.timeout)
            .field("offline", &self.offline)
            .field("full_check", &self.full_check)
            .finish()
    }
}

impl FetchOptions {
    /// From the environment: `ZOO_CACHE` (default `~/.cache/zoo`), `ZOO_DATA` (default `~/.local/share/zoo/data`),
    /// `ZOO_OFFLINE`, and the hub's own `HF_HOME`, `HF_HUB_CACHE`, `HF_ENDPOINT`, `HF_TOKEN` (else the file `HF_TOKEN_PATH`,
    /// `HF_HOME/token` if absent, where `hf auth login` leaves one), `HF_HUB_OFFLINE` and `HF_HUB_DOWNLOAD_TIMEOUT` (whole seconds,
    /// 10 if absent).
    ///
    /// # Errors
    /// [`Error::NoHome`] if a default is needed and there is no home folder.
    pub fn from_env() -> Result<Self> {
        Self::from_vars(|name| std::env::var_os(name))
    }

    /// As [`FetchOptions::from_env`], with variables from anywhere.
    ///
    /// # Errors
    /// As [`FetchOptions::from_env`].
    pub fn from_vars(var: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let set = |name: &str| var(name).filter(|value| !value.is_empty());
        let path = |name: &str| set(name).map(PathBuf::from);
        let text = |name: &str| set(name).and_then(|value| value.into_string().ok());
        let on = |name: &str| text(name).is_some_and(|v| matches!(v.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on"));
        let home = path("HOME").or_else(|| path("USERPROFILE"));
        let cache_home = path("XDG_CACHE_HOME").or_else(|| home.as_ref().map(|h| h.join(".cache")));
        let cache = path(CACHE)
            .or_else(|| home.as_ref().map(|h| h.join(".cache/zoo")))
            .ok_or(Error::NoHome { what: "the cache", variable: CACHE })?;
        let seconds = text("HF_HUB_DOWNLOAD_TIMEOUT").and_then(|s| s.trim().parse().ok());
        let hub_home = path("HF_HOME").or_else(|| cache_home.map(|c| c.join("huggingface")));
        let token_file = path("HF_TOKEN_PATH").or_else(|| hub_home.as_ref().map(|h| h.join("token")));
        let token = text("HF_TOKEN").or_else(|| std::fs::read_to_string(token_file?).ok());
        Ok(Self {
            cache,
            data: path(DATA).or_else(|| home.map(|h| h.join(".local/share/zoo/data"))),
            hub_cache: path(HUB_CACHE).or_else(|| path("HUGGINGFACE_HUB_CACHE")).or_else(|| hub_home.map(|h| h.join("hub"))),
            hub_endpoint: text("HF_ENDPOINT").map_or_else(|| PUBLIC_HUB.into(), |e| e.trim_end_matches('/').to_owned()),
            hub_token: token.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).map(Token::new),
            timeout: seconds.filter(|&s| s > 0).map_or(TIMEOUT, Duration::from_secs),
            offline: on("ZOO_OFFLINE") || on("HF_HUB_OFFLINE"),
            full_check: false,
        })
    }

    /// Turns offline mode on if `offline`; it stays on if the environment turned it on.
    #[must_use]
    pub fn offline(mut self, offline: bool) -> Self {
        self.offline |= offline;
        self
    }

    /// Whether cached files are read and summed again although they were verified before.
    #[must_use]
    pub fn full_check(mut self, full_check: bool) -> Self {
        self.full_check = full_check;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(vars: &[(&str, &str)]) -> Result<FetchOptions> {
        FetchOptions::from_vars(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into()))
    }

    #[test]
    fn defaults_and_overrides() {
        let plain = options(&[("HOME", "/h")]).unwrap();
        assert_eq!(plain.cache, PathBuf::from("/h/.cache/zoo"));
        assert_eq!(plain.data, Some("/h/.local/share/zoo/data".into()));
        assert_eq!(plain.hub_cache, Some("/h/.cache/huggingface/hub".into()));
        assert!(!plain.offline && plain.offline(true).offline);
        assert_eq!(options(&[("HOME", "/h"), ("HF_HOME", "/f")]).unwrap().hub_cache, Some("/f/hub".into()));
        assert_eq!(options(&[("HOME", "/h"), ("HF_HOME", "/f"), ("HF_HUB_CACHE", "/c")]).unwrap().hub_cache, Some("/c".into()));
        assert!(options(&[("HOME", "/h"), ("HF_HUB_OFFLINE", "True")]).unwrap().offline);
        assert!(!options(&[("HOME", "/h"), ("ZOO_OFFLINE", "0")]).unwrap().offline);
        assert_eq!(options(&[("HOME", "/h")]).unwrap().timeout.as_secs(), 10);
        assert_eq!(options(&[("HOME", "/h"), ("HF_HUB_DOWNLOAD_TIMEOUT", "3")]).unwrap().timeout.as_secs(), 3);
    }

    #[test]
    fn a_stored_token_is_found_and_the_variable_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let (home, file) = (folder.path().to_str().unwrap(), folder.path().join("token"));
        let token = |vars: &[(&str, &str)]| options(&[&[("HOME", "/h"), ("HF_HOME", home)], vars].concat()).unwrap().hub_token;
        assert_eq!(token(&[]), None);
        std::fs::write(&file, "hf_stored\n").unwrap();
        assert_eq!(token(&[]), Some(Token::new("hf_stored")));
        assert_eq!(token(&[("HF_TOKEN", "hf_set")]), Some(Token::new("hf_set")));
        assert_eq!(token(&[("HF_TOKEN_PATH", "/nonexistent/token")]), None);
        std::fs::write(&file, "\n").unwrap();
        assert_eq!(token(&[]), None);
    }

    #[test]
    fn no_home_says_what_to_set() {
        let error = options(&[]).unwrap_err().to_string();
        assert_eq!(error, "no home folder: HOME is not set, so the cache has no default place; set ZOO_CACHE to a folder");
        assert!(options(&[("ZOO_CACHE", "/c")]).unwrap().hub_cache.is_none());
    }

    #[test]
    fn the_token_has_no_textual_form() {
        let options = options(&[("HOME", "/h"), ("HF_TOKEN", "hf_secret")]).unwrap();
        assert_eq!(options.hub_token, Some(Token::new("hf_secret")));
        assert!(!format!("{options:?}").contains("secret"));
    }
}
