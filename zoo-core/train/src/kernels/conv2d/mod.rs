//! 2-D convolution (cross-correlation, as deep-learning frameworks define it).

mod backward;
mod depthwise;
mod direct;
mod forward;
mod lower;
mod simd;

use super::{elements, expect_len};
use zoo_core::{Error, Result};

/// Stride, padding, dilation and groups of a convolution; rows first, then columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dOptions {
    /// Step between outputs.
    pub stride: [usize; 2],
    /// Zeros added on both sides.
    pub padding: [usize; 2],
    /// Distance between kernel taps.
    pub dilation: [usize; 2],
    /// Channel groups; equal to the input channels for a depthwise convolution.
    pub groups: usize,
}

impl Default for Conv2dOptions {
    fn default() -> Self {
        Self { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 }
    }
}

impl Conv2dOptions {
    /// Stride 1 and a padding of `padding` on all sides.
    pub fn padded(padding: usize) -> Self {
        Self { padding: [padding; 2], ..Self::default() }
    }

    /// The same with another stride.
    #[must_use]
    pub fn stride(self, stride: usize) -> Self {
        Self { stride: [stride; 2], ..self }
    }

    /// The same with another number of groups.
    #[must_use]
    pub fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }
}

/// Geometry of one convolution: input `[n, c_in, h, w]`, weight `[c_out, c_in / groups, kh, kw]`, output
/// `[n, c_out, oh, ow]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2d {
    n: usize,
    c_in: usize,
    h: usize,
    w: usize,
    c_out: usize,
    kh: usize,
    kw: usize,
    oh: usize,
    ow: usize,
    options: Conv2dOptions,
}

/// Where the gradients of a convolution go; `None` is not computed. All are overwritten, not added to.
#[derive(Debug, Default)]
pub struct Conv2dGrads<'a> {
    /// Gradient of the input, `[n, c_in, h, w]`.
    pub input: Option<&'a mut [f32]>,
    /// Gradient of the weight, `[c_out, c_in / groups, kh, kw]`.
    pub weight: Option<&'a mut [f32]>,
    /// Gradient of the bias, `[c_out]`.
    pub bias: Option<&'a mut [f32]>,
}

impl Conv2d {
    /// Checks that input, weight and options fit.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Argument`] saying what does not fit.
    pub fn new(input: [usize; 4], weight: [usize; 4], options: Conv2dOptions) -> Result<Self> {
        let [n, c_in, h, w] = input;
        let [c_out, c_group, kh, kw] = weight;
        let groups = options.groups;
        if groups == 0 || c_in % groups != 0 || c_out % groups != 0 {
            return Err(Error::argument("convolution groups", format!("a divisor of {c_in} and {c_out}"), groups));
        }
        if c_group != c_in / groups {
            return Err(Error::shape("convolution weight", [c_out, c_in / groups, kh, kw], weight));
        }
        let side = |size: usize, kernel: usize, axis: usize| -> Result<usize> {
            let (stride, padding, dilation) = (options.stride[axis], options.padding[axis], options.dilation[axis]);
            if kernel == 0 || stride == 0 || dilation == 0 {
                return Err(Error::argument(
                    "convolution kernel, stride and dilation",
                    "at least 1",
                    format!("{kernel}, {stride}, {dilation}"),
                ));
            }
            let span = (kernel - 1).checked_mul(dilation).and_then(|s| s.checked_add(1));
            let padded = padding.checked_mul(2).and_then(|p| p.checked_add(size));
            match (span, padded) {
                (Some(span), Some(padded)) if span <= padded => Ok((padded - span) / stride + 1),
                _ => Err(Error::argument("convolution input", "a padded size that holds the kernel", size)),
            }
        };
        let (oh, ow) = (side(h, kh, 0)?, side(w, kw, 1)?);
        elements("convolution input", &input)?;
        elements("convolution weight", &weight)?;
        elements("convolution output", &[n, c_out, oh, ow])?;
        elements("convolution column", &[c_group, kh, kw, oh, ow])?;
        Ok(Self { n, c_in, h, w, c_out, kh, kw, oh, ow, options })
    }

    /// Shape of the output, `[n, c_out, oh, ow]`.
    pub fn output_shape(&self) -> [usize; 4] {
        [self.n, self.c_out, self.oh, self.ow]
    }

    /// Elements of the input.
    pub fn input_len(&self) -> usize {
        self.n * self.image_len()
    }

    /// Elements of the weight.
    pub fn weight_len(&self) -> usize {
        self.c_out * self.depth()
    }

    /// Elements of the output.
    pub fn output_len(&self) -> usize {
        self.n * self.result_len()
    }

    /// Elements of one input image.
    fn image_len(&self) -> usize {
        self.c_in * self.h * self.w
    }

    /// Elements of one output image.
    fn result_len(&self) -> usize {
        self.c_out * self.pixels()
    }

    /// Output pixels of one image.
    fn pixels(&self) -> usize {
        self.oh * self.ow
    }

    fn c_in_group(&self) -> usize {
        self.c_in / self.options.groups
    }

    fn c_out_group(&self) -> usize {
        self.c_out / self.options.groups
    }

    /// Products summed for one output element.
    fn depth(&self) -> usize {
        self.c_in_group() * self.kh * self.kw
    }

    /// One input channel for each output channel group: no matrix product to gain from.
    fn is_depthwise(&self) -> bool {
        self.options.groups > 1 && self.c_in_group() == 1
    }

    /// The input is its own column matrix.
    fn is_pointwise(&self) -> bool {
        [self.kh, self.kw] == [1, 1] && self.options.stride == [1, 1] && self.options.padding == [0, 0]
    }

    /// Output rows lowered at once, so that a column tile stays in the second-level cache.
    fn tile_rows(&self) -> usize {
        const TILE: usize = 96 * 1024;
        if self.is_pointwise() {
            return self.oh;
        }
        (TILE / (self.depth() * self.ow).max(1)).clamp(1, self.oh.max(1))
    }

    fn check(&self, input: usize, weight: usize) -> Result<()> {
        expect_len("convolution input", self.input_len(), input)?;
        expect_len("convolution weight", self.weight_len(), weight)
    }
}

#[cfg(test)]
mod tests;
