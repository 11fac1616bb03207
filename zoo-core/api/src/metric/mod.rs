//! Streaming metrics that can be merged exactly.

mod overlap;

pub use overlap::{dice, hd95};

use crate::dataset::Batch;
use crate::error::{Error, Result};
use crate::model::Prediction;
use crate::tensor::{DType, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A measured value with its interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// A 95 % confidence interval, where one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ci95: Option<[f64; 2]>,
    /// Unit: `%`, `mJ`, `1` ...
    pub unit: String,
}

/// Mean with the 95 % interval of Student's t; no interval for fewer than two values, and not a number for none.
#[allow(clippy::cast_precision_loss, reason = "counts of values")]
pub fn mean_ci(values: &[f64]) -> (f64, Option<[f64; 2]>) {
    // Two-sided 97.5 % quantiles of t for 1 to 15 degrees of freedom, then that of the normal distribution.
    const T: [f64; 15] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131];
    if values.is_empty() {
        return (f64::NAN, None);
    }
    let n = values.len() as f64;
    let centre = values.iter().sum::<f64>() / n;
    if values.len() < 2 {
        return (centre, None);
    }
    let spread = (values.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let half = T.get(values.len() - 2).copied().unwrap_or(1.96) * spread / n.sqrt();
    (centre, Some([centre - half, centre + half]))
}

/// A metric that sees one batch at a time. Shards joined by [`Metric::merge`] equal one run over everything, bit for bit.
pub trait Metric: Send {
    /// Name in results.
    fn name(&self) -> &str;

    /// Takes in a batch.
    ///
    /// # Errors
    /// If the prediction lacks the output, or the batch the field, that the metric reads.
    fn update(&mut self, prediction: &Prediction, batch: &Batch) -> Result<()>;

    /// All that was seen, exactly.
    fn state(&self) -> Value;

    /// Takes in another shard's [`Metric::state`].
    ///
    /// # Errors
    /// If the state is of another metric.
    fn merge(&mut self, state: &Value) -> Result<()>;

    /// The value so far; `None` before any item.
    fn estimate(&self) -> Option<Estimate>;
}

/// Top-1 accuracy in per cent with a Wilson score interval (Wilson 1927).
#[derive(Clone, Debug)]
pub struct Accuracy {
    logits: String,
    label: String,
    correct: u64,
    total: u64,
}

impl Accuracy {
    /// Compares the argmax of output `logits`, shape `[batch, classes]`, with field `label`.
    pub fn new(logits: impl Into<String>, label: impl Into<String>) -> Self {
        Self { logits: logits.into(), label: label.into(), correct: 0, total: 0 }
    }
}

impl Metric for Accuracy {
    fn name(&self) -> &str {
        "accuracy"
    }

    fn update(&mut self, prediction: &Prediction, batch: &Batch) -> Result<()> {
        let labels = labels(batch.field(&self.label)?)?;
        let predicted = argmax_rows(prediction.get(&self.logits)?)?;
        if labels.len() != predicted.len() {
            return Err(Error::shape("labels against predictions", [predicted.len()], [labels.len()]));
        }
        self.total += labels.len() as u64;
        self.correct += labels.iter().zip(&predicted).filter(|(l, p)| **l == **p as i64).count() as u64;
        Ok(())
    }

    fn state(&self) -> Value {
        serde_json::json!([self.correct, self.total])
    }

    fn merge(&mut self, state: &Value) -> Result<()> {
        let [correct, total]: [u64; 2] =
            serde_json::from_value(state.clone()).map_err(|_| Error::argument("state of metric accuracy", "[correct, total]", state))?;
        self.correct += correct;
        self.total += total;
        Ok(())
    }

    #[allow(clippy::cast_precision_loss, reason = "counts of items stay far below 2^53")]
    fn estimate(&self) -> Option<Estimate> {
        let [low, high] = wilson95(self.correct, self.total)?;
        let value = 100.0 * self.correct as f64 / self.total as f64;
        Some(Estimate { value, ci95: Some([100.0 * low, 100.0 * high]), unit: "%".into() })
    }
}

/// Class indices of a label field: any integer type.
///
/// # Errors
/// [`Error::DType`] for anything else.
pub fn labels(tensor: &Tensor) -> Result<Vec<i64>> {
    match tensor.dtype() {
        DType::U8 => Ok(tensor.as_slice::<u8>()?.iter().map(|&v| v.into()).collect()),
        DType::I32 => Ok(tensor.as_slice::<i32>()?.iter().map(|&v| v.into()).collect()),
        DType::I64 => Ok(tensor.as_slice::<i64>()?.to_vec()),
        other => Err(Error::DType { what: "label field".into(), expected: "u8, i32 or i64".into(), found: other.to_string() }),
    }
}

