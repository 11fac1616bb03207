//! Reductions.

use crate::error::Result;
use crate::onnx::{Graph, Node, Value};

impl Graph {
    /// Mean over axes, which stay with length 1 if `keep`; no axes mean all.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if an axis is not there or the element type does not fit.
    pub fn reduce_mean(&mut self, x: Value, axes: &[i64], keep: bool) -> Result<Value> {
        self.reduce("ReduceMean", 18, x, axes, keep)
    }

    /// Sum over axes; see [`Graph::reduce_mean`].
    ///
    /// # Errors
    /// As [`Graph::reduce_mean`].
    pub fn reduce_sum(&mut self, x: Value, axes: &[i64], keep: bool) -> Result<Value> {
        self.reduce("ReduceSum", 13, x, axes, keep)
    }

    /// Greatest element over axes; see [`Graph::reduce_mean`].
    ///
    /// # Errors
    /// As [`Graph::reduce_mean`].
    pub fn reduce_max(&mut self, x: Value, axes: &[i64], keep: bool) -> Result<Value> {
        self.reduce("ReduceMax", 18, x, axes, keep)
    }

    /// Least element over axes; see [`Graph::reduce_mean`].
    ///
    /// # Errors
    /// As [`Graph::reduce_mean`].
    pub fn reduce_min(&mut self, x: Value, axes: &[i64], keep: bool) -> Result<Value> {
        self.reduce("ReduceMin", 18, x, axes, keep)
    }

    /// Index of the greatest element along an axis, `i64`; the first one of several.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if the axis is not there.
    pub fn arg_max(&mut self, x: Value, axis: i64, keep: bool) -> Result<Value> {
        self.node("ArgMax", &[x], [("axis", axis.into()), ("keepdims", keep.into())])
    }

    /// The `k` greatest elements along an axis, in falling order, and their indices (`i64`).
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if the axis is not there or shorter than `k`.
    pub fn top_k(&mut self, x: Value, k: i64, axis: i64) -> Result<(Value, Value)> {
        let k = self.ints(&[k])?;
        let outputs = self.insert(Node::new("TopK").input(x).input(k).attr("axis", axis).outputs(2))?;
        match outputs[..] {
            [values, indices] => Ok((values, indices)),
            _ => Err(self.error("TopK", "expected two outputs")),
        }
    }

    /// Running sum along an axis.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if the axis is not there.
    pub fn cum_sum(&mut self, x: Value, axis: i64) -> Result<Value> {
        let axis = self.scalar(zoo_core::DType::I64, axis as f64)?;
        self.node("CumSum", &[x, axis], [])
    }

    /// The axes are an input from opset `since` on, an attribute before.
    fn reduce(&mut self, op: &str, since: u32, x: Value, axes: &[i64], keep: bool) -> Result<Value> {
        let node = Node::new(op).input(x).attr("keepdims", keep);
        let node = match axes {
            [] => node,
            axes if self.opset() >= since => node.input(self.ints(axes)?),
            axes => node.attr("axes", axes),
        };
        self.insert_one(node)
    }
}
