//! Counting right and wrong answers.

use serde::Serialize;

/// Answers by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Score {
    /// Familiar items called familiar.
    pub true_positives: u64,
    /// Familiar items.
    pub positives: u64,
    /// New items called familiar.
    pub false_positives: u64,
    /// New items.
    pub negatives: u64,
}

impl Score {
    /// Counts one stream of answers (probabilities of "familiar", threshold 0.5).
    #[must_use]
    pub fn add(mut self, answers: &[f64], familiar: &[bool]) -> Self {
        for (answer, &label) in answers.iter().zip(familiar) {
            let said = u64::from(*answer > 0.5);
            if label {
                self.positives += 1;
                self.true_positives += said;
            } else {
                self.negatives += 1;
                self.false_positives += said;
            }
        }
        self
    }

    /// Share of familiar items called familiar.
    pub fn tpr(&self) -> f64 {
        self.true_positives as f64 / self.positives as f64
    }

    /// Share of new items called familiar.
    pub fn fpr(&self) -> f64 {
        self.false_positives as f64 / self.negatives as f64
    }

    /// Share of right answers.
    pub fn accuracy(&self) -> f64 {
        (self.true_positives + self.negatives - self.false_positives) as f64 / (self.positives + self.negatives) as f64
    }

    /// Mean of the rates on familiar and new items: 0.5 for an answer that never changes.
    pub fn balanced(&self) -> f64 {
        (self.tpr() + 1.0 - self.fpr()) / 2.0
    }

    /// The accuracy of the authors' analysis code: with `f` the share of repeats, `(1 - f) TPR + f (1 - FPR)`.
    pub fn authors(&self) -> f64 {
        let f = self.positives as f64 / (self.positives + self.negatives) as f64;
        (1.0 - f) * self.tpr() + f * (1.0 - self.fpr())
    }
}
