//! A convolution that only does the work its mask leaves.

use crate::layer::{DynamicConv, add_tap};

/// A dynamic convolution with the taps listed that any kernel keeps.
#[derive(Clone, Debug)]
pub struct SparseConv<'a> {
    conv: &'a DynamicConv,
    /// Places in a kernel that any of the parallel kernels keeps, by output channel.
    kept: Vec<Vec<u32>>,
}

impl<'a> SparseConv<'a> {
    /// Lists the taps once for all images.
    pub fn new(conv: &'a DynamicConv) -> Self {
        let each = conv.shape.inputs * 9;
        let size = conv.shape.kernel_len();
        let any = |place: usize| (0..conv.shape.kernels).any(|k| conv.weight[k * size + place] != 0.0);
        #[allow(clippy::cast_possible_truncation, reason = "a kernel has far fewer weights than 2^32")]
        let kept = (0..conv.shape.outputs).map(|o| (o * each..(o + 1) * each).filter(|&p| any(p)).map(|p| p as u32).collect()).collect();
        Self { conv, kept }
    }

    /// Taps of the mixture.
    pub fn taps(&self) -> usize {
        self.kept.iter().map(Vec::len).sum()
    }

    /// As [`DynamicConv::forward`], up to the order of nothing: sums run in the same order, so results are equal.
    pub fn forward(&self, image: &[f32], [rows, columns]: [usize; 2], temperature: f32) -> Vec<f32> {
        let conv = self.conv;
        let (size, each) = (conv.shape.kernel_len(), rows * columns);
        let shares = conv.routing(image, temperature);
        let mut out = vec![0.0; conv.shape.outputs * each];
        for (o, (plane, kept)) in out.chunks_exact_mut(each.max(1)).zip(&self.kept).enumerate() {
            let mix = |at: usize, stride: usize, parts: &[f32]| {
                shares.iter().enumerate().fold(0.0, |sum, (k, share)| sum + share * parts[k * stride + at])
            };
            plane.fill(mix(o, conv.shape.outputs, &conv.bias));
            for &place in kept {
                let place = place as usize;
                let (input, tap) = (place % (conv.shape.inputs * 9) / 9, place % 9);
                add_tap(plane, &image[input * each..][..each], mix(place, size, &conv.weight), tap, [rows, columns]);
            }
        }
        out
    }
}
