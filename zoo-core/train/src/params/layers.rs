//! The common layers by name: `add_*` creates a layer's tensors, the method of the layer's name applies it.

use super::{Init, Mode, ParamStore, to_host};
use crate::kernels::Conv2dOptions;
use crate::ops;
use burn::tensor::Tensor;
use zoo_core::Result;

/// Added to the variance by batch normalisation; PyTorch's default.
const BATCH_NORM_EPS: f32 = 1e-5;
/// Weight of a new batch in the running averages; PyTorch's default.
const BATCH_NORM_MOMENTUM: f32 = 0.1;

impl ParamStore {
    /// Adds `NAME.weight` `[c_out, c_in / groups, kernel, kernel]` and, if asked, `NAME.bias`, drawn as PyTorch does.
    ///
    /// # Errors
    /// [`zoo_core::Error::Argument`] if a name is taken.
    pub fn add_conv2d(&mut self, name: &str, [c_in, c_out]: [usize; 2], kernel: usize, groups: usize, bias: bool) -> Result<()> {
        let shape = [c_out, c_in / groups.max(1), kernel, kernel];
        let init = Init::FanIn { fan_in: shape[1] * kernel * kernel };
        self.parameter(format!("{name}.weight"), &shape, init)?;
        if bias { self.parameter(format!("{name}.bias"), &[c_out], init) } else { Ok(()) }
    }

    /// Adds `NAME.weight` `[outputs, inputs]` and, if asked, `NAME.bias`, drawn as PyTorch does.
    ///
    /// # Errors
    /// [`zoo_core::Error::Argument`] if a name is taken.
    pub fn add_linear(&mut self, name: &str, inputs: usize, outputs: usize, bias: bool) -> Result<()> {
        let init = Init::FanIn { fan_in: inputs };
        self.parameter(format!("{name}.weight"), &[outputs, inputs], init)?;
        if bias { self.parameter(format!("{name}.bias"), &[outputs], init) } else { Ok(()) }
    }

    /// Applies the transposed convolution of 2 x 2 with stride 2 of that name: `NAME.weight` `[c_in, c_out, 2, 2]`, `NAME.bias`.
    ///
    /// # Errors
    /// As [`ParamStore::get`] and [`ops::conv_transpose2x2`].
    pub fn conv_transpose2x2(&self, name: &str, x: Tensor<4>) -> Result<Tensor<4>> {
        ops::conv_transpose2x2(x, self.get(&format!("{name}.weight"))?, self.get(&format!("{name}.bias"))?)
    }

    /// Adds `NAME.weight` (ones), `NAME.bias` (zeros), `NAME.running_mean` and `NAME.running_var`.
    ///
    /// # Errors
    /// [`zoo_core::Error::Argument`] if a name is taken.
    pub fn add_batch_norm(&mut self, name: &str, channels: usize) -> Result<()> {
        self.parameter(format!("{name}.weight"), &[channels], Init::Constant(1.0))?;
        self.parameter(format!("{name}.bias"), &[channels], Init::Constant(0.0))?;
        self.buffer(format!("{name}.running_mean"), &[channels], Init::Constant(0.0))?;
        self.buffer(format!("{name}.running_var"), &[channels], Init::Constant(1.0))
    }

    fn bias(&self, name: &str) -> Result<Option<Tensor<1>>> {
        let name = format!("{name}.bias");
        if self.contains(&name) { self.get(&name).map(Some) } else { Ok(None) }
    }

    /// Applies the convolution of that name; see [`ops::conv2d`].
    ///
    /// # Errors
    /// As [`ops::conv2d`], and [`zoo_core::Error::Keys`] if there is no such layer.
    pub fn conv2d(&self, name: &str, x: Tensor<4>, options: Conv2dOptions) -> Result<Tensor<4>> {
        ops::conv2d(x, self.get(&format!("{name}.weight"))?, self.bias(name)?, options)
    }

    /// Applies the fully connected layer of that name; see [`ops::linear`].
    ///
    /// # Errors
    /// As [`ops::linear`], and [`zoo_core::Error::Keys`] if there is no such layer.
    pub fn linear(&self, name: &str, x: Tensor<2>) -> Result<Tensor<2>> {
        ops::linear(x, self.get(&format!("{name}.weight"))?, self.bias(name)?)
    }

    /// Normalises by the layer of that name as the [`Mode`] asks: epsilon 1e-5, momentum 0.1, unbiased running variance.
    ///
    /// # Shapes
    /// `x` `[n, c, ...]`; result the same.
    ///
    /// # Errors
    /// As [`ops::batch_norm`], and [`zoo_core::Error::Keys`] if there is no such layer.
    pub fn batch_norm<const D: usize>(&mut self, name: &str, x: Tensor<D>) -> Result<Tensor<D>> {
        let (gamma, beta) = (self.get(&format!("{name}.weight"))?, self.get(&format!("{name}.bias"))?);
        let (mean, variance) = (format!("{name}.running_mean"), format!("{name}.running_var"));
        if self.mode == Mode::Eval {
            return ops::batch_norm_fixed(x, gamma, beta, self.get(&mean)?, self.get(&variance)?, BATCH_NORM_EPS);
        }
        let (y, moments) = ops::batch_norm(x, gamma, beta, BATCH_NORM_EPS)?;
        let momentum = if self.mode == Mode::Recalibrate {
            let seen = self.recalibrated.entry(name.to_owned()).or_insert(0);
            *seen += 1;
            #[allow(clippy::cast_precision_loss, reason = "a count of batches")]
            {
                1.0 / *seen as f32
            }
        } else {
            BATCH_NORM_MOMENTUM
        };
        for (name, batch) in [(mean, moments.mean), (variance, moments.variance)] {
            let (old, new) = (self.values(&name)?, to_host(batch));
            // At full weight nothing of the old value may remain, not even an infinity.
            let mixed = old.iter().zip(new).map(|(old, new)| if momentum >= 1.0 { new } else { (1.0 - momentum) * old + momentum * new });
            self.set_values(&name, mixed.collect())?;
        }
        Ok(y)
    }
}
