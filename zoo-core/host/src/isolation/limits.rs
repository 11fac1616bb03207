//! How plugins are isolated, and what their processes may use.

use std::path::PathBuf;
use std::time::Duration;
use zoo_core::{Error, Result};

/// Variable that sets the memory of a plugin's process.
pub(super) const MEMORY: &str = "ZOO_PLUGIN_MEMORY";
/// Variable that sets how long a plugin's process may say nothing.
pub(super) const SECONDS: &str = "ZOO_PLUGIN_SECONDS";

/// How plugins are isolated: by which program and within which limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Isolation {
    /// A program that calls `serve` of this module, usually the one that runs.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What a plugin's process may use.
    pub limits: Limits,
}

/// What the process of an isolated plugin may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory it may write to: heap, stacks and private maps, beside what this program itself holds. What lies in the arenas, through which tensors cross,
    /// and in files that are only read does not count.
    pub memory: u64,
    /// How long a call may take without an answer or a call back to the host, such as a line of log or progress.
    pub silence: Duration,
}

impl Default for Limits {
    /// 8 GiB and 300 s.
    fn default() -> Self {
        Self { memory: 8 << 30, silence: Duration::from_secs(300) }
    }
}

impl Limits {
    /// The limits of `ZOO_PLUGIN_MEMORY` (`12GiB`, `800MiB`) and `ZOO_PLUGIN_SECONDS`, where they are set.
    ///
    /// # Errors
    /// [`Error::Argument`] for a value of another form.
    pub fn from_env() -> Result<Self> {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let mut limits = Self::default();
        if let Some(text) = set(MEMORY) {
            let wrong = || Error::argument(MEMORY, "a size of at least 64MiB, such as 12GiB or 800MiB", &text);
            limits.memory = bytes(&text).filter(|&memory| memory >= 64 << 20).ok_or_else(wrong)?;
        }
        if let Some(text) = set(SECONDS) {
            let wrong = || Error::argument(SECONDS, "a whole number of seconds from 1 to a million", &text);
            limits.silence =
                text.parse().ok().filter(|seconds| (1..=1_000_000).contains(seconds)).map(Duration::from_secs).ok_or_else(wrong)?;
        }
        Ok(limits)
    }
}

fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = match (text.strip_suffix("GiB"), text.strip_suffix("MiB")) {
        (Some(number), _) => (number, 1 << 30),
        (_, Some(number)) => (number, 1 << 20),
        _ => return None,
    };
    number.trim().parse::<u64>().ok()?.checked_mul(unit)
}

/// A size in the form that the variable takes.
pub(super) fn bytes_text(bytes: u64) -> String {
    if bytes.is_multiple_of(1 << 30) { format!("{}GiB", bytes >> 30) } else { format!("{}MiB", bytes >> 20) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_written() {
        for (text, size) in [("12GiB", Some(12 << 30)), ("800MiB", Some(800 << 20)), ("8", None), ("-1GiB", None), ("99999999999GiB", None)]
        {
            assert_eq!(bytes(text), size, "{text}");
        }
        assert_eq!((bytes_text(8 << 30), bytes_text(100 << 20)), ("8GiB".into(), "100MiB".into()));
    }
}
