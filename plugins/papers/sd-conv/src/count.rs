//! What a layer costs, exactly (specification section 3.5).

use crate::layer::DynamicConv;

/// Costs of a dynamic convolution on one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Cost {
    /// Nonzero weights of all kernels; a place where they all agree is stored once.
    pub nonzeros: u64,
    /// Weights of all kernels, kept or not.
    pub dense: u64,
    /// Bits of the masks: one a weight, of one kernel if all masks are equal.
    pub mask_bits: u64,
    /// Bytes of column indices of compressed rows (4 a nonzero and 4 a row end).
    pub csr_index_bytes: u64,
    /// Parameters of the attention and the biases.
    pub attention: u64,
    /// Places where any kernel is nonzero.
    pub union: u64,
    /// Multiply-adds of attention, mixture and convolution.
    pub macs: u64,
    /// Multiply-adds with all weights kept.
    pub dense_macs: u64,
}

/// Counts a layer at an output of `pixels` places.
pub fn cost(conv: &DynamicConv, pixels: u64) -> Cost {
    let shape = conv.shape;
    let size = shape.kernel_len();
    let kernels: Vec<&[f32]> = conv.weight.chunks_exact(size.max(1)).collect();
    // A static kernel that fills the places a mask leaves out is the same for all.
    let stored = |p: usize| {
        let first = kernels[0][p];
        if kernels.iter().all(|k| k[p].to_bits() == first.to_bits()) {
            usize::from(first != 0.0)
        } else {
            kernels.iter().filter(|k| k[p] != 0.0).count()
        }
    };
    let nonzeros = (0..if kernels.is_empty() { 0 } else { size }).map(stored).sum::<usize>() as u64;
    let union = (0..size).filter(|&p| kernels.iter().any(|k| k[p] != 0.0)).count() as u64;
    let equal = kernels.windows(2).all(|pair| pair[0].iter().zip(pair[1]).all(|(a, b)| (*a == 0.0) == (*b == 0.0)));
    let dense = conv.weight.len() as u64;
    let two_maps = (conv.fc1.len() + conv.fc2.len()) as u64;
    let pooling = shape.inputs as u64 * pixels;
    Cost {
        nonzeros,
        dense,
        mask_bits: if equal { size as u64 } else { dense },
        csr_index_bytes: 4 * nonzeros + 4 * (shape.kernels * shape.outputs + 1) as u64,
        attention: two_maps + (conv.fc2_bias.len() + conv.bias.len()) as u64,
        union,
        macs: pooling + two_maps + nonzeros + pixels * union,
        dense_macs: pooling + two_maps + dense + pixels * size as u64,
    }
}
