//! A symmetric matrix by rows, as the moves read it.

use crate::error::Error;

/// A symmetric matrix: rows of column and value, and the diagonal apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Operator {
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f64>,
    diagonal: Vec<f64>,
}

impl Operator {
    /// From rows of entries, which must be symmetric and may be in any order; entries of one place add up.
    ///
    /// # Errors
    /// [`Error::Size`] for a column that there is not, [`Error::NotFinite`], [`Error::Asymmetric`].
    pub fn from_rows(rows: &[Vec<(u32, f64)>]) -> Result<Self, Error> {
        let operator = Self::collect(rows.len(), |i, place| {
            for &(j, value) in &rows[i] {
                let found = j as usize;
                if found >= rows.len() {
                    return Err(Error::Size { what: "columns of an operator", expected: rows.len(), found: found + 1 });
                }
                if !value.is_finite() {
                    return Err(Error::NotFinite { what: "operator", found: value, row: i, column: found });
                }
                place(j, value);
            }
            Ok(())
        })?;
        operator.check_symmetry()?;
        Ok(operator)
    }

    /// From a dense row-major matrix.
    ///
    /// # Errors
    /// [`Error::Size`] if it is not square, [`Error::NotFinite`], [`Error::Asymmetric`].
    pub fn from_dense(values: &[f64], size: usize) -> Result<Self, Error> {
        if size.checked_mul(size) != Some(values.len()) {
            return Err(Error::Size { what: "dense operator", expected: size.saturating_mul(size), found: values.len() });
        }
        let rows: Vec<Vec<(u32, f64)>> = values
            .chunks_exact(size.max(1))
            .map(|row| (0u32..).zip(row.iter().copied()).filter(|(_, v)| *v != 0.0 || v.is_nan()).collect())
            .collect();
        Self::from_rows(&rows)
    }

    /// Collects rows, adding up entries of one place.
    fn collect<E>(size: usize, fill: impl Fn(usize, &mut dyn FnMut(u32, f64)) -> Result<(), E>) -> Result<Self, E> {
        let mut operator = Self { starts: vec![0], columns: Vec::new(), values: Vec::new(), diagonal: vec![0.0; size] };
        let mut sums = vec![0.0; size];
        let mut seen = vec![false; size];
        let mut touched = Vec::new();
        for i in 0..size {
            fill(i, &mut |j, value| {
                if !seen[j as usize] {
                    seen[j as usize] = true;
                    touched.push(j);
                }
                sums[j as usize] += value;
            })?;
            for j in touched.drain(..) {
                let value = std::mem::take(&mut sums[j as usize]);
                seen[j as usize] = false;
                if j as usize == i {
                    operator.diagonal[i] = value;
                }
                operator.columns.push(j);
                operator.values.push(value);
            }
            operator.starts.push(operator.columns.len());
        }
        Ok(operator)
    }

    fn check_symmetry(&self) -> Result<(), Error> {
        let slack = 1e-9 * self.values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        let size = self.size();
        // The transpose, row by row, must be the matrix itself.
        let mut transposed: Vec<Vec<(u32, f64)>> = vec![Vec::new(); size];
        for i in 0..size {
            for (j, value) in self.row(i) {
                transposed[j as usize].push((i as u32, value));
            }
        }
        let mut dense = vec![0.0; size];
        for (i, opposite) in transposed.iter().enumerate() {
            for (j, value) in self.row(i) {
                dense[j as usize] = value;
            }
            let differs = opposite.iter().find(|(j, b)| (dense[*j as usize] - b).abs() > slack).copied();
            if let Some((j, b)) = differs {
                return Err(Error::Asymmetric { what: "operator", row: i, column: j as usize, a: dense[j as usize], b });
            }
            for &(j, _) in opposite {
                dense[j as usize] = 0.0;
            }
            if let Some((j, a)) = self.row(i).find(|(j, _)| dense[*j as usize].abs() > slack) {
                return Err(Error::Asymmetric { what: "operator", row: i, column: j as usize, a, b: 0.0 });
            }
            for (j, _) in self.row(i) {
                dense[j as usize] = 0.0;
            }
        }
        Ok(())
    }

    /// Number of nodes.
    pub fn size(&self) -> usize {
        self.diagonal.len()
    }

    /// Columns and values of a row, the diagonal included.
    pub fn row(&self, i: usize) -> impl Iterator<Item = (u32, f64)> + '_ {
        let range = self.starts[i]..self.starts[i + 1];
        self.columns[range.clone()].iter().copied().zip(self.values[range].iter().copied())
    }

    /// The diagonal's value of a row.
    pub fn diagonal(&self, i: usize) -> f64 {
        self.diagonal[i]
    }

    /// Greatest sum of absolute values of a row.
    pub(super) fn largest_row(&self) -> f64 {
        (0..self.size()).map(|i| self.row(i).map(|(_, v)| v.abs()).sum::<f64>()).fold(0.0, f64::max)
    }

    /// Sum over pairs of one community.
    ///
    /// # Panics
    /// If there are fewer labels than nodes.
    pub fn score(&self, labels: &[u32]) -> f64 {
        (0..self.size()).map(|i| self.row(i).filter(|(j, _)| labels[*j as usize] == labels[i]).map(|(_, v)| v).sum::<f64>()).sum()
    }

    /// Every community as a node.
    pub(super) fn aggregate(&self, labels: &[u32], communities: usize) -> Self {
        let mut members: Vec<Vec<u32>> = vec![Vec::new(); communities];
        for (node, &label) in (0u32..).zip(labels) {
            members[label as usize].push(node);
        }
        let collected = Self::collect::<std::convert::Infallible>(communities, |c, place| {
            for &node in &members[c] {
                for (j, value) in self.row(node as usize) {
                    place(labels[j as usize], value);
                }
            }
            Ok(())
        });
        let Ok(aggregated) = collected;
        aggregated
    }
}
