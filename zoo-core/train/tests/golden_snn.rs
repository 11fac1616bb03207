//! A whole spiking network against PyTorch: loss, first gradients, and parameters after three steps.

use crate::support;
use crate::support::Golden;
use zoo_core::Result;
use zoo_train::burn::tensor::Tensor;
use zoo_train::ops::{self, Conv2dOptions, Lif, Pool2dOptions};
use zoo_train::optim::{Optimiser, Sgd};
use zoo_train::params::ParamStore;

const STEPS: usize = 4;

fn model() -> Result<ParamStore> {
    let mut params = ParamStore::on_cpu(1);
    params.add_conv2d("conv1", [1, 8], 3, 1, false)?;
    params.add_batch_norm("bn1", 8)?;
    params.add_conv2d("conv2", [8, 12], 3, 1, false)?;
    params.add_batch_norm("bn2", 12)?;
    params.add_linear("fc", 108, 10, true)?;
    Ok(params)
}

fn forward(params: &mut ParamStore, x: Tensor<4>) -> Result<Tensor<2>> {
    let n = x.dims()[0];
    let x = x.repeat_dim(0, STEPS);
    let x = params.conv2d("conv1", x, Conv2dOptions::padded(1))?;
    let x = ops::lif(params.batch_norm("bn1", x)?, STEPS, Lif::default())?;
    let x = ops::avg_pool2d(x, Pool2dOptions::square(2))?;
    let x = params.conv2d("conv2", x, Conv2dOptions::padded(1))?;
    let x = ops::lif(params.batch_norm("bn2", x)?, STEPS, Lif::default())?;
    let x = ops::avg_pool2d(x, Pool2dOptions::square(2))?;
    let x = params.linear("fc", x.flatten::<2>(1, 3))?;
    Ok(x.reshape([STEPS, n, 10]).mean_dim(0).squeeze_dim(0))
}

#[test]
fn three_steps_of_training() {
    let golden = Golden::open("snn");
    assert_eq!(golden.case("steps").as_u64(), Some(STEPS as u64));
    let mut params = model().unwrap();
    for name in golden.names("before/") {
        params.set_values(&name, golden.values(&format!("before/{name}"))).unwrap();
    }
    let mut optimiser = Optimiser::new(Sgd { momentum: 0.9, weight_decay: 1e-3, nesterov: false });
    for step in 0..3 {
        let x = params.input(golden.values(&format!("step{step}/x")), golden.shape::<4>(&format!("step{step}/x"))).unwrap();
        let logits = forward(&mut params, x).unwrap();
        let loss = ops::cross_entropy(logits, &golden.ints(&format!("step{step}/labels")), 0.0).unwrap();
        golden.check(&format!("step{step}/loss"), &support::host(loss.clone()));
        let grads = params.backward(&loss);
        if step == 0 {
            assert_eq!(grads.by_name.keys().cloned().collect::<Vec<_>>(), golden.names("grad/"));
            for (name, grad) in &grads.by_name {
                golden.check(&format!("grad/{name}"), grad);
            }
        }
        optimiser.step(&mut params, &grads, 0.05).unwrap();
    }
    let weights = params.weights().unwrap();
    assert_eq!(weights.tensors.keys().cloned().collect::<Vec<_>>(), golden.names("after/"));
    for (name, tensor) in &weights.tensors {
        golden.check(&format!("after/{name}"), tensor.as_slice().unwrap());
    }
}
