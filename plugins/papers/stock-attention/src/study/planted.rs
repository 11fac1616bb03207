//! Bar B1: a rule planted into real posts and prices, which needs prices, text and credibility together.
//!
//! The label is (sign of the credible posters' sentiment) XOR (sign of the price trend), one in ten flipped. Sentiment is
//! here the side of a post's embedding along the direction from posts with bad words to posts with good ones, so that
//! every post has one and the text does carry it; a sample's mood counts as good above the median mood of training samples,
//! so that neither side is the usual one and prices alone say nothing. A poster is credible above the median of followers.

use super::corpus::{Corpus, Sample};
use crate::head::{LAG_DAYS, PRICE_FEATURES};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use zoo_core::Result;

/// Share of flipped labels.
const NOISE: f64 = 0.1;
/// Share of samples nearest to no sentiment at all, which get no label; like the small moves of the real question.
const UNDECIDED: f64 = 0.25;

/// The rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Planted {
    /// A label for every sample: 1, 0, or -1 for none.
    pub labels: Vec<i8>,
}

/// Labels all samples. The direction of sentiment and the medians come from posts before `train_until`.
///
/// # Errors
/// [`zoo_core::Error::Argument`] if posts were not embedded.
pub fn plant(corpus: &Corpus, train_until: i64, seed: u64) -> Result<Planted> {
    let past: Vec<usize> = (0..corpus.posts.len()).filter(|&i| corpus.posts[i].day < train_until).collect();
    let direction = direction(corpus, &past)?;
    let mut scores = Vec::with_capacity(corpus.posts.len());
    let mut row = Vec::new();
    for post in 0..corpus.posts.len() {
        row.clear();
        corpus.embedding(post, &mut row)?;
        scores.push(row.iter().zip(&direction).map(|(x, d)| f64::from(*x) * d).sum::<f64>());
    }
    let middle = median(past.iter().map(|&i| scores[i]).collect());
    let followers = median(past.iter().map(|&i| f64::from(corpus.posts[i].credibility[0])).collect());
    let credible = |post: u32| f64::from(corpus.posts[post as usize].credibility[0]) > followers;
    let mut text: Vec<Option<f64>> = corpus.samples.iter().map(|s| mood(s, |p| credible(p).then(|| scores[p as usize] - middle))).collect();
    let usual = median(corpus.samples.iter().zip(&text).filter(|(s, _)| s.day < train_until).filter_map(|(_, mood)| *mood).collect());
    text.iter_mut().flatten().for_each(|mood| *mood -= usual);
    let mut sizes: Vec<f64> = text.iter().flatten().map(|m| m.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let least = sizes.get((sizes.len() as f64 * UNDECIDED) as usize).copied().unwrap_or(0.0);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut label = |(sample, mood): (&Sample, &Option<f64>)| {
        // Every sample draws, so that no label depends on which others there are.
        let flipped = rng.random::<f64>() < NOISE;
        let mood = mood.filter(|m| m.abs() >= least && *m != 0.0);
        let trend: f32 = sample.price.chunks_exact(PRICE_FEATURES).map(|day| day[0]).sum();
        mood.map_or(-1, |mood| i8::from((mood > 0.0) ^ (trend > 0.0) ^ flipped))
    };
    Ok(Planted { labels: corpus.samples.iter().zip(&text).map(&mut label).collect() })
}

/// Sum over days of the mean over the day's posts that count; `None` without any.
fn mood(sample: &Sample, score: impl Fn(u32) -> Option<f64>) -> Option<f64> {
    let (mut sums, mut counts) = ([0.0; LAG_DAYS], [0u32; LAG_DAYS]);
    for (&post, &slot) in sample.posts.iter().zip(&sample.slots) {
        if let Some(score) = score(post) {
            sums[usize::from(slot)] += score;
            counts[usize::from(slot)] += 1;
        }
    }
    let total = sums.iter().zip(counts).filter(|(_, n)| *n > 0).map(|(s, n)| s / f64::from(n)).sum();
    counts.iter().any(|n| *n > 0).then_some(total)
}

/// Mean embedding of posts with good words less that of posts with bad ones.
fn direction(corpus: &Corpus, posts: &[usize]) -> Result<Vec<f64>> {
    let mut sums: [(Vec<f64>, f64); 2] = Default::default();
    let mut row = Vec::new();
    for &post in posts.iter().filter(|&&p| corpus.posts[p].sentiment != 0) {
        row.clear();
        corpus.embedding(post, &mut row)?;
        let (sum, count) = &mut sums[usize::from(corpus.posts[post].sentiment > 0)];
        sum.resize(row.len(), 0.0);
        sum.iter_mut().zip(&row).for_each(|(s, x)| *s += f64::from(*x));
        *count += 1.0;
    }
    let [(bad, bads), (good, goods)] = sums;
    let mut direction: Vec<f64> = good.iter().zip(&bad).map(|(g, b)| g / goods - b / bads).collect();
    let length = direction.iter().map(|d| d * d).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    direction.iter_mut().for_each(|d| *d /= length);
    Ok(direction)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moods_by_hand() {
        let sample = Sample {
            stock: 0,
            day: 0,
            price: vec![0.0; 50],
            posts: vec![0, 1, 2, 3],
            slots: vec![0, 0, 3, 4],
            movement: 0.0,
            intraday: 0.0,
            label: 0,
        };
        let scores = [1.0, 3.0, -5.0, 100.0];
        assert_eq!(mood(&sample, |p| (p < 3).then(|| scores[p as usize])), Some(-3.0));
        assert_eq!(mood(&sample, |_| None), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
    }
}
