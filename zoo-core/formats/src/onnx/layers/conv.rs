//! Convolution, pooling and resampling, over any number of spatial axes.

use crate::error::Result;
use crate::onnx::{Graph, Node, Value};

/// Settings of a convolution; one number an axis, and an empty list means 1 (0 for padding).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conv {
    /// Step of the kernel.
    pub strides: Vec<i64>,
    /// Zeros in front of every axis, then behind every axis.
    pub pads: Vec<i64>,
    /// Distance between the kernel's elements.
    pub dilations: Vec<i64>,
    /// Number of groups that channels are split into.
    pub groups: i64,
    /// Extra length of the output of a transposed convolution.
    pub output_padding: Vec<i64>,
}

impl Default for Conv {
    fn default() -> Self {
        Self { strides: Vec::new(), pads: Vec::new(), dilations: Vec::new(), groups: 1, output_padding: Vec::new() }
    }
}

impl Conv {
    /// A two-dimensional convolution with the same stride and symmetric padding on both axes.
    pub fn square(stride: i64, padding: i64) -> Self {
        Self { strides: vec![stride; 2], pads: vec![padding; 4], ..Self::default() }
    }

    /// The same with channels in groups.
    #[must_use]
    pub fn groups(mut self, groups: i64) -> Self {
        self.groups = groups;
        self
    }

    fn node(&self, op: &str, x: Value, weight: Value, bias: Option<Value>) -> Node {
        let node = Node::new(op).input(x).input(weight).optional(bias);
        let lists =
            [("strides", &self.strides), ("pads", &self.pads), ("dilations", &self.dilations), ("output_padding", &self.output_padding)];
        let node = lists.into_iter().filter(|(_, list)| !list.is_empty()).fold(node, |node, (name, list)| node.attr(name, list.as_slice()));
        if self.groups == 1 { node } else { node.attr("group", self.groups) }
    }
}

/// Settings of a pooling window; one number an axis, and an empty list means 1 (0 for padding).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// Size of the window.
    pub kernel: Vec<i64>,
    /// Step of the window.
    pub strides: Vec<i64>,
    /// Padding in front of every axis, then behind every axis.
    pub pads: Vec<i64>,
    /// Whether a window that reaches over the end counts.
    pub ceil: bool,
    /// Whether padding counts in the divisor of an average.
    pub count_include_pad: bool,
}

impl Pool {
    /// A square two-dimensional window without padding.
    pub fn square(kernel: i64, stride: i64) -> Self {
        Self { kernel: vec![kernel; 2], strides: vec![stride; 2], ..Self::default() }
    }

    fn node(&self, op: &str, x: Value) -> Node {
        let node = Node::new(op).input(x).attr("kernel_shape", self.kernel.as_slice());
        let lists = [("strides", &self.strides), ("pads", &self.pads)];
        let node = lists.into_iter().filter(|(_, list)| !list.is_empty()).fold(node, |node, (name, list)| node.attr(name, list.as_slice()));
        if self.ceil { node.attr("ceil_mode", true) } else { node }
    }
}

/// How [`Graph::resize`] computes new elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResizeMode {
    /// The nearest element, as PyTorch's `nearest`.
    Nearest,
    /// Linear interpolation with half-pixel centres, as PyTorch's `bilinear` without `align_corners`.
    Linear,
    /// Linear interpolation with corners aligned.
    LinearAlignCorners,
}

impl Graph {
    /// Convolution. `x` is `[N, C, ...]`, `weight` `[M, C / groups, ...]`, `bias` `[M]`.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if shapes or settings do not fit.
    pub fn conv(&mut self, x: Value, weight: Value, bias: Option<Value>, settings: &Conv) -> Result<Value> {
        self.insert_one(settings.node("Conv", x, weight, bias))
    }

    /// Transposed convolution. `x` is `[N, C, ...]`, `weight` `[C, M / groups, ...]`, `bias` `[M]`.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if shapes or settings do not fit.
    pub fn conv_transpose(&mut self, x: Value, weight: Value, bias: Option<Value>, settings: &Conv) -> Result<Value> {
        self.insert_one(settings.node("ConvTranspose", x, weight, bias))
    }

    /// Greatest element of each window; `x` is `[N, C, ...]`.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if shapes or settings do not fit.
    pub fn max_pool(&mut self, x: Value, settings: &Pool) -> Result<Value> {
        self.insert_one(settings.node("MaxPool", x))
    }

    /// Mean of each window; `x` is `[N, C, ...]`.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if shapes or settings do not fit.
    pub fn average_pool(&mut self, x: Value, settings: &Pool) -> Result<Value> {
        let node = settings.node("AveragePool", x);
        let node = if settings.count_include_pad { node.attr("count_include_pad", true) } else { node };
        self.insert_one(node)
    }

    /// Mean over all spatial axes, which stay with length 1; `x` is `[N, C, ...]`.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if there are no spatial axes.
    pub fn global_average_pool(&mut self, x: Value) -> Result<Value> {
        self.node("GlobalAveragePool", &[x], [])
    }

    /// Resamples all axes by `scales`, one an axis.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if there is not one positive scale an axis.
    pub fn resize(&mut self, x: Value, scales: &[f32], mode: ResizeMode) -> Result<Value> {
        let scales = self.constant(&zoo_core::Tensor::from_vec([scales.len()], scales.to_vec())?)?;
        let node = Node::new("Resize").input(x).optional(None).input(scales);
        self.insert_one(mode.apply(node))
    }

    /// Resamples all axes to `sizes`, one an axis.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if there is not one size an axis.
    pub fn resize_to(&mut self, x: Value, sizes: &[i64], mode: ResizeMode) -> Result<Value> {
        let sizes = self.ints(sizes)?;
        let node = Node::new("Resize").input(x).optional(None).optional(None).input(sizes);
        self.insert_one(mode.apply(node))
    }

    /// Samples `x` `[N, C, H, W]` at the points of `grid` `[N, H', W', 2]` in [-1, 1], bilinearly, zeros outside.
    ///
    /// # Errors
    /// [`crate::Error::UnknownOperator`] before opset 16, [`crate::Error::Operator`] if shapes do not fit.
    pub fn grid_sample(&mut self, x: Value, grid: Value, align_corners: bool) -> Result<Value> {
        let mode = if self.opset() >= 20 { "linear" } else { "bilinear" };
        self.node("GridSample", &[x, grid], [("mode", mode.into()), ("align_corners", align_corners.into())])
    }
}

impl ResizeMode {
    fn apply(self, node: Node) -> Node {
        match self {
            Self::Nearest => {
                node.attr("mode", "nearest").attr("coordinate_transformation_mode", "asymmetric").attr("nearest_mode", "floor")
            }
            Self::Linear => node.attr("mode", "linear").attr("coordinate_transformation_mode", "half_pixel"),
            Self::LinearAlignCorners => node.attr("mode", "linear").attr("coordinate_transformation_mode", "align_corners"),
        }
    }
}
