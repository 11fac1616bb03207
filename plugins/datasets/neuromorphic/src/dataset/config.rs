//! What the configuration of these data sets may say.

use crate::framing::Framing;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use zoo_core::{Config, Error, Result};

/// `{"limit", "offset", "frames": {...}, "saccade": {...}, "sums": {...}}`, each optional.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ItemConfig {
    limit: Option<usize>,
    #[serde(default)]
    offset: usize,
    /// Present: items are frames and not events.
    pub(super) frames: Option<Framing>,
    /// Only for `saccade-mnist`.
    pub(super) saccade: Option<SaccadeConfig>,
    /// Only for `nmnist-small`: SHA-256 of a split, its list and then its recordings in the list's order. The registry
    /// states them here, since a data set of 1,100 loose files is easier vouched for by one sum a split than by 1,100.
    #[serde(default)]
    pub(super) sums: BTreeMap<String, String>,
}

/// Sizes of the splits of `saccade-mnist` and its noise.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SaccadeConfig {
    /// Training items: the first of MNIST's training split.
    pub(super) train: usize,
    /// Validation items: those that follow in MNIST's training split.
    pub(super) val: usize,
    /// Test items: the first of MNIST's test split.
    pub(super) test: usize,
    /// Noise events for each event of the digit.
    pub(super) noise: f64,
}

impl Default for SaccadeConfig {
    fn default() -> Self {
        Self { train: 5_000, val: 500, test: 1_000, noise: 0.0 }
    }
}

impl ItemConfig {
    pub(super) fn parse(config: &Config) -> Result<Self> {
        let this: Self = config.parse()?;
        if let Some(framing) = &this.frames {
            framing.check()?;
        }
        if let Some(saccade) = this.saccade.filter(|s| !(0.0..=10.0).contains(&s.noise)) {
            return Err(Error::Config { key: "saccade.noise".into(), expected: "0 to 10".into(), found: saccade.noise.to_string() });
        }
        Ok(this)
    }

    /// Items of a split of `len` that the data set holds.
    pub(super) fn window(&self, len: usize) -> Result<Range<usize>> {
        let fail = |key: &str, expected: String, found: usize| Err(Error::Config { key: key.into(), expected, found: found.to_string() });
        if self.limit == Some(0) {
            return fail("limit", "at least 1".into(), 0);
        }
        if self.offset > 0 && self.offset >= len {
            return fail("offset", format!("less than the {len} items of the split"), self.offset);
        }
        Ok(self.offset..self.limit.map_or(len, |n| self.offset.saturating_add(n).min(len)))
    }

    /// Refuses the key that only `nmnist-small` has.
    pub(super) fn no_sums(&self) -> Result<()> {
        if self.sums.is_empty() {
            return Ok(());
        }
        Err(Error::Config { key: "sums".into(), expected: "nothing for this data set".into(), found: format!("{:?}", self.sums) })
    }

    /// Refuses the keys that only `saccade-mnist` has.
    pub(super) fn no_saccade(&self) -> Result<()> {
        match &self.saccade {
            None => Ok(()),
            Some(s) => Err(Error::Config { key: "saccade".into(), expected: "nothing for this data set".into(), found: format!("{s:?}") }),
        }
    }
}
