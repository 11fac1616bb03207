//! Differentiable operations of the training engine over this crate's [`kernels`](crate::kernels).
//!
//! On the CPU device each call is one node of the graph with a backward pass written by hand. On any other device the
//! same functions are built from the engine's own operations; that road is compiled with the feature `cuda` and has
//! not been run on a GPU.
//!
//! All tensors are `f32`. A shape that does not fit is an error here, not a panic in the engine.

mod batch_norm;
mod conv;
mod host;
mod loss;
mod neuron;
mod pool;
mod registration;

pub use crate::kernels::{Conv2dOptions, Lif, MultiSpikeIf, Pool2dOptions};
pub use batch_norm::{BatchMoments, batch_norm, batch_norm_fixed};
pub use conv::{conv_transpose2x2, conv2d, linear};
pub use loss::{count_correct, cross_entropy, mean_squared_error};
pub use neuron::{lif, multi_spike_if};
pub use pool::{avg_pool2d, max_pool2d};
pub use registration::{local_ncc, warp};

use burn::backend::DispatchDevice;
use burn::tensor::{DType, Tensor};
use zoo_core::{Error, Result};

/// Whether the kernels can read the tensor's memory.
fn on_host<const D: usize>(x: &Tensor<D>) -> bool {
    #[allow(unreachable_patterns, reason = "with the CPU backend alone these are all there are")]
    match x.device().as_dispatch() {
        DispatchDevice::Flex(_) => true,
        DispatchDevice::Autodiff(inner) => matches!(**inner, DispatchDevice::Flex(_)),
        _ => false,
    }
}

fn expect_f32<const D: usize>(what: &str, x: &Tensor<D>) -> Result<()> {
    match x.dtype() {
        DType::F32 => Ok(()),
        found => Err(Error::DType { what: what.into(), expected: "f32".into(), found: format!("{found:?}") }),
    }
}

fn expect_dims<const D: usize>(what: &str, x: &Tensor<D>, dims: [usize; D]) -> Result<()> {
    expect_f32(what, x)?;
    if x.dims() == dims { Ok(()) } else { Err(Error::shape(what, dims, x.dims())) }
}
