//! Fully connected layer.

use super::{MatMut, MatRef, Threads, elements, expect_len, matmul};
use zoo_core::Result;

/// Geometry of `output = input weight^T + bias` with input `[n, inputs]`, weight `[outputs, inputs]`, output
/// `[n, outputs]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linear {
    n: usize,
    inputs: usize,
    outputs: usize,
}

impl Linear {
    /// A layer of `outputs` by `inputs` weights over `n` rows.
    ///
    /// # Errors
    /// [`zoo_core::Error::Shape`] if a product of the sizes does not fit memory.
    pub fn new(n: usize, inputs: usize, outputs: usize) -> Result<Self> {
        elements("linear input", &[n, inputs])?;
        elements("linear weight", &[outputs, inputs])?;
        elements("linear output", &[n, outputs])?;
        Ok(Self { n, inputs, outputs })
    }

    /// Overwrites `output`.
    ///
    /// # Errors
    /// [`zoo_core::Error::Shape`] if a slice has the wrong length.
    pub fn forward(&self, input: &[f32], weight: &[f32], bias: Option<&[f32]>, output: &mut [f32]) -> Result<()> {
        self.check(input, weight)?;
        expect_len("linear output", self.n * self.outputs, output.len())?;
        if let Some(bias) = bias {
            expect_len("linear bias", self.outputs, bias.len())?;
            output.chunks_exact_mut(self.outputs.max(1)).for_each(|row| row.copy_from_slice(bias));
        }
        let input = MatRef::row_major(input, self.n, self.inputs)?;
        let weight = MatRef::row_major(weight, self.outputs, self.inputs)?.transposed();
        matmul(&mut MatMut::new(output, self.n, self.outputs, self.outputs)?, input, weight, bias.is_some(), Threads::Pool)
    }

    /// Gradients for `output_grad`; each that is asked for is overwritten.
    ///
    /// # Errors
    /// [`zoo_core::Error::Shape`] if a slice has the wrong length.
    pub fn backward(
        &self,
        input: &[f32],
        weight: &[f32],
        output_grad: &[f32],
        input_grad: Option<&mut [f32]>,
        weight_grad: Option<&mut [f32]>,
        bias_grad: Option<&mut [f32]>,
    ) -> Result<()> {
        self.check(input, weight)?;
        expect_len("gradient of the linear output", self.n * self.outputs, output_grad.len())?;
        let dy = MatRef::row_major(output_grad, self.n, self.outputs)?;
        if let Some(grad) = input_grad {
            expect_len("gradient of the linear input", self.n * self.inputs, grad.len())?;
            let mut out = MatMut::new(grad, self.n, self.inputs, self.inputs)?;
            matmul(&mut out, dy, MatRef::row_major(weight, self.outputs, self.inputs)?, false, Threads::Pool)?;
        }
        if let Some(grad) = weight_grad {
            expect_len("gradient of the linear weight", self.outputs * self.inputs, grad.len())?;
            let mut out = MatMut::new(grad, self.outputs, self.inputs, self.inputs)?;
            matmul(&mut out, dy.transposed(), MatRef::row_major(input, self.n, self.inputs)?, false, Threads::Pool)?;
        }
        if let Some(grad) = bias_grad {
            expect_len("gradient of the linear bias", self.outputs, grad.len())?;
            grad.fill(0.0);
            for row in output_grad.chunks_exact(self.outputs.max(1)) {
                grad.iter_mut().zip(row).for_each(|(g, r)| *g += r);
            }
        }
        Ok(())
    }

    fn check(&self, input: &[f32], weight: &[f32]) -> Result<()> {
        expect_len("linear input", self.n * self.inputs, input.len())?;
        expect_len("linear weight", self.outputs * self.inputs, weight.len())
    }
}
