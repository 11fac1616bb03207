//! A1: nothing looks ahead, on the real files.

use super::outcome;
use crate::config::{CutConfig, parse_day};
use crate::study::{Corpus, Sample};
use serde::Serialize;
use serde_json::json;
use zoo_core::{ClaimOutcome, Error, Result, Workbench};

/// Seconds of a day.
const DAY: i64 = 86_400;

/// What the audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// The day that was predicted with and without the future.
    pub day: String,
    /// Stocks compared.
    pub stocks: usize,
    /// Posts compared, with the credibility of each.
    pub posts: usize,
    /// Stocks whose features differ.
    pub differing: Vec<u32>,
    /// Uses of a post on a day, in the whole data set.
    pub uses: usize,
    /// Uses of a post that was written or filed on the day or later.
    pub late: usize,
}

impl Audit {
    /// The bar.
    pub fn outcome(&self) -> ClaimOutcome {
        let holds = self.differing.is_empty() && self.late == 0 && self.stocks > 0 && self.uses > 0;
        outcome("a1", (self.differing.len() + self.late) as f64, holds, json!(self))
    }
}

/// Compares the features of one day as the whole data set gives them with those of a data set that was cut before it, bit
/// for bit: prices, posts, their texts, and the credibility with its track record. Then looks at the date of every post
/// that any day uses.
///
/// # Errors
/// Whatever opening and reading find.
pub fn audit(cut: &CutConfig, bench: &mut dyn Workbench) -> Result<Audit> {
    let day = parse_day(&cut.day).ok_or_else(|| Error::Config {
        key: "claims.cut.day".into(),
        expected: "a day as YYYY-MM-DD".into(),
        found: cut.day.clone(),
    })?;
    let whole = Corpus::read(&cut.whole, "days", bench)?;
    let past = Corpus::read(&cut.dataset, "next", bench)?;
    let mut found = Audit { day: cut.day.clone(), ..Audit::default() };
    for sample in whole.samples.iter().filter(|s| s.day == day) {
        found.stocks += 1;
        found.posts += sample.posts.len();
        let other = past.samples.iter().find(|s| s.stock == sample.stock && s.day == day);
        if !other.is_some_and(|other| same(sample, &whole, other, &past)) {
            found.differing.push(sample.stock);
        }
    }
    for sample in &whole.samples {
        for &post in &sample.posts {
            let post = &whole.posts[post as usize];
            found.uses += 1;
            found.late += usize::from(post.day >= sample.day || post.at >= sample.day * DAY);
        }
    }
    Ok(found)
}

fn same(a: &Sample, whole: &Corpus, b: &Sample, past: &Corpus) -> bool {
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    let equal = |(&i, &j): (&u32, &u32)| {
        let (p, q) = (&whole.posts[i as usize], &past.posts[j as usize]);
        p.text == q.text && p.at == q.at && p.user == q.user && bits(&p.credibility) == bits(&q.credibility)
    };
    bits(&a.price) == bits(&b.price) && a.slots == b.slots && a.posts.len() == b.posts.len() && a.posts.iter().zip(&b.posts).all(equal)
}