/// Index of the greatest entry of each row of `[rows, classes]`; the first one wins a tie, NaN never wins.
///
/// # Errors
/// [`Error::Shape`] unless the tensor has two axes and a class, [`Error::DType`] unless it is `f32`.
pub fn argmax_rows(logits: &Tensor) -> Result<Vec<usize>> {
    let &[_, classes] = logits.shape() else {
        return Err(Error::shape("logits", "[batch, classes]", logits.shape()));
    };
    if classes == 0 {
        return Err(Error::shape("logits", "[batch, at least 1]", logits.shape()));
    }
    let best = |row: &[f32]| row.iter().enumerate().fold((0, f32::NEG_INFINITY), |b, (i, &v)| if v > b.1 { (i, v) } else { b }).0;
    Ok(logits.as_slice::<f32>()?.chunks_exact(classes).map(best).collect())
}

/// Wilson score interval at 95 % for `hits` of `total`, as fractions; `None` for no trials.
#[allow(clippy::cast_precision_loss, reason = "counts of items stay far below 2^53")]
pub fn wilson95(hits: u64, total: u64) -> Option<[f64; 2]> {
    if total == 0 {
        return None;
    }
    const Z: f64 = 1.959_963_984_540_054;
    let (n, p) = (total as f64, hits as f64 / total as f64);
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    Some([((centre - half) / scale).max(0.0), ((centre + half) / scale).min(1.0)])
}

/// Two-sided exact McNemar test of paired answers: the probability, if both were equally good, of a split of the
/// disagreements at least as uneven as this one.
#[allow(clippy::cast_precision_loss, reason = "counts of items stay far below 2^53")]
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
    use super::*;

    #[test]
    fn mcnemar_by_hand() {
        // 1 against 5: 2 * (1 + 6) / 64, as scipy.stats.binomtest(1, 6).pvalue = 0.21875.
        let a = [true, false, false, false, false, false, true];
        let b = [false, true, true, true, true, true, true];
        assert!((mcnemar(&a, &b) - 0.21875).abs() < 1e-12);
        assert_eq!(mcnemar(&a, &a), 1.0);
        // Nobody agrees two thousand times: small, and no NaN.
        assert!(mcnemar(&[true; 2000], &[false; 2000]) < 1e-300);
    }
    use crate::spec::TensorSpec;
    use std::sync::Arc;

    fn feed(metric: &mut Accuracy, logits: Vec<f32>, labels: Vec<u8>) -> Result<()> {
        let n = labels.len();
        let features: Arc<[TensorSpec]> = Arc::new([TensorSpec::new("label", DType::U8, Vec::<usize>::new())]);
        let batch = Batch::new(features, vec![Tensor::from_vec([n], labels)?], 0)?;
        let logits = Tensor::from_vec([n, logits.len() / n], logits)?;
        metric.update(&Prediction { outputs: vec![("logits".into(), logits)] }, &batch)
    }

    #[test]
    fn accuracy_counts_and_merges() {
        let mut a = Accuracy::new("logits", "label");
        assert!(a.estimate().is_none());
        feed(&mut a, vec![0.1, 0.9, 0.8, 0.2], vec![1, 1]).unwrap();
        let mut b = Accuracy::new("logits", "label");
        feed(&mut b, vec![0.0, 1.0], vec![1]).unwrap();
        b.merge(&a.state()).unwrap();
        assert_eq!(b.state(), serde_json::json!([2, 3]));
        assert!(b.merge(&serde_json::json!("x")).is_err());
        assert!((b.estimate().unwrap().value - 200.0 / 3.0).abs() < 1e-12);
    }

    /// Reference values from scipy.stats.binomtest(hits, total).proportion_ci(method="wilson").
    #[test]
    fn wilson_agrees_with_scipy() {
        for (hits, total, low, high) in
            [(0, 10, 0.0, 0.277_532_799_862_889_4), (9_873, 10_000, 0.984_910_638_050_862_1, 0.989_315_117_137_076_4)]
        {
            let [l, h] = wilson95(hits, total).unwrap();
            assert!((l - low).abs() < 1e-12 && (h - high).abs() < 1e-12, "{hits}/{total}: {l} {h}");
        }
    }

    #[test]
    fn ties_go_to_the_first_class_and_nan_never_wins() {
        let t = Tensor::from_vec([3, 3], vec![1.0, 1.0, 0.0, f32::NAN, -1.0, -2.0, f32::NAN, f32::NAN, f32::NAN]).unwrap();
        assert_eq!(argmax_rows(&t).unwrap(), [0, 1, 0]);
        assert!(argmax_rows(&Tensor::zeros(DType::F32, [2, 0]).unwrap()).is_err());
    }
}
