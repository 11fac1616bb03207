//! Typed, reference-counted, row-major tensors.

mod buffer;
mod dtype;

pub use buffer::Bytes;
pub use dtype::{DType, Element};

use crate::error::{Error, Result};
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use std::ops::Range;
use std::sync::Arc;

/// An n-dimensional array: row-major, contiguous, cheap to clone (clones share memory).
///
/// The memory belongs to a [`Bytes`] owner, which may be a `Vec`, a memory map, or a tensor handed over by a plugin or
/// a runtime; the tensor never cares which.
#[derive(Clone)]
pub struct Tensor {
    dtype: DType,
    shape: Vec<usize>,
    owner: Arc<dyn Bytes>,
    /// Byte range of this tensor inside the owner's memory.
    range: Range<usize>,
}

impl Tensor {
    /// A tensor over the elements of `data`, without a copy.
    ///
    /// # Errors
    /// [`Error::Shape`] if the product of `shape` is not `data.len()`.
    pub fn from_vec<T: Element>(shape: impl Into<Vec<usize>>, data: Vec<T>) -> Result<Self> {
        let shape = shape.into();
        let count = element_count(&shape)?;
        if count != data.len() {
            return Err(Error::shape("tensor data", shape, [data.len()]));
        }
        let range = 0..std::mem::size_of_val(data.as_slice());
        Ok(Self { dtype: T::DTYPE, shape, owner: Arc::new(data), range })
    }

    /// A tensor over a byte range of memory somebody else owns, without a copy.
    ///
    /// # Errors
    /// [`Error::Shape`] if the range does not hold exactly the elements that `shape` asks for, [`Error::Argument`] if
    /// it leaves the owner's memory or is not aligned for `dtype`.
    pub fn from_owner(dtype: DType, shape: impl Into<Vec<usize>>, owner: Arc<dyn Bytes>, range: Range<usize>) -> Result<Self> {
        let shape = shape.into();
        let count = element_count(&shape)?;
        let Some(bytes) = owner.bytes().get(range.clone()) else {
            return Err(Error::argument("tensor memory", format!("a range within {} bytes", owner.bytes().len()), format!("{range:?}")));
        };
        if Some(bytes.len()) != count.checked_mul(dtype.size()) {
            return Err(Error::shape(format!("{dtype} tensor in {} bytes", bytes.len()), shape, [bytes.len() / dtype.size()]));
        }
        if !bytes.is_empty() && !(bytes.as_ptr() as usize).is_multiple_of(dtype.size()) {
            return Err(Error::argument("tensor memory", format!("{} byte alignment", dtype.size()), format!("{:p}", bytes.as_ptr())));
        }
        Ok(Self { dtype, shape, owner, range })
    }

    /// A tensor copied from little-endian bytes of any alignment.
    ///
    /// # Errors
    /// [`Error::Shape`] if `bytes` does not hold exactly the elements that `shape` asks for.
    pub fn from_bytes(dtype: DType, shape: impl Into<Vec<usize>>, bytes: &[u8]) -> Result<Self> {
        let shape = shape.into();
        let count = element_count(&shape)?;
        if Some(bytes.len()) != count.checked_mul(dtype.size()) {
            return Err(Error::shape(format!("{dtype} tensor in {} bytes", bytes.len()), shape, [bytes.len() / dtype.size()]));
        }
        let owner = buffer::copy_aligned(dtype, bytes);
        Ok(Self { dtype, shape, owner, range: 0..bytes.len() })
    }

    /// A tensor filled with zeros.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of elements overflows.
    pub fn zeros(dtype: DType, shape: impl Into<Vec<usize>>) -> Result<Self> {
        let shape = shape.into();
        let bytes =
            element_count(&shape)?.checked_mul(dtype.size()).ok_or_else(|| Error::shape("tensor", "a size that fits memory", &shape))?;
        Ok(Self { dtype, owner: buffer::zeroed(dtype, bytes), shape, range: 0..bytes })
    }

    /// A tensor of no dimensions that holds one value.
    pub fn scalar<T: Element>(value: T) -> Self {
        Self { dtype: T::DTYPE, shape: Vec::new(), range: 0..size_of::<T>(), owner: Arc::new(vec![value]) }
    }

    /// Element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Length of each axis, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.range.len() / self.dtype.size()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// The elements as raw bytes in the machine's (little-endian) order.
    pub fn as_bytes(&self) -> &[u8] {
        &self.owner.bytes()[self.range.clone()]
    }

