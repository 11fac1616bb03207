//! The two networks that are timed; `bench/peer.py` holds the same in PyTorch.

use crate::ops::{self, Conv2dOptions, Lif, Pool2dOptions};
use crate::optim::{Optimiser, Sgd};
use crate::params::{ParamStore, to_host};
use burn::tensor::{Tensor, activation, module, ops::InterpolateMode, ops::InterpolateOptions};
use rand::Rng;
use zoo_core::Result;

/// One training step on a fixed batch.
pub(super) trait Net {
    /// Images of the batch.
    fn images(&self) -> usize;

    /// Runs one step and returns the loss.
    fn step(&mut self) -> Result<f32>;
}

/// State of both networks.
struct Common {
    params: ParamStore,
    optimiser: Optimiser,
    input: Vec<f32>,
}

impl Common {
    fn new(input: usize) -> Self {
        let params = ParamStore::on_cpu(1);
        let mut rng = params.seeds().stream("input", 0);
        let input = (0..input).map(|_| rng.random::<f32>()).collect();
        Self { params, optimiser: Optimiser::new(Sgd { momentum: 0.9, ..Sgd::default() }), input }
    }

    fn finish(&mut self, loss: &Tensor<1>) -> Result<f32> {
        let grads = self.params.backward(loss);
        self.optimiser.step(&mut self.params, &grads, 0.05)?;
        Ok(to_host(loss.clone()).first().copied().unwrap_or(f32::NAN))
    }
}

/// Spiking VGG over 4 time steps, batch 64 of 1 x 28 x 28: convolutions 16, 16, A, 32, 32, A, 48, 48, 48, each with
/// batch norm and LIF; A is average pooling by 2; then a linear layer and the mean over time.
pub(super) struct VggSnn(Common);

const STEPS: usize = 4;
const BATCH: usize = 64;
const PLAN: [(usize, bool); 7] = [(16, false), (16, true), (32, false), (32, true), (48, false), (48, false), (48, false)];

impl VggSnn {
    pub(super) fn new() -> Result<Self> {
        let mut common = Common::new(BATCH * 784);
        let mut c_in = 1;
        for (i, (c_out, _)) in PLAN.into_iter().enumerate() {
            common.params.add_conv2d(&format!("conv{i}"), [c_in, c_out], 3, 1, false)?;
            common.params.add_batch_norm(&format!("bn{i}"), c_out)?;
            c_in = c_out;
        }
        common.params.add_linear("fc", c_in * 49, 10, true)?;
        Ok(Self(common))
    }
}

impl Net for VggSnn {
    fn images(&self) -> usize {
        BATCH
    }

    fn step(&mut self) -> Result<f32> {
        let params = &mut self.0.params;
        let mut x = params.input(self.0.input.clone(), [BATCH, 1, 28, 28])?.repeat_dim(0, STEPS);
        for (i, (_, pool)) in PLAN.into_iter().enumerate() {
            x = params.conv2d(&format!("conv{i}"), x, Conv2dOptions::padded(1))?;
            x = ops::lif(params.batch_norm(&format!("bn{i}"), x)?, STEPS, Lif::default())?;
            if pool {
                x = ops::avg_pool2d(x, Pool2dOptions::square(2))?;
            }
        }
        let x = params.linear("fc", x.flatten(1, 3))?.reshape([STEPS, BATCH, 10]).mean_dim(0).squeeze_dim(0);
        let labels: Vec<i64> = (0..BATCH as i64).map(|i| i % 10).collect();
        let loss = ops::cross_entropy(x, &labels, 0.0)?;
        self.0.finish(&loss)
    }
}

/// U-Net on 4 images of 1 x 128 x 128 with 16, 32 and 64 channels: two 3 x 3 convolutions a level, each with batch
/// norm and ReLU, maximum pooling, nearest upsampling, a 1 x 1 head and the mean squared error.
pub(super) struct UNet(Common);

const SIDE: usize = 128;
const LEVELS: [(&str, usize, usize); 5] = [("a", 1, 16), ("b", 16, 32), ("c", 32, 64), ("d", 96, 32), ("e", 48, 16)];

impl UNet {
    pub(super) fn new() -> Result<Self> {
        let mut common = Common::new(4 * SIDE * SIDE);
        for (name, c_in, c_out) in LEVELS {
            for (part, c_in) in [("1", c_in), ("2", c_out)] {
                common.params.add_conv2d(&format!("{name}{part}.conv"), [c_in, c_out], 3, 1, false)?;
                common.params.add_batch_norm(&format!("{name}{part}.bn"), c_out)?;
            }
        }
        common.params.add_conv2d("head", [16, 1], 1, 1, true)?;
        Ok(Self(common))
    }

    fn level(&mut self, name: &str, mut x: Tensor<4>) -> Result<Tensor<4>> {
        for part in ["1", "2"] {
            x = self.0.params.conv2d(&format!("{name}{part}.conv"), x, Conv2dOptions::padded(1))?;
            x = activation::relu(self.0.params.batch_norm(&format!("{name}{part}.bn"), x)?);
        }
        Ok(x)
    }
}

fn up(x: Tensor<4>) -> Tensor<4> {
    let [_, _, h, w] = x.dims();
    module::interpolate(x, InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([2 * h, 2 * w]))
}

impl Net for UNet {
    fn images(&self) -> usize {
        4
    }

    fn step(&mut self) -> Result<f32> {
        let x = self.0.params.input(self.0.input.clone(), [4, 1, SIDE, SIDE])?;
        let a = self.level("a", x.clone())?;
        let b = self.level("b", ops::max_pool2d(a.clone(), Pool2dOptions::square(2))?)?;
        let c = self.level("c", ops::max_pool2d(b.clone(), Pool2dOptions::square(2))?)?;
        let d = self.level("d", Tensor::cat(vec![up(c), b], 1))?;
        let e = self.level("e", Tensor::cat(vec![up(d), a], 1))?;
        let y = self.0.params.conv2d("head", e, Conv2dOptions::default())?;
        let loss = ops::mean_squared_error(y, x)?;
        self.0.finish(&loss)
    }
}
