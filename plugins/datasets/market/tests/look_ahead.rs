//! Nothing dated the day itself or later reaches a day's features.

use crate::common::{World, bar, post, weekdays};
use proptest::prelude::*;
use serde_json::json;
use zoo_core::Tensor;
use zoo_data_market::{Day, Exchange, History, LAG_SLOTS, MAX_POSTS};

/// Two stocks over 40 weekdays, with posts on days and weekends alike.
fn world(seed: u32, until: Option<i32>) -> World {
    let mut world = World::new();
    let days = weekdays("2015-02-16", 40);
    for ticker in ["AA", "BB"] {
        let kept = |d: &&i32| until.is_none_or(|t| **d < t);
        world.prices(ticker, &days.iter().filter(kept).map(|d| bar(*d)).collect::<Vec<_>>());
        let all: Vec<i32> = (days[0]..=days[39]).collect();
        let lines = all.iter().filter(kept).flat_map(|&d| {
            let count = (d.unsigned_abs().wrapping_mul(2_654_435_761) ^ seed) % 4;
            (0..count).map(move |i| post(d, i64::from(23 - 7 * i as i32), i + seed % 5, &format!("{d} says {i}")))
        });
        world.posts(ticker, &lines.collect::<Vec<_>>());
    }
    world
}

fn text_of(posts: &dyn zoo_core::Dataset, at: i64) -> Vec<Tensor> {
    posts.get(at as usize).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Deleting every row dated t or later leaves the features of t, and the posts they point at, bit for bit the same:
    /// in the files (split `next`), and by option `cut`.
    #[test]
    fn truncation_changes_nothing(seed in 0u32..1000, at in 15usize..40) {
        let t = weekdays("2015-02-16", 40)[at];
        let whole = world(seed, None);
        let (days, posts) = (whole.open("days", json!({})).unwrap(), whole.open("posts", json!({})).unwrap());
        let cut = world(seed, Some(t));
        let views = [
            (cut.open("next", json!({"cut": Day(t).to_string()})).unwrap(), cut.open("posts", json!({})).unwrap()),
            (whole.open("next", json!({"cut": Day(t).to_string()})).unwrap(), whole.open("posts", json!({"cut": Day(t).to_string()})).unwrap()),
        ];
        let of_day: Vec<_> = (0..days.len()).map(|i| days.get(i).unwrap()).filter(|f| f[1].as_slice::<i64>().unwrap()[0] == i64::from(t)).collect();
        prop_assert_eq!(of_day.len(), 2);
        for (next, texts) in &views {
            prop_assert_eq!(next.len(), 2);
            for (i, full) in of_day.iter().enumerate() {
                let short = next.get(i).unwrap();
                prop_assert!(full[0] == short[0] && full[1] == short[1] && full[2] == short[2] && full[4] == short[4]);
                for (a, b) in full[3].as_slice::<i64>().unwrap().iter().zip(short[3].as_slice::<i64>().unwrap()) {
                    prop_assert_eq!(*a < 0, *b < 0);
                    if *a >= 0 {
                        prop_assert!(text_of(&*posts, *a) == text_of(&**texts, *b));
                    }
                }
                prop_assert_eq!(short[7].as_slice::<i64>().unwrap(), &[-1]);
            }
        }
    }
}

#[test]
fn posts_of_a_day_were_written_before_it_began_and_before_its_exchange_opened() {
    let world = world(3, None);
    let (days, posts) = (world.open("days", json!({})).unwrap(), world.open("posts", json!({})).unwrap());
    let mut used = 0;
    for i in 0..days.len() {
        let fields = days.get(i).unwrap();
        let day = Day(fields[1].as_slice::<i64>().unwrap()[0] as i32);
        let slots = fields[4].as_slice::<i64>().unwrap();
        for (&at, &slot) in fields[3].as_slice::<i64>().unwrap().iter().zip(slots).filter(|(at, _)| **at >= 0) {
            let post = posts.get(at as usize).unwrap();
            let (stock, filed, written) = (&post[0], post[1].as_slice::<i64>().unwrap()[0], post[2].as_slice::<i64>().unwrap()[0]);
            assert_eq!(stock, &fields[0]);
            assert_eq!(filed, i64::from(day.0) - LAG_SLOTS as i64 + slot);
            assert!(Day::of_utc(written) < day && written < Exchange::NEW_YORK.opening(day).unwrap());
            used += 1;
        }
    }
    assert!(used > 100, "{used}");
}

/// By hand: closes 100, 110 and 99 with adjusted closes of half; volume 1 then 3.
#[test]
fn price_features_by_hand() {
    let mut world = World::new();
    let days = weekdays("2015-01-05", 13);
    let mut rows: Vec<String> = days.iter().map(|d| format!("{},100,100,100,100,50,1", Day(*d))).collect();
    rows[10] = format!("{},104,121,99,110,55,3", Day(days[10]));
    rows[11] = format!("{},100,100,90,99,49.5,3", Day(days[11]));
    world.prices("AA", &rows);
    world.posts("AA", &[post(days[10] - 5, 1, 0, "old"), post(days[11] - 1, 2, 1, "new")]);
    let test = world.open("days", json!({})).unwrap();
    assert_eq!(test.len(), 2, "eleven days of history come first");
    let fields = test.get(0).unwrap();
    assert_eq!(fields[1].as_slice::<i64>().unwrap(), &[i64::from(days[11])]);
    let price = fields[2].as_slice::<f32>().unwrap();
    let expected = [0.1, 121.0 / 110.0 - 1.0, 99.0 / 110.0 - 1.0, 0.04, 2f32.ln()];
    assert!(price[45..].iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{:?}", &price[45..]);
    assert!(price[..45].iter().all(|v| *v == 0.0));
    let movement = fields[5].as_slice::<f32>().unwrap()[0];
    assert!((movement + 0.1).abs() < 1e-6 && fields[7].as_slice::<i64>().unwrap() == [0]);
    assert!((fields[6].as_slice::<f32>().unwrap()[0] + 0.01).abs() < 1e-6);
}

#[test]
fn the_most_recent_posts_are_kept() {
    let posts = |n: usize| {
        (0..n).map(|i| zoo_data_market::Post {
            day: Day(100 + i as i32 / 20),
            at: i as i64,
            user: 0,
            text: String::new(),
            profile: [0.0; 8],
        })
    };
    let bars: Vec<_> = (80..110)
        .map(|d| zoo_data_market::Bar { day: Day(d), open: 1.0, high: 1.0, low: 1.0, close: 1.0, adjusted: 1.0, volume: 0.0 })
        .collect();
    let features = History::new(bars, posts(100).collect()).features(Day(105)).unwrap();
    assert_eq!(features.posts.len(), MAX_POSTS);
    assert_eq!((features.posts[0], features.posts[MAX_POSTS - 1]), ((40, 2), (99, 4)));
}
