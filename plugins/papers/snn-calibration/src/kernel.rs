//! Convolution, linear layers and pooling as scatter over non-zero inputs.
//!
//! Activations of one image lie as (row, column, channel); a non-zero input adds rows of weights to the outputs it
//! reaches, contiguous in the output channel. A spike train is mostly zeros, so the same code is the fast path of the
//! clocked SNN and, on ReLU activations, a fair dense path of the ANN. Work inside one image is single-threaded;
//! callers go parallel over images.

use crate::network::{Network, Op, Shape};
use zoo_core::{Error, Result};

/// One contiguous add: `len` weights from `weight` go to the outputs from `output`.
#[derive(Clone, Copy, Debug)]
struct Tap {
    weight: u32,
    output: u32,
    len: u32,
}

/// A weighted layer prepared for scattering.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Weights as `[in][kernel row][kernel column reversed][out / groups]`: reversed, because the columns an input
    /// reaches then lie in ascending order and a whole kernel row is one span at stride 1.
    packed: Vec<f32>,
    taps: Vec<Tap>,
    /// Range of `taps` of every input position, as offsets.
    starts: Vec<u32>,
    geometry: Geometry,
}

#[derive(Clone, Copy, Debug)]
struct Geometry {
    input: Shape,
    output: Shape,
    kernel: [usize; 2],
    stride: usize,
    padding: usize,
    groups: usize,
}

impl Geometry {
    fn of(network: &Network, layer: usize) -> Result<Self> {
        let (input, output) = (network.input_shape(layer), network.shape(layer));
        match network.nodes()[layer].op {
            Op::Conv { kernel, stride, padding, groups, .. } => {
                Ok(Self { input, output, kernel: [kernel, kernel], stride, padding, groups })
            }
            // A linear layer is a convolution whose kernel covers its whole input.
            Op::Linear { .. } => Ok(Self { input, output, kernel: [input[1], input[2]], stride: 1, padding: 0, groups: 1 }),
            op => Err(Error::argument(format!("layer {layer}"), "a layer with weights", format!("{op:?}"))),
        }
    }

    fn out_per_group(&self) -> usize {
        self.output[0] / self.groups
    }

    fn in_per_group(&self) -> usize {
        self.input[0] / self.groups
    }

    /// Weights of one input channel.
    fn row(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.out_per_group()
    }

    /// Position in the packed weights of weight `[o, i, ky, kx]`, where `i` counts inside the group of `o`.
    fn packed_index(&self, o: usize, i: usize, ky: usize, kx: usize) -> usize {
        let [rows, columns] = self.kernel;
        let per_group = self.out_per_group();
        let channel = o / per_group * self.in_per_group() + i;
        ((channel * rows + ky) * columns + (columns - 1 - kx)) * per_group + o % per_group
    }

    /// Calls `visit(row-major index, packed index)` for every weight.
    fn for_each_weight(&self, mut visit: impl FnMut(usize, usize)) {
        let mut plain = 0;
        for o in 0..self.output[0] {
            for i in 0..self.in_per_group() {
                for ky in 0..self.kernel[0] {
                    for kx in 0..self.kernel[1] {
                        visit(plain, self.packed_index(o, i, ky, kx));
                        plain += 1;
                    }
                }
            }
        }
    }

    fn taps(&self) -> (Vec<Tap>, Vec<u32>) {
        let ([_, ih, iw], [oc, oh, ow]) = (self.input, self.output);
        let [kh, kw] = self.kernel;
        let per_group = self.out_per_group();
        // Output coordinate that kernel offset `k` reaches from input coordinate `at`.
        let reach = |at: usize, k: usize, limit: usize| {
            let shifted = (at + self.padding).checked_sub(k)?;
            (shifted % self.stride == 0 && shifted / self.stride < limit).then_some(shifted / self.stride)
        };
        let (mut taps, mut starts) = (Vec::<Tap>::new(), vec![0]);
        for y in 0..ih {
            for x in 0..iw {
                let first = taps.len();
                for ky in 0..kh {
                    let Some(oy) = reach(y, ky, oh) else { continue };
                    for kx in (0..kw).rev() {
                        let Some(ox) = reach(x, kx, ow) else { continue };
                        let tap = Tap {
                            weight: ((ky * kw + kw - 1 - kx) * per_group) as u32,
                            output: ((oy * ow + ox) * oc) as u32,
                            len: per_group as u32,
                        };
                        match taps[first..].last_mut() {
                            Some(last) if last.weight + last.len == tap.weight && last.output + last.len == tap.output => {
                                last.len += tap.len;
                            }
                            _ => taps.push(tap),
                        }
                    }
                }
                starts.push(taps.len() as u32);
            }
        }
        (taps, starts)
    }
}

impl Kernel {
    /// Prepares layer `layer` with weights in the usual `[out, in / groups, rows, columns]` order (a linear layer's
    /// `[out, in]` counts its inputs by channel, row, column).
    ///
    /// # Errors
    /// [`Error::Argument`] for a layer without weights, [`Error::Shape`] for another number of weights.
    pub fn new(network: &Network, layer: usize, weight: &[f32]) -> Result<Self> {
        let geometry = Geometry::of(network, layer)?;
        let len = geometry.input[0] * geometry.row();
        if weight.len() != len {
            return Err(Error::shape(format!("weight of layer {layer}"), network.weight_shape(layer), [weight.len()]));
        }
        let mut packed = vec![0.0; len];
        geometry.for_each_weight(|plain, at| packed[at] = weight[plain]);
        let (taps, starts) = geometry.taps();
        Ok(Self { packed, taps, starts, geometry })
    }

