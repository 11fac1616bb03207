//! Behaviour from brain features: ridge regression under nested cross-validation with families kept together.
//!
//! The paper predicts behavioural scores of about a thousand subjects. Those scores need a data-use agreement, so only
//! planted signals are ever fed to this code here.

use faer::linalg::solvers::Solve;
use faer::{Mat, MatRef, Side};

/// Predicted score of each subject, each predicted by a model that saw no member of the subject's family.
///
/// `features` is `[subjects, features]`; `family[i]` groups subjects; `penalties` are tried by inner cross-validation.
/// Features are z-scored with the training subjects' statistics.
pub fn nested_ridge(features: MatRef<'_, f64>, scores: &[f64], family: &[usize], folds: usize, penalties: &[f64]) -> Vec<f64> {
    let mut predicted = vec![f64::NAN; scores.len()];
    let subjects: Vec<usize> = (0..scores.len()).collect();
    for fold in 0..folds {
        let (test, train): (Vec<_>, Vec<_>) = subjects.iter().partition(|&&s| family[s] % folds == fold);
        if test.is_empty() || train.is_empty() {
            continue;
        }
        let penalty = choose(features, scores, family, &train, folds, penalties);
        for (&s, value) in test.iter().zip(fit_predict(features, scores, &train, &test, penalty)) {
            predicted[s] = value;
        }
    }
    predicted
}

/// The penalty with the least squared error over inner folds of the training subjects.
fn choose(features: MatRef<'_, f64>, scores: &[f64], family: &[usize], train: &[usize], folds: usize, penalties: &[f64]) -> f64 {
    let error = |penalty: f64| -> f64 {
        (0..folds)
            .map(|fold| {
                // Another grouping of families than the outer one, so that inner folds are not outer folds again.
                let (held, kept): (Vec<_>, Vec<_>) = train.iter().copied().partition(|&s| family[s] / folds % folds == fold);
                if held.is_empty() || kept.is_empty() {
                    return 0.0;
                }
                let values = fit_predict(features, scores, &kept, &held, penalty);
                held.iter().zip(values).map(|(&s, v)| (scores[s] - v).powi(2)).sum()
            })
            .sum()
    };
    let best = penalties.iter().copied().map(|p| (p, error(p))).min_by(|a, b| a.1.total_cmp(&b.1));
    best.map_or(1.0, |(penalty, _)| penalty)
}

fn fit_predict(features: MatRef<'_, f64>, scores: &[f64], train: &[usize], test: &[usize], penalty: f64) -> Vec<f64> {
    let (n, p) = (train.len() as f64, features.ncols());
    let mean: Vec<f64> = (0..p).map(|j| train.iter().map(|&s| features[(s, j)]).sum::<f64>() / n).collect();
    let deviation = |j: usize| (train.iter().map(|&s| (features[(s, j)] - mean[j]).powi(2)).sum::<f64>() / n).sqrt().max(1e-12);
    let deviation: Vec<f64> = (0..p).map(deviation).collect();
    let centre = train.iter().map(|&s| scores[s]).sum::<f64>() / n;
    let scaled = |subjects: &[usize]| Mat::from_fn(subjects.len(), p, |i, j| (features[(subjects[i], j)] - mean[j]) / deviation[j]);
    let (x, y) = (scaled(train), Mat::from_fn(train.len(), 1, |i, _| scores[train[i]] - centre));
    // The dual form: as many unknowns as subjects, however many features there are.
    let kernel = &x * x.transpose();
    let regular = Mat::from_fn(train.len(), train.len(), |i, j| kernel[(i, j)] + if i == j { penalty } else { 0.0 });
    let Ok(factor) = regular.llt(Side::Lower) else { return vec![centre; test.len()] };
    let weights = x.transpose() * factor.solve(&y);
    let values = scaled(test) * weights;
    (0..test.len()).map(|i| values[(i, 0)] + centre).collect()
}

/// Pearson's correlation; 0 where one side does not vary.
pub fn pearson(a: &[f64], b: &[f64]) -> f64 {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (ma, mb) = (mean(a), mean(b));
    let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(&x, &y)| f(x - ma, y - mb)).sum::<f64>();
    let scale = (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt();
    if scale > 0.0 { sum(&|x, y| x * y) / scale } else { 0.0 }
}
