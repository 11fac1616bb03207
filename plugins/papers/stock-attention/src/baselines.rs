//! What must be beaten: the majority, the last day's move, and logistic regression.

use crate::head::PRICE_FEATURES;

/// Logit of always saying what most training labels say.
pub fn majority(train_labels: &[bool]) -> f32 {
    let ups = train_labels.iter().filter(|l| **l).count();
    if 2 * ups >= train_labels.len() { 1.0 } else { -1.0 }
}

/// Logit of saying what the last day did.
pub fn momentum(price: &[f32]) -> f32 {
    let last = price.len().checked_sub(PRICE_FEATURES).and_then(|at| price.get(at)).copied().unwrap_or(0.0);
    if last > 0.0 { 1.0 } else { -1.0 }
}

/// Logistic regression with an L2 penalty, fitted by Newton's method.
#[derive(Clone, Debug, PartialEq)]
pub struct Logistic {
    mean: Vec<f64>,
    std: Vec<f64>,
    /// One weight a feature, then the constant.
    weights: Vec<f64>,
}

impl Logistic {
    /// Fits `rows` of features to labels. `penalty` is half the factor on the squared weights, summed over samples (the
    /// reciprocal of scikit-learn's `C`); the constant is not penalised. Features are scaled first.
    #[allow(clippy::cast_precision_loss, reason = "counts")]
    pub fn fit(rows: &[Vec<f32>], labels: &[bool], penalty: f64) -> Self {
        let width = rows.first().map_or(0, Vec::len);
        let n = rows.len().max(1) as f64;
        let mean: Vec<f64> = (0..width).map(|i| rows.iter().map(|r| f64::from(r[i])).sum::<f64>() / n).collect();
        let spread = |i: usize| (rows.iter().map(|r| (f64::from(r[i]) - mean[i]).powi(2)).sum::<f64>() / n).sqrt();
        let std = (0..width).map(|i| Some(spread(i)).filter(|s| *s > 1e-9).unwrap_or(1.0)).collect();
        let mut model = Self { mean, std, weights: vec![0.0; width + 1] };
        let scaled: Vec<Vec<f64>> = rows.iter().map(|r| model.scale(r)).collect();
        const STEPS: usize = 25;
        for _ in 0..STEPS {
            let size = width + 1;
            let mut gradient = vec![0.0; size];
            let mut hessian = vec![0.0; size * size];
            for (x, &label) in scaled.iter().zip(labels) {
                let p = 1.0 / (1.0 + (-dot(&model.weights, x)).exp());
                let (error, curve) = (p - f64::from(u8::from(label)), (p * (1.0 - p)).max(1e-9));
                for i in 0..size {
                    gradient[i] += error * x[i];
                    for j in 0..=i {
                        hessian[i * size + j] += curve * x[i] * x[j];
                    }
                }
            }
            for i in 0..width {
                gradient[i] += penalty * model.weights[i];
                hessian[i * size + i] += penalty;
            }
            let step = solve(&mut hessian, gradient);
            model.weights.iter_mut().zip(&step).for_each(|(w, s)| *w -= s);
            if step.iter().all(|s| s.abs() < 1e-9) {
                break;
            }
        }
        model
    }

    fn scale(&self, row: &[f32]) -> Vec<f64> {
        let scaled = row.iter().zip(&self.mean).zip(&self.std).map(|((x, m), s)| (f64::from(*x) - m) / s);
        scaled.chain([1.0]).collect()
    }

    /// Logarithm of the odds.
    #[allow(clippy::cast_possible_truncation, reason = "logits are f32")]
    pub fn logit(&self, row: &[f32]) -> f32 {
        dot(&self.weights, &self.scale(row)) as f32
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Solves `A x = b` for a symmetric positive definite `A`, given by its lower half, by Cholesky's decomposition in place.
fn solve(a: &mut [f64], mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for i in 0..n {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| a[i * n + k] * a[j * n + k]).sum();
            let rest = a[i * n + j] - sum;
            a[i * n + j] = if i == j { rest.max(1e-12).sqrt() } else { rest / a[j * n + j] };
        }
    }
    for i in 0..n {
        let sum: f64 = (0..i).map(|k| a[i * n + k] * b[k]).sum();
        b[i] = (b[i] - sum) / a[i * n + i];
    }
    for i in (0..n).rev() {
        let sum: f64 = (i + 1..n).map(|k| a[k * n + i] * b[k]).sum();
        b[i] = (b[i] - sum) / a[i * n + i];
    }
    b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_rules() {
        assert_eq!((majority(&[true, true, false]), majority(&[false, false, true])), (1.0, -1.0));
        let mut price = vec![0.0; 50];
        price[45] = -0.1;
        assert_eq!(momentum(&price), -1.0);
    }

    /// A x = b with A = [[4, 2], [2, 3]], b = [2, 5]: x = [-0.5, 2].
    #[test]
    fn equations_by_hand() {
        let x = solve(&mut [4.0, 0.0, 2.0, 3.0], vec![2.0, 5.0]);
        assert!((x[0] + 0.5).abs() < 1e-12 && (x[1] - 2.0).abs() < 1e-12, "{x:?}");
    }

    /// One feature, two values: of three samples at -1 one is true, of three at 1 two are. Without a penalty the fit has
    /// the log odds of each group: -ln 2 and ln 2.
    #[test]
    fn logistic_by_hand() {
        let rows: Vec<Vec<f32>> = [-1.0, -1.0, -1.0, 1.0, 1.0, 1.0].map(|x| vec![x]).into();
        let model = Logistic::fit(&rows, &[true, false, false, true, true, false], 0.0);
        assert!((model.logit(&[1.0]) - 2f32.ln()).abs() < 1e-5 && (model.logit(&[-1.0]) + 2f32.ln()).abs() < 1e-5);
        assert!(Logistic::fit(&rows, &[true, false, false, true, true, false], 10.0).logit(&[1.0]) < 2f32.ln() / 2.0);
    }
}
