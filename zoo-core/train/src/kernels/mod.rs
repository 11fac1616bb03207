//! Layer kernels over plain `f32` slices, forward and backward.
//!
//! Every kernel is described by a small geometry value that checks all lengths once ([`Conv2d`], [`Pool2d`],
//! [`BatchNorm`], [`Linear`], [`Lif`], [`MultiSpikeIf`]); its methods then read and write slices the caller owns. Images
//! are row-major `[N, C, H, W]`. Nothing here knows the training engine, so a plugin can use them for native inference.
//!
//! Work is spread over the current `rayon` pool. Sums over the batch are split by shape, never by the number of
//! threads, and joined in a fixed order, so results repeat bit for bit on one machine.

mod batch_norm;
mod conv2d;
mod lanes;
mod linear;
mod local_ncc;
mod matmul;
mod neuron;
mod pool;
mod warp;

pub use batch_norm::{BatchNorm, BatchStats};
pub use conv2d::{Conv2d, Conv2dGrads, Conv2dOptions};
pub use linear::Linear;
pub use local_ncc::LocalNcc;
pub use matmul::{MatMut, MatRef, Threads, matmul};
pub use neuron::{Lif, MultiSpikeIf};
pub use pool::{Pool2d, Pool2dOptions};
pub use warp::Warp;

use zoo_core::{Error, Result};

/// Working memory that kernels grow once and then reuse, so that repeated calls of one shape allocate nothing large.
#[derive(Debug, Default)]
pub struct Scratch {
    buffer: Vec<f32>,
}

impl Scratch {
    /// No memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The first `len` elements, of unspecified content.
    pub(crate) fn take(&mut self, len: usize) -> &mut [f32] {
        if self.buffer.len() < len {
            self.buffer.resize(len, 0.0);
        }
        &mut self.buffer[..len]
    }
}

/// Checks the length of a slice that a caller handed over.
pub(crate) fn expect_len(what: &'static str, expected: usize, found: usize) -> Result<()> {
    if expected == found { Ok(()) } else { Err(Error::shape(what, [expected], [found])) }
}

/// The product of `shape`, refusing what does not fit memory.
pub(crate) fn elements(what: &'static str, shape: &[usize]) -> Result<usize> {
    shape
        .iter()
        .try_fold(1usize, |n, &d| n.checked_mul(d))
        .filter(|&n| n <= isize::MAX as usize / 4)
        .ok_or_else(|| Error::shape(what, "a size that fits memory", shape))
}
