//! A checked door to the `gemm` crate. The only unsafe code of this crate's matrix work is here.

use zoo_core::{Error, Result};

/// How many threads a product may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// The calling thread alone.
    One,
    /// The current `rayon` pool.
    Pool,
}

/// A strided matrix that is read: element `(i, j)` lies at `i * row_stride + j * col_stride`.
#[derive(Clone, Copy, Debug)]
pub struct MatRef<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

/// A row-major matrix that is written, with a row stride that may exceed the row's length.
#[derive(Debug)]
pub struct MatMut<'a> {
    data: &'a mut [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
}

fn reach(rows: usize, cols: usize, row_stride: usize, col_stride: usize) -> Option<usize> {
    if rows == 0 || cols == 0 {
        return Some(0);
    }
    (rows - 1).checked_mul(row_stride)?.checked_add((cols - 1).checked_mul(col_stride)?)?.checked_add(1)
}

fn fits(what: &str, len: usize, rows: usize, cols: usize, row_stride: usize, col_stride: usize) -> Result<()> {
    match reach(rows, cols, row_stride, col_stride) {
        Some(needed) if needed <= len && needed <= isize::MAX as usize => Ok(()),
        needed => Err(Error::argument(what, format!("at least {needed:?} elements for {rows} x {cols}"), len)),
    }
}

impl<'a> MatRef<'a> {
    /// A matrix of `rows` x `cols` over `data` with the given strides, in elements.
    ///
    /// # Errors
    /// [`Error::Argument`] if an element would lie outside `data`.
    pub fn new(data: &'a [f32], rows: usize, cols: usize, row_stride: usize, col_stride: usize) -> Result<Self> {
        fits("matrix operand", data.len(), rows, cols, row_stride, col_stride)?;
        Ok(Self { data, rows, cols, row_stride, col_stride })
    }

    /// A contiguous row-major matrix.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn row_major(data: &'a [f32], rows: usize, cols: usize) -> Result<Self> {
        Self::new(data, rows, cols, cols, 1)
    }

    /// The transposed view.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }
}

impl<'a> MatMut<'a> {
    /// A row-major matrix of `rows` x `cols` whose rows start `row_stride` elements apart.
    ///
    /// # Errors
    /// [`Error::Argument`] if an element would lie outside `data`, or rows would overlap.
    pub fn new(data: &'a mut [f32], rows: usize, cols: usize, row_stride: usize) -> Result<Self> {
        if rows > 1 && row_stride < cols {
            return Err(Error::argument("row stride of a written matrix", format!("at least {cols}"), row_stride));
        }
        fits("matrix result", data.len(), rows, cols, row_stride, 1)?;
        Ok(Self { data, rows, cols, row_stride })
    }
}

/// `out = a b`, or `out += a b` with `accumulate`.
///
/// # Errors
/// [`Error::Shape`] if the three matrices do not fit one another.
pub fn matmul(out: &mut MatMut<'_>, a: MatRef<'_>, b: MatRef<'_>, accumulate: bool, threads: Threads) -> Result<()> {
    if a.cols != b.rows || out.rows != a.rows || out.cols != b.cols {
        return Err(Error::shape("matrix product", [a.rows, a.cols, b.cols], [out.rows, b.rows, out.cols]));
    }
    let parallelism = match threads {
        Threads::One => gemm::Parallelism::None,
        Threads::Pool => gemm::Parallelism::Rayon(0),
    };
    // SAFETY: the constructors have checked that every element (i, j) of the three matrices lies inside its slice, the
    // written slice is borrowed exclusively and its rows do not overlap, and the inner dimensions agree as just checked.
    unsafe {
        gemm::gemm(
            out.rows,
            out.cols,
            a.cols,
            out.data.as_mut_ptr(),
            1,
            out.row_stride as isize,
            accumulate,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_product_by_hand() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let b = [1.0, 0.0, -1.0, 2.0, 0.5, 1.0];
        let mut out = [10.0; 6];
        let mut view = MatMut::new(&mut out, 2, 2, 3).unwrap();
        let (a, b) = (MatRef::row_major(&a, 2, 3).unwrap(), MatRef::row_major(&b, 3, 2).unwrap());
        matmul(&mut view, a, b, false, Threads::One).unwrap();
        assert_eq!(out, [0.5, 7.0, 10.0, 2.0, 16.0, 10.0]);
        let mut view = MatMut::new(&mut out, 2, 2, 3).unwrap();
        matmul(&mut view, a, b, true, Threads::Pool).unwrap();
        assert_eq!(out, [1.0, 14.0, 10.0, 4.0, 32.0, 10.0]);
    }

    #[test]
    fn wrong_sizes_are_refused() {
        let data = [0.0; 5];
        assert!(MatRef::row_major(&data, 2, 3).is_err());
        assert!(MatRef::new(&data, usize::MAX, 2, usize::MAX, 1).is_err());
        let mut out = [0.0; 4];
        assert!(MatMut::new(&mut out, 2, 2, 1).is_err());
        let mut view = MatMut::new(&mut out, 2, 2, 2).unwrap();
        let a = MatRef::row_major(&data[..4], 2, 2).unwrap();
        assert!(matmul(&mut view, a, MatRef::row_major(&data, 1, 5).unwrap(), false, Threads::One).is_err());
    }
}
