//! All stocks of a data set in memory: a few tens of megabytes at most.

use crate::calendar::Day;
use crate::config::{MarketConfig, Periods};
use crate::error::bad;
use crate::history::History;
use crate::posts::read_posts;
use crate::prices::read_prices;
use crate::xlsx;
use zoo_core::{DataFiles, Error, Result};

const PRICE: (&str, &str) = ("price/", ".csv");
/// Days that posts may run ahead of the last price: weekends, and the longest holidays of an exchange.
const LONGEST_BREAK: i32 = 10;
const TWEETS: (&str, &str) = ("tweets/", ".jsonl.gz");

/// Prices and posts of every stock of a data set, by ticker.
#[derive(Clone, Debug)]
pub struct MarketData {
    pub(crate) stocks: Vec<(String, History)>,
    /// Position of each stock's first post in the list of all posts; one more entry than there are stocks.
    pub(crate) first_post: Vec<usize>,
    pub(crate) periods: Periods,
    pub(crate) config: MarketConfig,
}

impl MarketData {
    /// Reads the compact copy of StockNet: a price file for each stock, and a file of posts where there is one.
    ///
    /// # Errors
    /// [`Error::Config`] for options that do not fit, [`Error::Data`] as the readers find, or for posts of a stock without
    /// prices, or posts later than the stock's last price.
    pub fn stocknet(files: &DataFiles, config: MarketConfig) -> Result<Self> {
        let mut stocks = Vec::new();
        for (name, path) in &files.0 {
            let Some(ticker) = name.strip_prefix(PRICE.0).and_then(|n| n.strip_suffix(PRICE.1)) else { continue };
            let bars = read_prices(path)?;
            let posts = match files.0.get(&format!("{}{ticker}{}", TWEETS.0, TWEETS.1)) {
                None => Vec::new(),
                Some(tweets) => {
                    let posts = read_posts(tweets)?;
                    let last = bars.last().map(|b| b.day);
                    if let Some((at, post)) =
                        posts.iter().enumerate().find(|(_, p)| last.is_none_or(|last| p.day.0 > last.0.saturating_add(LONGEST_BREAK)))
                    {
                        let end = last.map_or_else(|| "no price".into(), |d| d.to_string());
                        let expected = format!("posts within {LONGEST_BREAK} days after the last price ({end}) of {}", path.display());
                        return Err(bad(
                            tweets,
                            format!("line {}", at + 1),
                            expected,
                            format!("a post dated in the future, {}", post.day),
                            "add the prices, or remove the post",
                        ));
                    }
                    posts
                }
            };
            stocks.push((ticker.to_owned(), History::new(bars, posts)));
        }
        let orphan = files.0.iter().find(|(name, _)| {
            let ticker = name.strip_prefix(TWEETS.0).and_then(|n| n.strip_suffix(TWEETS.1));
            ticker.is_some_and(|t| !files.0.contains_key(&format!("{}{t}{}", PRICE.0, PRICE.1)))
        });
        if let Some((name, path)) = orphan {
            return Err(bad(
                path,
                "the data set's files",
                format!("a price file beside {name}"),
                "none",
                "list the price file in the registry",
            ));
        }
        Self::new(stocks, config)
    }

    /// Reads a folder of the authors' xlsx files and a CSV of prices, both named in the configuration.
    ///
    /// # Errors
    /// [`Error::Config`] if either is not named, else as the readers find.
    pub fn mman(config: MarketConfig) -> Result<Self> {
        let need = |key: &str, path: &Option<std::path::PathBuf>| {
            path.clone().ok_or_else(|| Error::Config {
                key: key.into(),
                expected: "a path (the authors' data hold no prices and have no licence, so both are yours to provide)".into(),
                found: "nothing".into(),
            })
        };
        let folder = need("folder", &config.folder)?;
        let prices = need("prices", &config.prices)?;
        let stocks = xlsx::join(xlsx::read_folder(&folder)?, &prices)?;
        Self::new(stocks, config)
    }

    fn new(mut stocks: Vec<(String, History)>, config: MarketConfig) -> Result<Self> {
        let periods = config.periods()?;
        if let Some(cut) = periods.cut {
            stocks.iter_mut().for_each(|(_, history)| history.truncate(cut));
        }
        stocks.sort_by(|a, b| a.0.cmp(&b.0));
        let mut first_post = vec![0];
        for (_, history) in &stocks {
            first_post.push(first_post[first_post.len() - 1] + history.posts().len());
        }
        Ok(Self { stocks, first_post, periods, config })
    }

    /// Tickers with their histories, in alphabetical order.
    pub fn stocks(&self) -> &[(String, History)] {
        &self.stocks
    }

    /// The day after everything that is known: the cut, or the day after the last price of any stock.
    pub fn next_day(&self) -> Day {
        let last = self.stocks.iter().filter_map(|(_, h)| h.bars().last()).map(|b| b.day.0).max();
        self.periods.cut.unwrap_or(Day(last.map_or(0, |d| d.saturating_add(1))))
    }
}
