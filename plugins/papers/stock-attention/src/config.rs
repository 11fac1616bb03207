//! The configuration files of this plugin, typed.

use serde::{Deserialize, Serialize};
use zoo_core::{Config, Error, Result};

/// How the two day sequences are joined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fusion {
    /// `f = s * g' + (1 - s) * r'` with a gate `s` a unit that sees both.
    #[default]
    Gated,
    /// Each side attends to the days of the other.
    CrossAttention,
}

/// Sizes of the head.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NetworkConfig {
    /// Width of a sentence embedding.
    pub embedding: usize,
    /// Width that embeddings are brought to.
    pub projection: usize,
    /// Units of both recurrent networks.
    pub hidden: usize,
    /// Units of the credibility network.
    pub credibility: usize,
    /// How the two sides are joined.
    #[serde(default)]
    pub fusion: Fusion,
    /// Share of units dropped while training.
    pub dropout: f32,
}

/// What a trained head sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ArmConfig {
    /// Prices.
    #[serde(default)]
    pub price: bool,
    /// Posts.
    #[serde(default)]
    pub text: bool,
    /// Credibility of posts; without it every post counts as fully credible.
    #[serde(default)]
    pub credibility: bool,
    /// Control: training labels are shuffled.
    #[serde(default)]
    pub shuffled: bool,
    /// Control: the label stands among the features.
    #[serde(default)]
    pub leak: bool,
}

/// Which question is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Whether the stock rose or fell.
    #[default]
    Movement,
    /// A rule planted into real posts and prices (bar B1).
    Planted,
}

/// Days of the parts; all ends are not included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SplitConfig {
    /// End of the training days, YYYY-MM-DD.
    pub train_until: String,
    /// End of the validation days.
    pub val_until: String,
    /// End of the test days.
    pub test_until: String,
}

/// How heads are trained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrainConfig {
    /// Passes over the training samples; the best one by validation is kept.
    pub epochs: u64,
    /// Samples an update.
    pub batch: usize,
    /// Learning rate of Adam.
    pub lr: f64,
    /// L2 penalty, added to the gradient.
    pub weight_decay: f64,
}

/// What the claims are measured with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClaimsConfig {
    /// Seeds of the counted runs.
    pub seeds: Vec<u64>,
    /// The registered model with the planted rule.
    pub planted: String,
    /// Registered models of the later months of the walk forward, each trained on what came before its month.
    pub walk: Vec<String>,
    /// The data set cut short, and the day it is cut at.
    pub cut: CutConfig,
}

/// A data set that forgets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CutConfig {
    /// The whole data set that the cut one is compared with.
    pub whole: String,
    /// Registered name of the cut one.
    pub dataset: String,
    /// The first day that it does not know.
    pub day: String,
}

/// A whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PaperConfig {
    /// Data set name in the registry.
    pub dataset: String,
    /// Registered model that embeds the posts.
    pub encoder: String,
    /// The question.
    #[serde(default)]
    pub target: Target,
    /// Sizes.
    pub network: NetworkConfig,
    /// Days of the parts.
    pub split: SplitConfig,
    /// Training.
    pub train: TrainConfig,
    /// Names of what is trained side by side; the first one is evaluated and exported.
    pub arms: std::collections::BTreeMap<String, ArmConfig>,
    /// The arm that is evaluated and exported.
    pub main: String,
    /// Counted runs; absent where the configuration makes no claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<ClaimsConfig>,
    /// How much work training may be; both budgets are the same here.
    #[serde(default, skip_serializing)]
    pub budget: Option<String>,
}