    /// The weights in the usual order.
    pub fn weight(&self) -> Vec<f32> {
        let mut weight = vec![0.0; self.packed.len()];
        self.geometry.for_each_weight(|plain, at| weight[plain] = self.packed[at]);
        weight
    }

    /// Number of weights.
    #[allow(clippy::len_without_is_empty, reason = "a layer always has weights")]
    pub fn len(&self) -> usize {
        self.packed.len()
    }

    /// The weights in scatter order, the order of [`Kernel::accumulate_gradient`].
    pub fn packed_mut(&mut self) -> &mut [f32] {
        &mut self.packed
    }

    /// Adds this layer's response to `input` onto `output`; both (row, column, channel). Returns the number of adds.
    pub fn accumulate(&self, input: &[f32], output: &mut [f32]) -> u64 {
        pulp::Arch::new().dispatch(Accumulate { kernel: self, input, output })
    }

    /// Adds the gradient of `sum(output * gradient)` with respect to the packed weights onto `into`.
    pub fn accumulate_gradient(&self, input: &[f32], gradient: &[f32], into: &mut [f32]) {
        pulp::Arch::new().dispatch(AccumulateGradient { kernel: self, input, gradient, into });
    }

    /// Calls `visit(value, offset of its packed row, group offset in the output, taps)` for every non-zero input.
    #[inline(always)]
    fn for_each_input(&self, input: &[f32], mut visit: impl FnMut(f32, usize, usize, &[Tap])) {
        let (row, channels) = (self.geometry.row(), self.geometry.input[0]);
        let (in_per_group, out_per_group) = (self.geometry.in_per_group(), self.geometry.out_per_group());
        for (position, pixel) in input.chunks_exact(channels).enumerate() {
            let taps = &self.taps[self.starts[position] as usize..self.starts[position + 1] as usize];
            for (channel, &value) in pixel.iter().enumerate() {
                if value != 0.0 {
                    visit(value, channel * row, channel / in_per_group * out_per_group, taps);
                }
            }
        }
    }
}

struct Accumulate<'a> {
    kernel: &'a Kernel,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl pulp::NullaryFnOnce for Accumulate<'_> {
    type Output = u64;

    #[inline(always)]
    fn call(self) -> u64 {
        let (packed, output) = (&self.kernel.packed, self.output);
        let mut adds = 0;
        self.kernel.for_each_input(self.input, |value, row, group, taps| {
            for tap in taps {
                let (from, to, len) = (row + tap.weight as usize, group + tap.output as usize, tap.len as usize);
                for (out, weight) in output[to..to + len].iter_mut().zip(&packed[from..from + len]) {
                    *out += value * weight;
                }
                adds += u64::from(tap.len);
            }
        });
        adds
    }
}

struct AccumulateGradient<'a> {
    kernel: &'a Kernel,
    input: &'a [f32],
    gradient: &'a [f32],
    into: &'a mut [f32],
}

impl pulp::NullaryFnOnce for AccumulateGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (gradient, into) = (self.gradient, self.into);
        self.kernel.for_each_input(self.input, |value, row, group, taps| {
            for tap in taps {
                let (to, from, len) = (row + tap.weight as usize, group + tap.output as usize, tap.len as usize);
                for (out, g) in into[to..to + len].iter_mut().zip(&gradient[from..from + len]) {
                    *out += value * g;
                }
            }
        });
    }
}

/// Average pooling of (row, column, channel) data; padding counts as zeros. Overwrites `output`.
pub fn average_pool(op: Op, input_shape: Shape, output_shape: Shape, input: &[f32], output: &mut [f32]) {
    let ([c, ih, iw], [_, _, ow]) = (input_shape, output_shape);
    let (kernel, stride, padding) = match op {
        Op::AvgPool { kernel, stride, padding } => ([kernel, kernel], stride, padding),
        _ => ([ih, iw], 1, 0),
    };
    let scale = 1.0 / (kernel[0] * kernel[1]) as f32;
    for (position, out) in output.chunks_exact_mut(c).enumerate() {
        out.fill(0.0);
        let (top, left) = (position / ow * stride, position % ow * stride);
        for y in (top..top + kernel[0]).filter_map(|y| y.checked_sub(padding)).filter(|&y| y < ih) {
            for x in (left..left + kernel[1]).filter_map(|x| x.checked_sub(padding)).filter(|&x| x < iw) {
                let pixel = &input[(y * iw + x) * c..][..c];
                out.iter_mut().zip(pixel).for_each(|(o, v)| *o += v);
            }
        }
        out.iter_mut().for_each(|o| *o *= scale);
    }
}

/// Moves the channel axis of one image last: `[c, h, w]` to `[h, w, c]`.
pub fn channels_last([c, h, w]: Shape, image: &[f32]) -> Vec<f32> {
    (0..h * w).flat_map(|p| (0..c).map(move |ch| image[ch * h * w + p])).collect()
}

/// Moves the channel axis of one image first: `[h, w, c]` to `[c, h, w]`.
pub fn channels_first([c, h, w]: Shape, image: &[f32]) -> Vec<f32> {
    (0..c).flat_map(|ch| (0..h * w).map(move |p| image[p * c + ch])).collect()
}
