//! What may be known before a trading day. The only door through which features get at data.

use crate::calendar::Day;
use crate::posts::Post;
use crate::prices::Bar;

/// Trading days of prices in the features.
pub const PRICE_DAYS: usize = 10;
/// Numbers a trading day: `close / previous close - 1`, `high / close - 1`, `low / close - 1`,
/// `open / previous close - 1`, and the change of `ln(1 + volume)`.
pub const PRICE_FEATURES: usize = 5;
/// Calendar days of posts in the features; slot 0 is the oldest, the last one the day before.
pub const LAG_SLOTS: usize = 5;
/// Most posts of the lag window; the most recent are kept.
pub const MAX_POSTS: usize = 60;

/// Prices and posts of one stock, in the order of time.
#[derive(Clone, Debug)]
pub struct History {
    bars: Vec<Bar>,
    posts: Vec<Post>,
}

/// Features of one stock before one day.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// `[PRICE_DAYS][PRICE_FEATURES]`, oldest day first.
    pub price: [[f32; PRICE_FEATURES]; PRICE_DAYS],
    /// Positions of posts in [`History::posts`] with their slot, oldest first.
    pub posts: Vec<(usize, usize)>,
}

impl History {
    /// Sorts posts by the day they count for, then by time; bars must be in order already.
    pub fn new(bars: Vec<Bar>, mut posts: Vec<Post>) -> Self {
        posts.sort_by_key(|p| (p.day, p.at));
        Self { bars, posts }
    }

    /// The stock's trading days.
    pub fn bars(&self) -> &[Bar] {
        &self.bars
    }

    /// The stock's posts.
    pub fn posts(&self) -> &[Post] {
        &self.posts
    }

    /// Forgets everything dated `day` or later.
    pub fn truncate(&mut self, day: Day) {
        self.bars.truncate(self.bars.partition_point(|b| b.day < day));
        self.posts.truncate(self.posts.partition_point(|p| p.day < day));
    }

    /// Bars and posts dated before `day`: nothing else is handed to [`Self::features`].
    fn before(&self, day: Day) -> (&[Bar], &[Post]) {
        let bars = &self.bars[..self.bars.partition_point(|b| b.day < day)];
        (bars, &self.posts[..self.posts.partition_point(|p| p.day < day)])
    }

    /// Features of `day`; `None` without [`PRICE_DAYS`] trading days and one more before it.
    ///
    /// The lag window is the `LAG_SLOTS` calendar days that end the day before, so a post counts from the day after it
    /// was written: no post of the day itself is used, whatever its hour.
    pub fn features(&self, day: Day) -> Option<Features> {
        let (bars, posts) = self.before(day);
        let recent = bars.get(bars.len().checked_sub(PRICE_DAYS + 1)?..)?;
        let mut price = [[0.0; PRICE_FEATURES]; PRICE_DAYS];
        for (row, pair) in price.iter_mut().zip(recent.windows(2)) {
            *row = change(&pair[0], &pair[1]);
        }
        let first = day.0.saturating_sub(LAG_SLOTS as i32);
        let start = posts.partition_point(|p| p.day.0 < first).max(posts.len().saturating_sub(MAX_POSTS));
        let posts = posts.iter().enumerate().skip(start).map(|(at, p)| (at, (p.day.0 - first) as usize)).collect();
        Some(Features { price, posts })
    }

    /// How the stock moved on `day`: adjusted close over the adjusted close before, less 1, and close over open, less 1.
    pub fn outcome(&self, day: Day) -> Option<[f32; 2]> {
        let at = self.bars.binary_search_by_key(&day, |b| b.day).ok()?;
        let (last, bar) = (self.bars.get(at.checked_sub(1)?)?, self.bars.get(at)?);
        Some([(bar.adjusted / last.adjusted - 1.0) as f32, (bar.close / bar.open - 1.0) as f32])
    }
}

#[allow(clippy::cast_possible_truncation, reason = "features are f32")]
fn change(last: &Bar, bar: &Bar) -> [f32; PRICE_FEATURES] {
    [
        (bar.adjusted / last.adjusted - 1.0) as f32,
        (bar.high / bar.close - 1.0) as f32,
        (bar.low / bar.close - 1.0) as f32,
        (bar.open / last.close - 1.0) as f32,
        ((1.0 + bar.volume).ln() - (1.0 + last.volume).ln()) as f32,
    ]
}