    /// The elements.
    ///
    /// # Errors
    /// [`Error::DType`] if `T` is not the tensor's element type. A boolean tensor is read as `u8` of 0 and 1.
    pub fn as_slice<T: Element>(&self) -> Result<&[T]> {
        self.expect_dtype::<T>()?;
        // No element, no alignment: the memory of an empty tensor may be anywhere.
        if self.is_empty() {
            return Ok(&[]);
        }
        Ok(bytemuck::cast_slice(self.as_bytes()))
    }

    /// The elements for writing; copies first if the memory is shared or read-only.
    ///
    /// # Errors
    /// [`Error::DType`] if `T` is not the tensor's element type.
    pub fn as_mut_slice<T: Element>(&mut self) -> Result<&mut [T]> {
        self.expect_dtype::<T>()?;
        let writable = Arc::get_mut(&mut self.owner).is_some_and(|owner| owner.bytes_mut().is_some());
        if !writable {
            *self = Self::from_bytes(self.dtype, self.shape.clone(), self.as_bytes())?;
        }
        let range = self.range.clone();
        match Arc::get_mut(&mut self.owner).and_then(|owner| owner.bytes_mut()) {
            Some(bytes) => Ok(bytemuck::cast_slice_mut(&mut bytes[range])),
            // A fresh copy is unshared and writable; the arm keeps the function total.
            None => Err(Error::argument("tensor memory", "writable memory", "read-only memory")),
        }
    }

    /// This tensor's memory for writing, if nobody shares it and its owner allows; never copies.
    pub(crate) fn exclusive_bytes(&mut self) -> Option<&mut [u8]> {
        let range = self.range.clone();
        Arc::get_mut(&mut self.owner)?.bytes_mut()?.get_mut(range)
    }

    /// The elements as a vector: moved out where this is the only owner, else copied.
    ///
    /// # Errors
    /// [`Error::DType`] if `T` is not the tensor's element type.
    pub fn into_vec<T: Element>(mut self) -> Result<Vec<T>> {
        self.expect_dtype::<T>()?;
        let whole = self.range.len() == self.owner.bytes().len();
        if let Some(vec) = Arc::get_mut(&mut self.owner).filter(|_| whole).and_then(|owner| owner.as_any_mut().downcast_mut::<Vec<T>>()) {
            return Ok(std::mem::take(vec));
        }
        Ok(self.as_slice::<T>()?.to_vec())
    }

