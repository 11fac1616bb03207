//! A convolution whose kernel depends on its input (specification sections 3.1 and 3.2).

/// Sizes of a layer; kernels are 3 by 3, stride 1, padding 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Hidden width of the attention.
    pub hidden: usize,
    /// Parallel kernels.
    pub kernels: usize,
}

/// A dynamic convolution. All arrays are row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct DynamicConv {
    /// Sizes.
    pub shape: Shape,
    /// Masked kernels `[K, outputs, inputs, 3, 3]`: pruned weights are 0.
    pub weight: Vec<f32>,
    /// `[K, outputs]`.
    pub bias: Vec<f32>,
    /// `[hidden, inputs]`, no bias.
    pub fc1: Vec<f32>,
    /// `[K, hidden]`.
    pub fc2: Vec<f32>,
    /// `[K]`.
    pub fc2_bias: Vec<f32>,
}

impl Shape {
    /// Weights of one kernel.
    pub fn kernel_len(&self) -> usize {
        self.outputs * self.inputs * 9
    }
}

impl DynamicConv {
    /// Shares of the kernels for an image `[inputs, rows * columns]` at a temperature: global average, two linear maps with a
    /// rectifier between them, softmax.
    pub fn routing(&self, image: &[f32], temperature: f32) -> Vec<f32> {
        let Shape { inputs, hidden, kernels, .. } = self.shape;
        let pixels = image.len() / inputs.max(1);
        let pooled: Vec<f32> = image.chunks_exact(pixels.max(1)).map(|c| c.iter().sum::<f32>() / pixels as f32).collect();
        let map = |w: &[f32], x: &[f32]| {
            w.chunks_exact(x.len().max(1)).map(|r| r.iter().zip(x).map(|(a, b)| a * b).sum::<f32>()).collect::<Vec<_>>()
        };
        let inner: Vec<f32> = map(&self.fc1, &pooled).into_iter().map(|v| v.max(0.0)).collect();
        debug_assert_eq!(inner.len(), hidden);
        let z: Vec<f32> = map(&self.fc2, &inner).iter().zip(&self.fc2_bias).map(|(z, b)| (z + b) / temperature).collect();
        let top = z.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let e: Vec<f32> = z.iter().map(|z| (z - top).exp()).collect();
        let sum: f32 = e.iter().sum();
        debug_assert_eq!(e.len(), kernels);
        e.into_iter().map(|e| e / sum).collect()
    }

    /// The mixture of kernels and biases.
    pub fn mixture(&self, shares: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let mix = |parts: &[f32], each: usize| {
            let mut sum = vec![0.0; each];
            for (part, share) in parts.chunks_exact(each.max(1)).zip(shares) {
                sum.iter_mut().zip(part).for_each(|(s, p)| *s += share * p);
            }
            sum
        };
        (mix(&self.weight, self.shape.kernel_len()), mix(&self.bias, self.shape.outputs))
    }

    /// Output `[outputs, rows * columns]` for an image `[inputs, rows * columns]`.
    pub fn forward(&self, image: &[f32], [rows, columns]: [usize; 2], temperature: f32) -> Vec<f32> {
        let (weight, bias) = self.mixture(&self.routing(image, temperature));
        conv3x3(image, &weight, Some(&bias), self.shape.inputs, [rows, columns])
    }
}

/// A 3 by 3 convolution, stride 1, padding 1: weights `[outputs, inputs, 3, 3]`.
pub fn conv3x3(image: &[f32], weight: &[f32], bias: Option<&[f32]>, inputs: usize, [rows, columns]: [usize; 2]) -> Vec<f32> {
    let outputs = weight.len() / (inputs * 9).max(1);
    let mut out = vec![0.0; outputs * rows * columns];
    for (o, plane) in out.chunks_exact_mut((rows * columns).max(1)).enumerate() {
        plane.fill(bias.map_or(0.0, |b| b[o]));
        for (i, source) in image.chunks_exact((rows * columns).max(1)).enumerate() {
            for tap in 0..9 {
                add_tap(plane, source, weight[(o * inputs + i) * 9 + tap], tap, [rows, columns]);
            }
        }
    }
    out
}

/// Adds `weight` times the plane shifted by one of the nine taps.
pub(crate) fn add_tap(plane: &mut [f32], source: &[f32], weight: f32, tap: usize, [rows, columns]: [usize; 2]) {
    let (dy, dx) = (tap / 3, tap % 3);
    let (left, right) = (usize::from(dx == 0), columns - usize::from(dx == 2));
    for y in usize::from(dy == 0)..rows - usize::from(dy == 2) {
        let from = &source[(y + dy - 1) * columns..][..columns];
        if left >= right {
            continue;
        }
        let to = &mut plane[y * columns + left..y * columns + right];
        to.iter_mut().zip(&from[left + dx - 1..]).for_each(|(t, f)| *t += weight * f);
    }
}
