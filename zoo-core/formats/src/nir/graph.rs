//! The graph as a file has it.

use std::collections::BTreeMap;
use zoo_core::Tensor;

/// A graph of nodes by name. Several edges into a node mean the sum of what they bring.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NirGraph {
    /// Version of the package that wrote the file; empty for a nested graph.
    pub version: String,
    /// Nodes by name.
    pub nodes: BTreeMap<String, NirNode>,
    /// (from, to), in the order of the file.
    pub edges: Vec<(String, String)>,
}

/// Parameters of a convolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    /// `[C_out, C_in / groups, K]` or `[C_out, C_in / groups, K_y, K_x]`.
    pub weight: Tensor,
    /// `[C_out]`; zeros where there is no bias, for NIR demands one.
    pub bias: Tensor,
    /// Length of the input along each axis, if the file says.
    pub input_shape: Option<Vec<usize>>,
    /// Step of the window.
    pub stride: Vec<usize>,
    /// Zeros on each side.
    pub padding: Vec<usize>,
    /// Distance of taps.
    pub dilation: Vec<usize>,
    /// Channel groups.
    pub groups: usize,
}

/// Parameters of a pool, y then x.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Window.
    pub kernel_size: [usize; 2],
    /// Step of the window.
    pub stride: [usize; 2],
    /// Zeros on each side.
    pub padding: [usize; 2],
}

/// A node. Neuron parameters are arrays, one value a neuron or one for all; time constants and delays are in seconds, `r`
/// and voltages without unit. A missing `v_reset` means zeros.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the fields are those of the NIR specification, described at each variant")]
pub enum NirNode {
    /// Where data enter; shape without batch and time.
    Input { shape: Vec<usize> },
    /// Where data leave.
    Output { shape: Vec<usize> },
    /// `weight * x + bias`.
    Affine { weight: Tensor, bias: Tensor },
    /// `weight * x`.
    Linear { weight: Tensor },
    /// Element-wise product.
    Scale { scale: Tensor },
    /// 1 where `x > threshold`, else 0; no state.
    Threshold { threshold: Tensor },
    /// One-dimensional convolution.
    Conv1d(Conv),
    /// Two-dimensional convolution.
    Conv2d(Conv),
    /// Sum over windows.
    SumPool2d(Pool),
    /// Mean over windows.
    AvgPool2d(Pool),
    /// Axes `start_dim..=end_dim` become one; the batch is not counted and -1 is the last axis.
    Flatten { start_dim: i64, end_dim: i64, input_type: Option<Vec<usize>> },
    /// The input of `delay` seconds ago.
    Delay { delay: Tensor },
    /// `dv/dt = r x`.
    I { r: Tensor },
    /// `dv/dt = r x`, firing.
    If { r: Tensor, v_threshold: Tensor, v_reset: Option<Tensor> },
    /// `tau dv/dt = (v_leak - v) + r x`.
    Li { tau: Tensor, r: Tensor, v_leak: Tensor },
    /// As `Li`, firing.
    Lif { tau: Tensor, r: Tensor, v_leak: Tensor, v_threshold: Tensor, v_reset: Option<Tensor> },
    /// `tau_syn di/dt = -i + w_in x ; tau_mem dv/dt = (v_leak - v) + r i`.
    CubaLi { tau_mem: Tensor, tau_syn: Tensor, r: Tensor, v_leak: Tensor, w_in: Option<Tensor> },
    /// As `CubaLi`, firing.
    CubaLif {
        tau_mem: Tensor,
        tau_syn: Tensor,
        r: Tensor,
        v_leak: Tensor,
        w_in: Option<Tensor>,
        v_threshold: Tensor,
        v_reset: Option<Tensor>,
    },
    /// A nested graph.
    Graph(NirGraph),
}

impl NirNode {
    /// The kinds there are, as files name them.
    pub const KINDS: [&'static str; 19] = [
        "Input",
        "Output",
        "Affine",
        "Linear",
        "Scale",
        "Threshold",
        "Conv1d",
        "Conv2d",
        "SumPool2d",
        "AvgPool2d",
        "Flatten",
        "Delay",
        "I",
        "IF",
        "LI",
        "LIF",
        "CubaLI",
        "CubaLIF",
        "NIRGraph",
    ];

    /// The kind, as files name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Input { .. } => "Input",
            Self::Output { .. } => "Output",
            Self::Affine { .. } => "Affine",
            Self::Linear { .. } => "Linear",
            Self::Scale { .. } => "Scale",
            Self::Threshold { .. } => "Threshold",
            Self::Conv1d(_) => "Conv1d",
            Self::Conv2d(_) => "Conv2d",
            Self::SumPool2d(_) => "SumPool2d",
            Self::AvgPool2d(_) => "AvgPool2d",
            Self::Flatten { .. } => "Flatten",
            Self::Delay { .. } => "Delay",
            Self::I { .. } => "I",
            Self::If { .. } => "IF",
            Self::Li { .. } => "LI",
            Self::Lif { .. } => "LIF",
            Self::CubaLi { .. } => "CubaLI",
            Self::CubaLif { .. } => "CubaLIF",
            Self::Graph(_) => "NIRGraph",
        }
    }
}
