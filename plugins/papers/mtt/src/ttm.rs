//! Temporal transformation modules: what stands between two stages that run for different numbers of steps
//! (specification section 3). They have no parameters and are linear in time: a matrix `[t_out, t_in]`.

use serde::{Deserialize, Serialize};
use zoo_core::{Error, Result};

/// How frames are joined or repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ttm {
    /// Fewer frames are sums of whole neighbours, more frames are copies: the default of the authors' code.
    #[default]
    Sum,
    /// Frames overlap by fractions: the weight of input frame i in output frame o is the share of the output frame's span
    /// that lies in it when copying, of the input frame's span when summing.
    Soft,
    /// Fewer frames are the first ones, more frames are copies.
    Trim,
}

/// A matrix in time, row-major `[rows, columns]`.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeMatrix {
    /// Steps after.
    pub rows: usize,
    /// Steps before.
    pub columns: usize,
    /// Entries.
    pub values: Vec<f32>,
}

/// Where the parts of `longer` frames begin when they are dealt out to `shorter`: `b_0 = 0, b_i = round(i m / f - 1e-5)`.
/// Ties go down; in whole numbers that is `ceil(i m / f - 1/2)`.
pub fn boundaries(shorter: usize, longer: usize) -> Vec<usize> {
    (0..=shorter).map(|i| (2 * i * longer).saturating_sub(shorter).div_ceil(2 * shorter.max(1))).collect()
}

impl Ttm {
    /// The matrix from `before` to `after` steps.
    ///
    /// # Errors
    /// [`Error::Argument`] if either is 0.
    pub fn matrix(self, before: usize, after: usize) -> Result<TimeMatrix> {
        if before == 0 || after == 0 {
            return Err(Error::argument("time steps on both sides of a stage boundary", "at least 1", format!("{before} and {after}")));
        }
        let mut matrix = TimeMatrix { rows: after, columns: before, values: vec![0.0; before * after] };
        let shrinks = before > after;
        match self {
            Self::Soft => {
                // Spans in units of 1 / (before * after).
                let (input, output) = (after, before);
                for (at, value) in matrix.values.iter_mut().enumerate() {
                    let (o, i) = (at / before, at % before);
                    let overlap = ((o + 1) * output).min((i + 1) * input).saturating_sub((o * output).max(i * input));
                    *value = overlap as f32 / if shrinks { input } else { output } as f32;
                }
            }
            Self::Trim if shrinks => (0..after).for_each(|o| matrix.values[o * before + o] = 1.0),
            Self::Sum | Self::Trim => {
                let bounds = boundaries(before.min(after), before.max(after));
                for (part, span) in bounds.windows(2).enumerate() {
                    for frame in span[0]..span[1] {
                        let (o, i) = if shrinks { (part, frame) } else { (frame, part) };
                        matrix.values[o * before + i] = 1.0;
                    }
                }
            }
        }
        Ok(matrix)
    }
}

impl TimeMatrix {
    /// Applies the matrix to frames `[columns, each]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the frames do not divide into that many steps.
    pub fn apply(&self, frames: &[f32]) -> Result<Vec<f32>> {
        if !frames.len().is_multiple_of(self.columns) {
            return Err(Error::shape("frames", format!("{} steps", self.columns), frames.len()));
        }
        let each = frames.len() / self.columns;
        let mut out = vec![0.0; each * self.rows];
        for (o, out) in out.chunks_exact_mut(each.max(1)).enumerate() {
            for (weight, frame) in self.values[o * self.columns..].iter().zip(frames.chunks_exact(each.max(1))) {
                if *weight != 0.0 {
                    out.iter_mut().zip(frame).for_each(|(out, v)| *out += weight * v);
                }
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(kind: Ttm, before: usize, after: usize) -> Vec<Vec<usize>> {
        let m = kind.matrix(before, after).unwrap();
        m.values.chunks(before).map(|row| (0..before).filter(|&i| row[i] == 1.0).collect()).collect()
    }

    #[test]
    fn worked_examples() {
        assert_eq!(rows(Ttm::Sum, 5, 3), [vec![0, 1], vec![2], vec![3, 4]]);
        assert_eq!(rows(Ttm::Sum, 3, 5), [[0], [0], [1], [2], [2]]);
        assert_eq!(rows(Ttm::Sum, 5, 2), [vec![0, 1], vec![2, 3, 4]]);
        assert_eq!(rows(Ttm::Trim, 5, 2), [[0], [1]]);
        assert_eq!(Ttm::Soft.matrix(3, 2).unwrap().values, [1.0, 0.5, 0.0, 0.0, 0.5, 1.0]);
        assert_eq!(Ttm::Soft.matrix(2, 3).unwrap().values, [1.0, 0.0, 0.5, 0.5, 0.0, 1.0]);
        assert!(Ttm::Sum.matrix(0, 3).is_err() && Ttm::Sum.matrix(3, 0).is_err());
    }

    #[test]
    fn all_pairs_against_brute_force() {
        for (before, after) in (1..=12usize).flat_map(|a| (1..=12usize).map(move |b| (a, b))) {
            let (f, m) = (before.min(after), before.max(after));
            // The authors' formula in floating point.
            let direct: Vec<usize> = (0..=f).map(|i| ((i * m) as f64 / f as f64 - 1e-5).round().max(0.0) as usize).collect();
            assert_eq!(boundaries(f, m), direct, "{before} to {after}");
            let matrix = Ttm::Sum.matrix(before, after).unwrap();
            let column = |i: usize| (0..after).map(|o| matrix.values[o * before + i]).sum::<f32>();
            let row = |o: usize| matrix.values[o * before..][..before].iter().sum::<f32>();
            if before >= after {
                // A partition: every frame counts once, no frame is empty, and the sum is kept.
                assert!((0..before).all(|i| column(i) == 1.0) && (0..after).all(|o| row(o) >= 1.0));
                let frames: Vec<f32> = (0..before).map(|i| (i * i) as f32).collect();
                assert_eq!(matrix.apply(&frames).unwrap().iter().sum::<f32>(), frames.iter().sum::<f32>());
            } else {
                assert!((0..after).all(|o| row(o) == 1.0) && (0..before).all(|i| column(i) >= 1.0));
            }
            let soft = Ttm::Soft.matrix(before, after).unwrap();
            let sums: Vec<f32> = if before >= after {
                (0..before).map(|i| (0..after).map(|o| soft.values[o * before + i]).sum()).collect()
            } else {
                soft.values.chunks(before).map(|row| row.iter().sum()).collect()
            };
            assert!(sums.iter().all(|s| (s - 1.0).abs() < 1e-6), "{before} to {after}: {sums:?}");
            if before == after {
                let identity: Vec<f32> = (0..before * before).map(|at| f32::from(u8::from(at / before == at % before))).collect();
                assert!([Ttm::Sum, Ttm::Soft, Ttm::Trim].iter().all(|k| k.matrix(before, after).unwrap().values == identity));
            }
        }
    }
}
