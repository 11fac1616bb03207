//! A convolution that only does the work its mask leaves.
//!
//! Images are laid out with a border of zeros, so that a tap of a kernel is one run of multiply-adds over a whole plane;
//! a tap that no kernel keeps costs nothing. The time of a layer falls with the density of the mixture.

use crate::layer::DynamicConv;

/// Taps that are taken together, so that a plane of sums is read and written once for all of them.
const TOGETHER: usize = 4;

/// A tap of the mixture that some kernel keeps.
#[derive(Clone, Copy, Debug)]
struct Tap {
    /// Place in a kernel.
    place: u32,
    /// Input channel.
    input: u32,
    /// Place among the nine.
    tap: u32,
}

/// A dynamic convolution with the taps listed that any kernel keeps.
#[derive(Clone, Debug)]
pub struct SparseConv<'a> {
    conv: &'a DynamicConv,
    /// By output channel.
    kept: Vec<Vec<Tap>>,
}

impl<'a> SparseConv<'a> {
    /// Lists the taps once for all images.
    pub fn new(conv: &'a DynamicConv) -> Self {
        let each = conv.shape.inputs * 9;
        let size = conv.shape.kernel_len();
        let any = |place: &usize| (0..conv.shape.kernels).any(|k| conv.weight[k * size + place] != 0.0);
        #[allow(clippy::cast_possible_truncation, reason = "a kernel has far fewer weights than 2^32")]
        let tap = |place: usize| Tap { place: place as u32, input: (place % each / 9) as u32, tap: (place % 9) as u32 };
        let kept = (0..conv.shape.outputs).map(|o| (o * each..(o + 1) * each).filter(any).map(tap).collect()).collect();
        Self { conv, kept }
    }

    /// Taps of the mixture.
    pub fn taps(&self) -> usize {
        self.kept.iter().map(Vec::len).sum()
    }

    /// As [`DynamicConv::forward`]: each sum takes its products in the same order, so results are equal.
    pub fn forward(&self, image: &[f32], [rows, columns]: [usize; 2], temperature: f32) -> Vec<f32> {
        let conv = self.conv;
        let shares = conv.routing(image, temperature);
        let (weight, bias) = self.mixture(&shares);
        let wide = columns + 2;
        let (plane, work) = ((rows + 2) * wide, rows * wide);
        // Two numbers more, so that the last tap of the last plane reads inside.
        let mut padded = vec![0.0; conv.shape.inputs * plane + 2];
        for (to, from) in padded.chunks_exact_mut(plane).zip(image.chunks_exact((rows * columns).max(1))) {
            for (y, row) in from.chunks_exact(columns.max(1)).enumerate() {
                to[(y + 1) * wide + 1..][..columns].copy_from_slice(row);
            }
        }
        let mut out = Vec::with_capacity(conv.shape.outputs * rows * columns);
        let mut sums = vec![0.0f32; work];
        let mut weights = weight.as_slice();
        for (kept, bias) in self.kept.iter().zip(bias) {
            sums.fill(bias);
            let (own, rest) = weights.split_at(kept.len());
            weights = rest;
            let source = |tap: &Tap| {
                let at = tap.input as usize * plane + tap.tap as usize / 3 * wide + tap.tap as usize % 3;
                &padded[at..at + work]
            };
            let whole = kept.chunks_exact(TOGETHER);
            let last = whole.remainder();
            for (taps, w) in whole.zip(own.chunks_exact(TOGETHER)) {
                let [a, b, c, d] = [source(&taps[0]), source(&taps[1]), source(&taps[2]), source(&taps[3])];
                for ((((s, a), b), c), d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                    *s = *s + w[0] * a + w[1] * b + w[2] * c + w[3] * d;
                }
            }
            for (tap, w) in last.iter().zip(&own[kept.len() - last.len()..]) {
                sums.iter_mut().zip(source(tap)).for_each(|(s, x)| *s += w * x);
            }
            // Two sums a row lie in the border.
            sums.chunks_exact(wide).for_each(|row| out.extend_from_slice(&row[..columns]));
        }
        out
    }

    /// Mixed weights of the kept taps in order, and mixed biases.
    fn mixture(&self, shares: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (conv, size) = (self.conv, self.conv.shape.kernel_len());
        let mut weight = vec![0.0; self.taps()];
        let mut bias = vec![0.0; conv.shape.outputs];
        for (k, share) in shares.iter().enumerate() {
            let kernel = &conv.weight[k * size..][..size];
            for (sum, tap) in weight.iter_mut().zip(self.kept.iter().flatten()) {
                *sum += share * kernel[tap.place as usize];
            }
            bias.iter_mut().zip(&conv.bias[k * conv.shape.outputs..]).for_each(|(sum, b)| *sum += share * b);
        }
        (weight, bias)
    }
}
