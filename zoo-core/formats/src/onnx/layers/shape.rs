//! Shape and order.

use crate::error::Result;
use crate::onnx::{Graph, Node, Value};
use zoo_core::{DType, Dim};

impl Graph {
    /// Two axes: all before `axis`, and all from it on.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if there is no such axis.
    pub fn flatten(&mut self, x: Value, axis: i64) -> Result<Value> {
        self.node("Flatten", &[x], [("axis", axis.into())])
    }

    /// Another shape: 0 keeps the length of that axis, one -1 takes what is left.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if the number of elements differs.
    pub fn reshape(&mut self, x: Value, shape: &[i64]) -> Result<Value> {
        let shape = self.ints(shape)?;
        self.node("Reshape", &[x, shape], [])
    }

    /// The axes in another order.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if `order` is not an order of the axes.
    pub fn transpose(&mut self, x: Value, order: &[i64]) -> Result<Value> {
        self.node("Transpose", &[x], [("perm", order.into())])
    }

    /// Tensors joined along an axis.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if other axes or element types differ.
    pub fn concat(&mut self, values: &[Value], axis: i64) -> Result<Value> {
        self.node("Concat", values, [("axis", axis.into())])
    }

    /// Pieces of the given lengths along an axis.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if the lengths do not add up to the axis.
    pub fn split(&mut self, x: Value, lengths: &[i64], axis: i64) -> Result<Vec<Value>> {
        let given = self.ints(lengths)?;
        self.insert(Node::new("Split").input(x).input(given).attr("axis", axis).outputs(lengths.len()))
    }

    /// Elements `start..end` of an axis; negative numbers count from the end, `i64::MAX` is the end.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if there is no such axis.
    pub fn slice(&mut self, x: Value, axis: i64, start: i64, end: i64) -> Result<Value> {
        let (start, end, axis) = (self.ints(&[start])?, self.ints(&[end])?, self.ints(&[axis])?);
        self.node("Slice", &[x, start, end, axis], [])
    }

    /// Entries of an axis by index (`i32` or `i64`); the axis is replaced by the axes of `indices`.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if there is no such axis or a constant index is out of range.
    pub fn gather(&mut self, x: Value, indices: Value, axis: i64) -> Result<Value> {
        self.node("Gather", &[x, indices], [("axis", axis.into())])
    }

    /// Adds axes of length 1; positions are those of the result.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if a position is out of range or given twice.
    pub fn unsqueeze(&mut self, x: Value, axes: &[i64]) -> Result<Value> {
        let axes = self.ints(axes)?;
        self.node("Unsqueeze", &[x, axes], [])
    }

    /// Removes axes of length 1.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if an axis is not there or has another length.
    pub fn squeeze(&mut self, x: Value, axes: &[i64]) -> Result<Value> {
        let axes = self.ints(axes)?;
        self.node("Squeeze", &[x, axes], [])
    }

    /// Repeats axes of length 1 so that the shape broadcasts with `shape`.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if it does not broadcast.
    pub fn expand(&mut self, x: Value, shape: &[i64]) -> Result<Value> {
        let shape = self.ints(shape)?;
        self.node("Expand", &[x, shape], [])
    }

    /// Repeats every axis a number of times.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if there is not one number an axis.
    pub fn tile(&mut self, x: Value, repeats: &[i64]) -> Result<Value> {
        let repeats = self.ints(repeats)?;
        self.node("Tile", &[x, repeats], [])
    }

    /// Pads with a number: elements in front of every axis, then behind every axis.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if there are not two numbers an axis.
    pub fn pad(&mut self, x: Value, pads: &[i64], value: f64) -> Result<Value> {
        let pads = self.ints(pads)?;
        let value = self.scalar(self.value_type(x)?.dtype, value)?;
        self.node("Pad", &[x, pads, value], [])
    }

    /// The shape as an `i64` tensor.
    ///
    /// # Errors
    /// [`crate::Error::Graph`] if the value belongs to another graph.
    pub fn shape_of(&mut self, x: Value) -> Result<Value> {
        self.node("Shape", &[x], [])
    }

    /// A tensor of one repeated number whose free axes are those of `like`, such as a state that starts at rest.
    ///
    /// `shape` may name free axes of `like`.
    ///
    /// # Errors
    /// [`crate::Error::Graph`] if a free axis is not one of `like`, or the element type can't hold the number.
    pub fn full_like(&mut self, like: Value, dtype: DType, shape: &[Dim], value: f64) -> Result<Value> {
        let axes = self.value_type(like)?.shape.clone();
        let number = self.scalar(dtype, value)?;
        let fixed: Option<Vec<i64>> = shape.iter().map(|d| d.fixed().map(|n| n as i64)).collect();
        if let Some(fixed) = fixed {
            return self.expand(number, &fixed);
        }
        let lengths = self.shape_of(like)?;
        let mut parts = Vec::with_capacity(shape.len());
        for dim in shape {
            parts.push(match dim {
                Dim::Fixed(n) => self.ints(&[*n as i64])?,
                free @ Dim::Free(name) => {
                    let axis = axes.iter().position(|axis| axis == free);
                    let axis = axis.ok_or_else(|| self.error(format!("axis `{name}`"), format!("expected a free axis of {axes:?}")))?;
                    let axis = self.ints(&[axis as i64])?;
                    self.gather(lengths, axis, 0)?
                }
            });
        }
        let target = self.concat(&parts, 0)?;
        self.node("Expand", &[number, target], [])
    }
}
