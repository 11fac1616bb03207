//! Rearranging tensors while they are renamed.

use zoo_core::{Error, Result, Tensor};

/// What happens to a tensor besides its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transform {
    /// Nothing.
    #[default]
    Keep,
    /// Axes in another order: axis `i` of the result is axis `order[i]` of the tensor.
    Transpose(Vec<usize>),
    /// Another shape over the same elements.
    Reshape {
        /// The shape before.
        from: Vec<usize>,
        /// The shape after.
        to: Vec<usize>,
    },
}

impl Transform {
    /// The transform that undoes this one.
    #[must_use]
    pub fn inverse(&self) -> Self {
        match self {
            Self::Keep => Self::Keep,
            Self::Transpose(order) => {
                let mut inverse = vec![0; order.len()];
                for (to, &from) in order.iter().enumerate() {
                    // An order that is none is refused when it is applied.
                    if let Some(slot) = inverse.get_mut(from) {
                        *slot = to;
                    }
                }
                Self::Transpose(inverse)
            }
            Self::Reshape { from, to } => Self::Reshape { from: to.clone(), to: from.clone() },
        }
    }

    /// Rearranges the tensor of that name.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Argument`] if its shape does not fit the transform.
    pub fn apply(&self, name: &str, tensor: &Tensor) -> Result<Tensor> {
        match self {
            Self::Keep => Ok(tensor.clone()),
            Self::Transpose(order) => transpose(name, tensor, order),
            Self::Reshape { from, to } if tensor.shape() == from.as_slice() => tensor.reshape(to.clone()),
            Self::Reshape { from, .. } => Err(Error::shape(format!("tensor `{name}` before its reshape"), from, tensor.shape())),
        }
    }
}

fn transpose(name: &str, tensor: &Tensor, order: &[usize]) -> Result<Tensor> {
    let shape = tensor.shape();
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..shape.len()) {
        return Err(Error::argument(format!("axes of tensor `{name}`"), format!("an order of {} axes", shape.len()), format!("{order:?}")));
    }
    let size = tensor.dtype().size();
    let mut strides = vec![size; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    let target: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
    let steps: Vec<usize> = order.iter().map(|&axis| strides[axis]).collect();
    let source = tensor.as_bytes();
    let mut bytes = Vec::with_capacity(source.len());
    let mut index = vec![0usize; target.len()];
    let mut offset = 0;
    for _ in 0..tensor.len() {
        bytes.extend_from_slice(&source[offset..offset + size]);
        // Count up like an odometer, the last axis fastest.
        for axis in (0..target.len()).rev() {
            index[axis] += 1;
            offset += steps[axis];
            if index[axis] < target[axis] {
                break;
            }
            offset -= steps[axis] * target[axis];
            index[axis] = 0;
        }
    }
    Tensor::from_bytes(tensor.dtype(), target, &bytes)
}
