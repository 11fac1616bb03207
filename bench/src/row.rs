//! Rows of the schema.

use serde::{Deserialize, Serialize};

/// Which direction is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Greater values, such as items a second.
    Higher,
    /// Smaller values, such as milliseconds.
    Lower,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The benchmark: `backends`, `executor` ...
    pub bench: String,
    /// The case: `b1`, `host-b64` ...
    pub case: String,
    /// Our value, in `unit`.
    pub ours: f64,
    /// Unit of both values.
    pub unit: String,
    /// What we compare with.
    pub peer: String,
    /// The peer's value, in `unit`.
    pub peer_value: f64,
    /// How many times better we are: above 1 is better, whichever direction is.
    pub ratio: f64,
    /// Which direction is better.
    pub better: Better,
}

impl Row {
    /// A row with its ratio.
    pub fn new(bench: &str, case: impl Into<String>, unit: &str, better: Better, ours: f64, peer: &str, peer_value: f64) -> Self {
        let ratio = match better {
            Better::Higher => ours / peer_value,
            Better::Lower => peer_value / ours,
        };
        Self { bench: bench.into(), case: case.into(), ours, unit: unit.into(), peer: peer.into(), peer_value, ratio, better }
    }
}

/// The middle of some values, or the mean of the two in the middle; not a number if there are none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_above_one_is_better_either_way() {
        assert_eq!(Row::new("x", "c", "items/s", Better::Higher, 6.0, "p", 3.0).ratio, 2.0);
        assert_eq!(Row::new("x", "c", "ms", Better::Lower, 3.0, "p", 6.0).ratio, 2.0);
    }

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn the_schema_has_the_names_of_the_contract() {
        let json = serde_json::to_value(Row::new("backends", "b1", "ms", Better::Lower, 1.0, "bare", 2.0)).unwrap();
        let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["bench", "case", "ours", "unit", "peer", "peer_value", "ratio", "better"]);
        assert_eq!(json["better"], "lower");
    }
}
