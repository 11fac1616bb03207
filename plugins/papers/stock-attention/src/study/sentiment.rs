//! The sign of a post's sentiment, by counting words. Crude on purpose: it only feeds the track record of posters.

/// Words of rising prices, chosen for this project.
const GOOD: [&str; 44] = [
    "up",
    "rise",
    "rises",
    "rising",
    "rose",
    "gain",
    "gains",
    "gained",
    "higher",
    "high",
    "highs",
    "beat",
    "beats",
    "bull",
    "bullish",
    "buy",
    "buying",
    "bought",
    "long",
    "calls",
    "call",
    "upgrade",
    "upgraded",
    "upgrades",
    "strong",
    "stronger",
    "surge",
    "surges",
    "rally",
    "rallies",
    "breakout",
    "profit",
    "profits",
    "growth",
    "outperform",
    "record",
    "soar",
    "soars",
    "jump",
    "jumps",
    "great",
    "good",
    "win",
    "positive",
];
/// Words of falling prices.
const BAD: [&str; 44] = [
    "down",
    "fall",
    "falls",
    "falling",
    "fell",
    "loss",
    "losses",
    "lost",
    "lower",
    "low",
    "lows",
    "miss",
    "misses",
    "missed",
    "bear",
    "bearish",
    "sell",
    "selling",
    "sold",
    "short",
    "shorts",
    "puts",
    "put",
    "downgrade",
    "downgraded",
    "downgrades",
    "weak",
    "weaker",
    "plunge",
    "plunges",
    "drop",
    "drops",
    "dropped",
    "crash",
    "decline",
    "declines",
    "underperform",
    "slump",
    "sink",
    "sinks",
    "bad",
    "worst",
    "lawsuit",
    "negative",
];

/// 1, -1, or 0 where good and bad words balance (most often because there are none).
pub fn sentiment(text: &str) -> i8 {
    let mut sum = 0i32;
    for word in text.split_whitespace() {
        sum += i32::from(GOOD.contains(&word)) - i32::from(BAD.contains(&word));
    }
    sum.signum() as i8
}

#[cfg(test)]
mod tests {
    use super::{BAD, GOOD, sentiment};

    #[test]
    fn words_count_once_each() {
        assert_eq!(sentiment("$ aapl is up , buy calls"), 1);
        assert_eq!(sentiment("sell the rally , bears are bearish and short"), -1);
        assert_eq!(sentiment("up or down ?"), 0);
        assert_eq!(sentiment(""), 0);
        assert!(GOOD.iter().all(|w| !BAD.contains(w)), "no word is both");
    }
}
