//! Normalisation.

use crate::error::Result;
use crate::onnx::{Graph, Value};

impl Graph {
    /// Batch normalisation with fixed statistics. `x` is `[N, C, ...]`, the others `[C]`.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if shapes or element types do not fit.
    pub fn batch_norm(&mut self, x: Value, scale: Value, bias: Value, mean: Value, variance: Value, epsilon: f32) -> Result<Value> {
        self.node("BatchNormalization", &[x, scale, bias, mean, variance], [("epsilon", epsilon.into())])
    }

    /// Instance normalisation over the spatial axes. `x` is `[N, C, ...]`, `scale` and `bias` `[C]`.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if shapes or element types do not fit.
    pub fn instance_norm(&mut self, x: Value, scale: Value, bias: Value, epsilon: f32) -> Result<Value> {
        self.node("InstanceNormalization", &[x, scale, bias], [("epsilon", epsilon.into())])
    }

    /// Layer normalisation over the last axis. `x` is `[..., C]`, `scale` and `bias` `[C]`. Decomposed before opset 17.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if shapes or element types do not fit.
    pub fn layer_norm(&mut self, x: Value, scale: Value, bias: Value, epsilon: f32) -> Result<Value> {
        if self.opset() >= 17 {
            return self.node("LayerNormalization", &[x, scale, bias], [("axis", (-1).into()), ("epsilon", epsilon.into())]);
        }
        let mean = self.reduce_mean(x, &[-1], true)?;
        let centred = self.sub(x, mean)?;
        let square = self.mul(centred, centred)?;
        let variance = self.reduce_mean(square, &[-1], true)?;
        let shifted = self.add_scalar(variance, epsilon.into())?;
        let deviation = self.sqrt(shifted)?;
        let normal = self.div(centred, deviation)?;
        let scaled = self.mul(normal, scale)?;
        self.add(scaled, bias)
    }
}
