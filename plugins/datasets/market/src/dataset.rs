//! Splits over [`MarketData`].

use crate::calendar::Day;
use crate::data::MarketData;
use crate::history::{MAX_POSTS, PRICE_DAYS, PRICE_FEATURES};
use zoo_core::{Dataset, DatasetInfo, Error, Result, Tensor};

/// What the items of a split are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Posts,
    Prices,
    Samples,
}

/// One split.
pub(crate) struct Split {
    pub(crate) info: DatasetInfo,
    pub(crate) name: String,
    kind: Kind,
    data: MarketData,
    /// Stock, and its bar or its post by position; samples hold the day instead.
    items: Vec<(u32, i32)>,
}

impl Split {
    /// Opens a split. Which days `train`, `val` and `test` hold is StockNet's convention: a label, and at least one post
    /// in the lag window.
    pub(crate) fn open(info: DatasetInfo, split: &str, data: MarketData) -> Result<Self> {
        let p = data.periods;
        let (kind, days) = match split {
            "posts" => (Kind::Posts, None),
            "prices" => (Kind::Prices, None),
            "days" => (Kind::Samples, Some((p.from, p.until, false))),
            "train" => (Kind::Samples, Some((p.from, p.train_until, true))),
            "val" => (Kind::Samples, Some((p.train_until, p.val_until, true))),
            "test" => (Kind::Samples, Some((p.val_until, p.until, true))),
            "next" => (Kind::Samples, None),
            other => {
                let hint = "splits are posts, prices, days, train, val, test and next".into();
                return Err(Error::Unknown { kind: "split", name: other.into(), hint });
            }
        };
        let mut items = Vec::new();
        for (stock, (_, history)) in data.stocks.iter().enumerate() {
            let stock = stock as u32;
            match (kind, days) {
                (Kind::Posts, _) => items.extend((0..history.posts().len()).map(|at| (stock, at as i32))),
                (Kind::Prices, _) => items.extend((0..history.bars().len()).map(|at| (stock, at as i32))),
                (Kind::Samples, None) => {
                    let day = data.next_day();
                    items.extend(history.features(day).map(|_| (stock, day.0)));
                }
                (Kind::Samples, Some((from, until, labelled))) => {
                    let bars = history.bars().iter().filter(|b| b.day >= from && b.day < until);
                    let fits = |day: Day| {
                        let features = history.features(day)?;
                        let [movement, _] = history.outcome(day)?;
                        (!labelled || (data.config.label(movement) >= 0 && !features.posts.is_empty())).then_some((stock, day.0))
                    };
                    items.extend(bars.filter_map(|b| fits(b.day)));
                }
            }
        }
        if kind == Kind::Samples {
            // By day, so that a shard or a limit is a stretch of time.
            items.sort_by_key(|&(stock, day)| (day, stock));
        }
        Ok(Self { info, name: split.into(), kind, data, items })
    }

    fn sample(&self, stock: usize, day: Day) -> Result<Vec<Tensor>> {
        let (_, history) = &self.data.stocks[stock];
        let features = history.features(day).ok_or_else(|| Error::argument("sample", "a day with a history", day))?;
        let first = self.data.first_post[stock];
        let mut posts = [-1i64; MAX_POSTS];
        let mut slots = [-1i64; MAX_POSTS];
        for (i, &(at, slot)) in features.posts.iter().enumerate() {
            (posts[i], slots[i]) = ((first + at) as i64, slot as i64);
        }
        let [movement, intraday] = history.outcome(day).unwrap_or([f32::NAN; 2]);
        let price = features.price.concat();
        Ok(vec![
            Tensor::scalar(stock as i64),
            Tensor::scalar(i64::from(day.0)),
            Tensor::from_vec([PRICE_DAYS, PRICE_FEATURES], price)?,
            Tensor::from_vec([MAX_POSTS], posts.to_vec())?,
            Tensor::from_vec([MAX_POSTS], slots.to_vec())?,
            Tensor::scalar(movement),
            Tensor::scalar(intraday),
            Tensor::scalar(self.data.config.label(movement)),
        ])
    }
}

impl Dataset for Split {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn split(&self) -> &str {
        &self.name
    }

    fn len(&self) -> usize {
        self.items.len()
    }

    fn get(&self, index: usize) -> Result<Vec<Tensor>> {
        let &(stock, at) =
            self.items.get(index).ok_or_else(|| Error::argument("index of an item", format!("less than {}", self.len()), index))?;
        let (ticker, history) = &self.data.stocks[stock as usize];
        let id = Tensor::scalar(i64::from(stock));
        match self.kind {
            Kind::Samples => self.sample(stock as usize, Day(at)),
            Kind::Posts => {
                let post = &history.posts()[at as usize];
                Ok(vec![
                    id,
                    Tensor::scalar(i64::from(post.day.0)),
                    Tensor::scalar(post.at),
                    Tensor::scalar(i64::try_from(post.user).unwrap_or(i64::MAX)),
                    Tensor::from_vec([post.profile.len()], post.profile.to_vec())?,
                    Tensor::from_vec([post.text.len()], post.text.clone().into_bytes())?,
                ])
            }
            Kind::Prices => {
                let b = &history.bars()[at as usize];
                Ok(vec![
                    id,
                    Tensor::scalar(i64::from(b.day.0)),
                    Tensor::from_vec([6], vec![b.open, b.high, b.low, b.close, b.adjusted, b.volume])?,
                    Tensor::from_vec([ticker.len()], ticker.clone().into_bytes())?,
                ])
            }
        }
    }
}
