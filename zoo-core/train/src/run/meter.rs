//! Throughput and remaining time.

use serde_json::{Map, Value, json};
use std::time::Instant;

/// Counts items over a run.
#[derive(Clone, Debug)]
pub struct Meter {
    start: Instant,
    before: u64,
    done: u64,
    total: u64,
}

impl Meter {
    /// Starts the clock with `before` of `total` items done by an earlier run.
    pub fn new((before, total): (u64, u64)) -> Self {
        Self { start: Instant::now(), before, done: before, total }
    }

    /// Counts items.
    pub fn add(&mut self, items: u64) {
        self.done += items;
    }

    /// Items done, those of earlier runs included.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Items there are to do.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// `images_per_s`, and `eta_s` once something was done.
    #[allow(clippy::cast_precision_loss, reason = "counts of items")]
    pub fn line(&self) -> Map<String, Value> {
        Self::rates((self.done - self.before) as f64, self.start.elapsed().as_secs_f64(), self.total.saturating_sub(self.done) as f64)
    }

    fn rates(done: f64, seconds: f64, left: f64) -> Map<String, Value> {
        let mut line = Map::new();
        if done > 0.0 && seconds > 0.0 {
            line.insert("images_per_s".into(), json!(done / seconds));
            line.insert("eta_s".into(), json!(left * seconds / done));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::Meter;
    use serde_json::json;

    #[test]
    fn rates_by_hand() {
        let line = Meter::rates(50.0, 10.0, 25.0);
        assert_eq!((&line["images_per_s"], &line["eta_s"]), (&json!(5.0), &json!(5.0)));
        assert!(Meter::rates(0.0, 10.0, 25.0).is_empty());
        let mut meter = Meter::new((10, 40));
        meter.add(5);
        assert_eq!((meter.done(), meter.total()), (15, 40));
    }
}
