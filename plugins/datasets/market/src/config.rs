//! Options of the data sets.

use crate::calendar::Day;
use serde::Deserialize;
use std::path::PathBuf;
use zoo_core::{Config, Error, Result};

/// Options of a data set; all have StockNet's values where they are left out.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct MarketConfig {
    /// First day of the samples.
    pub from: String,
    /// End of the training days (not included).
    pub train_until: String,
    /// End of the validation days (not included).
    pub val_until: String,
    /// End of the samples (not included).
    pub until: String,
    /// Everything dated this day or later is forgotten as it is read.
    pub cut: Option<String>,
    /// A move at or below this is down.
    pub down: f32,
    /// A move above this is up; what lies between has no label.
    pub up: f32,
    /// Folder of xlsx files (`mman-posts` only).
    pub folder: Option<PathBuf>,
    /// CSV of prices with a first column `Stock` (`mman-posts` only).
    pub prices: Option<PathBuf>,
}

impl Default for MarketConfig {
    fn default() -> Self {
        Self {
            from: "2014-01-01".into(),
            train_until: "2015-08-01".into(),
            val_until: "2015-10-01".into(),
            until: "2016-01-01".into(),
            cut: None,
            down: -0.005,
            up: 0.0055,
            folder: None,
            prices: None,
        }
    }
}

/// The days of a [`MarketConfig`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Periods {
    pub(crate) from: Day,
    pub(crate) train_until: Day,
    pub(crate) val_until: Day,
    pub(crate) until: Day,
    pub(crate) cut: Option<Day>,
}

impl MarketConfig {
    pub(crate) fn read(config: &Config) -> Result<Self> {
        let read: Self = config.parse()?;
        // NaN is not below anything.
        if read.down < read.up {
            Ok(read)
        } else {
            Err(Error::Config { key: "down".into(), expected: format!("less than `up`, {}", read.up), found: read.down.to_string() })
        }
    }

    pub(crate) fn periods(&self) -> Result<Periods> {
        let day = |key: &str, text: &str| {
            Day::parse(text).map_err(|_| Error::Config { key: key.into(), expected: "a day as YYYY-MM-DD".into(), found: text.into() })
        };
        let periods = Periods {
            from: day("from", &self.from)?,
            train_until: day("train-until", &self.train_until)?,
            val_until: day("val-until", &self.val_until)?,
            until: day("until", &self.until)?,
            cut: self.cut.as_deref().map(|text| day("cut", text)).transpose()?,
        };
        let order = [periods.from, periods.train_until, periods.val_until, periods.until];
        if order.is_sorted() {
            return Ok(periods);
        }
        let found = order.map(|d| d.to_string()).join(", ");
        Err(Error::Config { key: "from, train-until, val-until, until".into(), expected: "days in this order".into(), found })
    }

    /// 1 for up, 0 for down, -1 for a move too small to have a label.
    pub fn label(&self, movement: f32) -> i64 {
        if movement <= self.down {
            0
        } else if movement > self.up {
            1
        } else {
            -1
        }
    }
}
