//! Small statistics.

/// Mean; 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Two-sided exact McNemar test of paired answers: the probability, if both were equally good, of a split of the
/// disagreements at least as uneven as this one.
pub fn mcnemar(a: &[bool], b: &[bool]) -> f64 {
    let only_a = a.iter().zip(b).filter(|(a, b)| **a && !**b).count();
    let only_b = a.iter().zip(b).filter(|(a, b)| !**a && **b).count();
    let n = only_a + only_b;
    // Binomial tail at 1/2, in logarithms since n may be thousands.
    let mut log = -(n as f64) * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for k in 0..=only_a.min(only_b) {
        tail += log.exp();
        log += ((n - k) as f64).ln() - ((k + 1) as f64).ln();
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::{mcnemar, mean};

    #[test]
    fn by_hand() {
        assert_eq!(mean(&[1.0, 2.0, 6.0]), 3.0);
        // 1 against 5: 2 * (1 + 6) / 64, as scipy.stats.binomtest(1, 6).pvalue = 0.21875.
        let a = [true, false, false, false, false, false, true];
        let b = [false, true, true, true, true, true, true];
        assert!((mcnemar(&a, &b) - 0.21875).abs() < 1e-12);
        assert_eq!(mcnemar(&a, &a), 1.0);
    }
}