impl PaperConfig {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key.
    pub fn read(config: &Config) -> Result<Self> {
        let read: Self = config.parse()?;
        let n = &read.network;
        let fail = |key: &str, expected: &str, found: String| Err(Error::Config { key: key.into(), expected: expected.into(), found });
        const WIDEST: usize = 4096;
        let sizes = [n.embedding, n.projection, n.hidden, n.credibility];
        if sizes.iter().any(|s| !(1..=WIDEST).contains(s)) {
            return fail("network", "sizes from 1 to 4096", format!("{sizes:?}"));
        }
        if !(0.0..1.0).contains(&n.dropout) {
            return fail("network.dropout", "a share from 0 to less than 1", n.dropout.to_string());
        }
        if let Some((name, _)) = read.arms.iter().find(|(name, a)| !(a.text || a.price && !a.credibility) || name.contains('.')) {
            return fail(
                &format!("arms.{name}"),
                "prices, posts or both (credibility is that of posts), and a name without dots",
                "neither".into(),
            );
        }
        if !read.arms.contains_key(&read.main) {
            return fail("main", "the name of an arm", read.main);
        }
        if read.train.batch == 0 || read.train.epochs == 0 {
            return fail("train", "at least one epoch and one sample a batch", "0".into());
        }
        read.days()?;
        Ok(read)
    }

    /// Ends of training, validation and test, in days since 1970.
    ///
    /// # Errors
    /// [`Error::Config`] for a date that is none, or dates out of order.
    pub fn days(&self) -> Result<[i64; 3]> {
        let s = &self.split;
        let mut days = [0; 3];
        for (day, (key, text)) in
            days.iter_mut().zip([("train-until", &s.train_until), ("val-until", &s.val_until), ("test-until", &s.test_until)])
        {
            *day = parse_day(text).ok_or_else(|| Error::Config {
                key: format!("split.{key}"),
                expected: "a day as YYYY-MM-DD".into(),
                found: text.clone(),
            })?;
        }
        if days.is_sorted() {
            return Ok(days);
        }
        Err(Error::Config {
            key: "split".into(),
            expected: "days in order".into(),
            found: format!("{}, {}, {}", s.train_until, s.val_until, s.test_until),
        })
    }

    /// An arm by name.
    ///
    /// # Errors
    /// [`Error::Unknown`] listing the arms there are.
    pub fn arm(&self, name: &str) -> Result<ArmConfig> {
        self.arms.get(name).copied().ok_or_else(|| Error::Unknown {
            kind: "arm",
            name: name.into(),
            hint: format!("arms are {}", self.arms.keys().cloned().collect::<Vec<_>>().join(", ")),
        })
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar.
pub fn parse_day(text: &str) -> Option<i64> {
    let mut parts = text.split('-').map(|p| p.parse::<i64>().ok().filter(|_| p.bytes().all(|b| b.is_ascii_digit())));
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(1..=9999).contains(&year) {
        return None;
    }
    // Days of the months since March, so that the leap day comes last.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * m + 2) / 5 + day - 1;
    Some(365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + day_of_year - 719_468)
}

/// The first day after the month of a date.
pub fn end_of_month(text: &str) -> Option<i64> {
    parse_day(text)?;
    let (year, rest) = text.split_once('-')?;
    let (year, month): (i64, i64) = (year.parse().ok()?, rest.split('-').next()?.parse().ok()?);
    let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    parse_day(&format!("{year}-{month}-1"))
}

#[cfg(test)]
mod tests {
    use super::{end_of_month, parse_day};

    #[test]
    fn months_end_where_the_next_begins() {
        for (date, next) in [("2015-10-01", "2015-11-01"), ("2015-12-31", "2016-01-01"), ("2016-02-10", "2016-03-01")] {
            assert_eq!(end_of_month(date), parse_day(next), "{date}");
        }
        assert_eq!(end_of_month("2015-13-01"), None);
    }

    /// date -u -d DATE +%s, over 86400
    #[test]
    fn days_count_from_1970() {
        for (text, day) in [("1970-01-01", 0), ("2015-10-01", 16_709), ("2016-02-29", 16_860), ("2000-03-01", 11_017), ("1969-12-31", -1)] {
            assert_eq!(parse_day(text), Some(day), "{text}");
        }
        for wrong in ["", "2015", "2015-13-01", "2015-1-1-1", "x-1-1", "2015-+1-01"] {
            assert_eq!(parse_day(wrong), None, "{wrong}");
        }
    }
}