    /// An `ndarray` view of the elements.
    ///
    /// # Errors
    /// [`Error::DType`] if `T` is not the tensor's element type.
    pub fn view<T: Element>(&self) -> Result<ArrayViewD<'_, T>> {
        let slice = self.as_slice::<T>()?;
        ArrayViewD::from_shape(IxDyn(&self.shape), slice).map_err(|_| Error::shape("tensor", &self.shape, [slice.len()]))
    }

    /// A tensor over the elements of an `ndarray` array; moved if it is in standard order, else copied.
    ///
    /// # Errors
    /// [`Error::Shape`] if the array's size overflows.
    pub fn from_array<T: Element>(array: ArrayD<T>) -> Result<Self> {
        let shape = array.shape().to_vec();
        let array = if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() };
        let (data, offset) = array.into_raw_vec_and_offset();
        let start = offset.unwrap_or(0);
        let count = element_count(&shape)?;
        let data = if start == 0 && data.len() == count { data } else { data[start..start + count].to_vec() };
        Self::from_vec(shape, data)
    }

    /// The same elements under another shape, sharing memory.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of elements differs.
    pub fn reshape(&self, shape: impl Into<Vec<usize>>) -> Result<Self> {
        let shape = shape.into();
        if element_count(&shape)? != self.len() {
            return Err(Error::shape("reshape", &shape, &self.shape));
        }
        Ok(Self { shape, ..self.clone() })
    }

    /// Entries `rows` of the first axis, sharing memory.
    ///
    /// # Errors
    /// [`Error::Argument`] if the range leaves the axis or the tensor has no axis.
    pub fn rows(&self, rows: Range<usize>) -> Result<Self> {
        let Some((&count, rest)) = self.shape.split_first() else {
            return Err(Error::argument("rows of a tensor", "at least one axis", "a scalar"));
        };
        if rows.start > rows.end || rows.end > count {
            return Err(Error::argument("rows of a tensor", format!("a range within 0..{count}"), format!("{rows:?}")));
        }
        let stride = rest.iter().product::<usize>() * self.dtype.size();
        let range = self.range.start + rows.start * stride..self.range.start + rows.end * stride;
        let mut shape = self.shape.clone();
        shape[0] = rows.len();
        Ok(Self { dtype: self.dtype, shape, owner: Arc::clone(&self.owner), range })
    }

    /// Tensors of equal shape and type joined along a new first axis.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is none, [`Error::Shape`] or [`Error::DType`] if they differ.
    pub fn stack(tensors: &[Self]) -> Result<Self> {
        let first = tensors.first().ok_or_else(|| Error::argument("stack", "at least one tensor", "none"))?;
        let mut shape = vec![tensors.len()];
        shape.extend_from_slice(&first.shape);
        Self::join(tensors, shape, |a, b| a.shape == b.shape)
    }

    /// Tensors of equal type and equal trailing shape joined along their first axis.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is none or they have no axis, [`Error::Shape`] or [`Error::DType`] if they differ.
    pub fn concat(tensors: &[Self]) -> Result<Self> {
        let first = tensors.first().ok_or_else(|| Error::argument("concat", "at least one tensor", "none"))?;
        if first.shape.is_empty() {
            return Err(Error::argument("concat", "tensors with at least one axis", "a scalar"));
        }
        let mut shape = first.shape.clone();
        shape[0] = tensors.iter().map(|t| t.shape.first().copied().unwrap_or(0)).sum();
        Self::join(tensors, shape, |a, b| b.shape.len() == a.shape.len() && a.shape[1..] == b.shape[1..])
    }

    fn join(tensors: &[Self], shape: Vec<usize>, fits: impl Fn(&Self, &Self) -> bool) -> Result<Self> {
        let first = &tensors[0];
        let mut bytes = Vec::with_capacity(tensors.iter().map(|t| t.range.len()).sum());
        for tensor in tensors {
            if tensor.dtype != first.dtype {
                return Err(Error::DType {
                    what: "joined tensors".into(),
                    expected: first.dtype.to_string(),
                    found: tensor.dtype.to_string(),
                });
            }
            if !fits(first, tensor) {
                return Err(Error::shape("joined tensors", &first.shape, &tensor.shape));
            }
            bytes.extend_from_slice(tensor.as_bytes());
        }
        Self::from_bytes(first.dtype, shape, &bytes)
    }

    /// The elements converted to `f32`: integers and halves by value, booleans to 0 and 1.
    pub fn to_f32(&self) -> Vec<f32> {
        dtype::to_f32(self.dtype, self.as_bytes())
    }

    /// Checks type and shape at once; `None` in `shape` is a free axis.
    ///
    /// # Errors
    /// [`Error::DType`] or [`Error::Shape`], naming `what`.
    pub fn expect(&self, what: &str, dtype: DType, shape: &[Option<usize>]) -> Result<()> {
        if self.dtype != dtype {
            return Err(Error::DType { what: what.into(), expected: dtype.to_string(), found: self.dtype.to_string() });
        }
        let fits = shape.len() == self.shape.len() && shape.iter().zip(&self.shape).all(|(want, &have)| want.is_none_or(|w| w == have));
        if fits {
            return Ok(());
        }
        let expected = shape.iter().map(|d| d.map_or_else(|| "?".into(), |d| d.to_string())).collect::<Vec<_>>().join(", ");
        Err(Error::Shape { what: what.into(), expected: format!("[{expected}]"), found: format!("{:?}", self.shape) })
    }

    fn expect_dtype<T: Element>(&self) -> Result<()> {
        if self.dtype == T::DTYPE || (self.dtype == DType::Bool && T::DTYPE == DType::U8) {
            return Ok(());
        }
        Err(Error::DType { what: "tensor elements".into(), expected: T::DTYPE.to_string(), found: self.dtype.to_string() })
    }
}

/// Two tensors are equal if type, shape and every bit agree.
impl PartialEq for Tensor {
    fn eq(&self, other: &Self) -> bool {
        self.dtype == other.dtype && self.shape == other.shape && self.as_bytes() == other.as_bytes()
    }
}

impl std::fmt::Debug for Tensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tensor({} {:?})", self.dtype, self.shape)
    }
}

/// Product of the axes, refusing overflow.
fn element_count(shape: &[usize]) -> Result<usize> {
    shape
        .iter()
        .try_fold(1usize, |n, &d| n.checked_mul(d))
        .filter(|&n| n <= isize::MAX as usize)
        .ok_or_else(|| Error::shape("tensor", "a size that fits memory", shape))
}

#[cfg(test)]
mod tests;
