//! Matrix products.

use crate::error::Result;
use crate::onnx::{Graph, Node, Value};

impl Graph {
    /// `x * weight^T + bias`. `x` is `[..., in]`, `weight` `[out, in]`, `bias` `[out]`; the result is `[..., out]`.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if shapes or element types do not fit.
    pub fn linear(&mut self, x: Value, weight: Value, bias: Option<Value>) -> Result<Value> {
        if self.value_type(x)?.shape.len() == 2 {
            return self.insert_one(Node::new("Gemm").input(x).input(weight).optional(bias).attr("transB", 1));
        }
        let turned = self.transpose(weight, &[1, 0])?;
        let product = self.matmul(x, turned)?;
        match bias {
            Some(bias) => self.add(product, bias),
            None => Ok(product),
        }
    }

    /// Matrix product over the last two axes; leading axes broadcast.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if shapes or element types do not fit.
    pub fn matmul(&mut self, a: Value, b: Value) -> Result<Value> {
        self.node("MatMul", &[a, b], [])
    }

    /// Sum of products over named axes, such as `bij,bjk->bik`.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if the equation does not fit the inputs.
    pub fn einsum(&mut self, equation: &str, inputs: &[Value]) -> Result<Value> {
        self.node("Einsum", inputs, [("equation", equation.into())])
    }
}
