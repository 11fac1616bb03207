//! What a post's credibility is judged by: who wrote it, and how the writer's earlier posts fared.

use crate::head::CREDIBILITY_FEATURES;
use std::collections::BTreeMap;

/// A post whose sentiment can be checked: the sign, and how and when the stock moved next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The writer.
    pub user: i64,
    /// The trading day whose close settles it, in days since 1970.
    pub settled: i64,
    /// Whether the move had the sign of the sentiment.
    pub hit: bool,
}

/// A writer's record on the morning of a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrackRecord {
    /// Settled posts.
    pub of: u32,
    /// Those that were right.
    pub hits: u32,
}

impl TrackRecord {
    /// Share of right posts, drawn towards one half by ten imagined posts.
    #[allow(clippy::cast_precision_loss, reason = "counts of posts")]
    pub fn share(self) -> f32 {
        (self.hits as f32 + 5.0) / (self.of as f32 + 10.0)
    }
}

/// The record of each `(user, day)`: events settled on a day before it, and none of the day itself.
pub fn track_records(mut events: Vec<Event>, asked: &[(i64, i64)]) -> Vec<TrackRecord> {
    events.sort_by_key(|e| (e.user, e.settled));
    // Running counts of each user, by the day they hold from.
    let mut records: BTreeMap<i64, Vec<(i64, TrackRecord)>> = BTreeMap::new();
    for event in events {
        let own = records.entry(event.user).or_default();
        let mut record = own.last().map_or(TrackRecord::default(), |(_, r)| *r);
        record.of += 1;
        record.hits += u32::from(event.hit);
        own.push((event.settled, record));
    }
    let of = |&(user, day): &(i64, i64)| {
        let own = records.get(&user)?;
        let before = own.partition_point(|(settled, _)| *settled < day);
        Some(own[before.checked_sub(1)?].1)
    };
    asked.iter().map(|ask| of(ask).unwrap_or_default()).collect()
}

/// The nine features of a post: `ln(1 + x)` of followers, friends, statuses, favourites and lists; verified; age of the
/// account in years (0 where its year is not known); retweet; track record.
pub fn features(profile: &[f32], year: f32, record: TrackRecord) -> [f32; CREDIBILITY_FEATURES] {
    let mut out = [0.0; CREDIBILITY_FEATURES];
    for (out, count) in out.iter_mut().zip(profile.iter().take(5)) {
        *out = count.max(0.0).ln_1p();
    }
    out[5] = profile.get(5).copied().unwrap_or(0.0);
    let since = profile.get(6).copied().unwrap_or(0.0);
    out[6] = if since > 0.0 { (year - since).max(0.0) } else { 0.0 };
    out[7] = profile.get(7).copied().unwrap_or(0.0);
    out[8] = record.share();
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn records_by_hand() {
        let event = |user, settled, hit| Event { user, settled, hit };
        let events = vec![event(1, 10, true), event(1, 12, false), event(2, 11, true), event(1, 12, true)];
        let asked = [(1, 10), (1, 11), (1, 12), (1, 13), (2, 12), (3, 99)];
        let found: Vec<_> = track_records(events, &asked).iter().map(|r| (r.hits, r.of)).collect();
        assert_eq!(found, [(0, 0), (1, 1), (1, 1), (2, 3), (1, 1), (0, 0)]);
        assert_eq!(TrackRecord::default().share(), 0.5);
        assert_eq!(TrackRecord { of: 10, hits: 10 }.share(), 0.75);
    }

    #[test]
    fn features_by_hand() {
        let found = features(&[0.0, 1.0, 9.0, 99.0, 0.0, 1.0, 2010.0, 1.0], 2014.0, TrackRecord { of: 0, hits: 0 });
        let expected = [0.0, 2f32.ln(), 10f32.ln(), 100f32.ln(), 0.0, 1.0, 4.0, 1.0, 0.5];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
    }

    proptest! {
        /// What is settled on the asked day or later never matters.
        #[test]
        fn the_future_does_not_matter(seed in proptest::collection::vec((0i64..4, 0i64..30, any::<bool>()), 0..60), user in 0i64..4, day in 0i64..30) {
            let events: Vec<Event> = seed.iter().map(|&(user, settled, hit)| Event { user, settled, hit }).collect();
            let past: Vec<Event> = events.iter().copied().filter(|e| e.settled < day).collect();
            let naive = past.iter().filter(|e| e.user == user);
            let (of, hits) = (naive.clone().count() as u32, naive.filter(|e| e.hit).count() as u32);
            prop_assert_eq!(track_records(events, &[(user, day)]), track_records(past, &[(user, day)]));
            let again: Vec<Event> = seed.iter().map(|&(user, settled, hit)| Event { user, settled, hit }).collect();
            prop_assert_eq!(track_records(again, &[(user, day)])[0], TrackRecord { of, hits });
        }
    }
}
