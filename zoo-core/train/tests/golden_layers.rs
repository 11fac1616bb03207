//! Layers, forward and backward, against PyTorch.

use crate::support::{Golden, host, pair};
use zoo_train::burn::tensor::Tensor;
use zoo_train::ops::{self, Conv2dOptions, Pool2dOptions};

/// Checks an output and the gradients of the leaves that made it.
fn check<const D: usize>(golden: &Golden, case: &str, out: Tensor<D>, grads: impl FnOnce(&Tensor<1>) -> Vec<(&'static str, Vec<f32>)>) {
    assert_eq!(out.dims(), golden.shape::<D>(&format!("{case}/out")), "{case}: shape");
    golden.check(&format!("{case}/out"), &host(out.clone()));
    // The gradient of <out, g> with respect to out is g.
    let loss = (out * golden.tensor::<D>(&format!("{case}/grad_out"))).sum();
    for (name, grad) in grads(&loss) {
        golden.check(&format!("{case}/grad/{name}"), &grad);
    }
}

#[test]
fn conv2d() {
    let golden = Golden::open("layers");
    for (case, options) in golden.cases("conv2d") {
        let (x, w) = (golden.leaf::<4>(&format!("{case}/in/x")), golden.leaf::<4>(&format!("{case}/in/weight")));
        let bias = golden.has(&format!("{case}/in/bias")).then(|| golden.leaf::<1>(&format!("{case}/in/bias")));
        let options = Conv2dOptions {
            stride: pair(&options["stride"]),
            padding: pair(&options["padding"]),
            dilation: pair(&options["dilation"]),
            groups: options["groups"].as_u64().unwrap() as usize,
        };
        let out = ops::conv2d(x.clone(), w.clone(), bias.clone(), options).unwrap();
        check(&golden, &case, out, |loss| {
            let grads = loss.backward();
            let mut found = vec![("x", host(x.grad(&grads).unwrap())), ("weight", host(w.grad(&grads).unwrap()))];
            found.extend(bias.map(|bias| ("bias", host(bias.grad(&grads).unwrap()))));
            found
        });
    }
}

#[test]
fn conv2d_of_a_constant_input_gives_the_weight_its_gradient() {
    let golden = Golden::open("layers");
    let case = "conv2d/vgg_first";
    let (x, w) = (golden.tensor::<4>(&format!("{case}/in/x")), golden.leaf::<4>(&format!("{case}/in/weight")));
    let out = ops::conv2d(x, w.clone(), None, Conv2dOptions::padded(1)).unwrap();
    check(&golden, case, out, |loss| vec![("weight", host(w.grad(&loss.backward()).unwrap()))]);
}

#[test]
fn pooling() {
    let golden = Golden::open("layers");
    for (kind, pool) in [("avg_pool2d", ops::avg_pool2d as fn(_, _) -> _), ("max_pool2d", ops::max_pool2d)] {
        for (case, options) in golden.cases(kind) {
            let x = golden.leaf::<4>(&format!("{case}/in/x"));
            let options = Pool2dOptions {
                kernel: pair(&options["kernel"]),
                stride: pair(&options["stride"]),
                padding: pair(&options["padding"]),
                count_include_pad: options["count_include_pad"].as_bool().unwrap(),
            };
            let out = pool(x.clone(), options).unwrap();
            check(&golden, &case, out, |loss| vec![("x", host(x.grad(&loss.backward()).unwrap()))]);
        }
    }
}

fn batch_norm_case<const D: usize>(golden: &Golden, case: &str, training: bool) {
    let x = golden.leaf::<D>(&format!("{case}/in/x"));
    let (gamma, beta) = (golden.leaf::<1>(&format!("{case}/in/gamma")), golden.leaf::<1>(&format!("{case}/in/beta")));
    let (mean, var) = (golden.tensor::<1>(&format!("{case}/old_mean")), golden.tensor::<1>(&format!("{case}/old_var")));
    let out = if training {
        let (out, moments) = ops::batch_norm(x.clone(), gamma.clone(), beta.clone(), 1e-5).unwrap();
        golden.check(&format!("{case}/new_mean"), &host(mean.inner() * 0.9 + moments.mean * 0.1));
        golden.check(&format!("{case}/new_var"), &host(var.inner() * 0.9 + moments.variance * 0.1));
        out
    } else {
        ops::batch_norm_fixed(x.clone(), gamma.clone(), beta.clone(), mean, var, 1e-5).unwrap()
    };
    check(golden, case, out, |loss| {
        let grads = loss.backward();
        let grad = |t: &Tensor<1>| host(t.grad(&grads).unwrap());
        vec![("x", host(x.grad(&grads).unwrap())), ("gamma", grad(&gamma)), ("beta", grad(&beta))]
    });
}

#[test]
fn batch_norm() {
    let golden = Golden::open("layers");
    for (case, options) in golden.cases("batch_norm") {
        let training = options["training"].as_bool().unwrap();
        if case.contains("vector") {
            batch_norm_case::<2>(&golden, &case, training);
        } else {
            batch_norm_case::<4>(&golden, &case, training);
        }
    }
}

#[test]
fn linear() {
    let golden = Golden::open("layers");
    for (case, _) in golden.cases("linear") {
        let (x, w) = (golden.leaf::<2>(&format!("{case}/in/x")), golden.leaf::<2>(&format!("{case}/in/weight")));
        let bias = golden.has(&format!("{case}/in/bias")).then(|| golden.leaf::<1>(&format!("{case}/in/bias")));
        let out = ops::linear(x.clone(), w.clone(), bias.clone()).unwrap();
        check(&golden, &case, out, |loss| {
            let grads = loss.backward();
            let mut found = vec![("x", host(x.grad(&grads).unwrap())), ("weight", host(w.grad(&grads).unwrap()))];
            found.extend(bias.map(|bias| ("bias", host(bias.grad(&grads).unwrap()))));
            found
        });
    }
}

#[test]
fn cross_entropy() {
    let golden = Golden::open("layers");
    for (case, options) in golden.cases("cross_entropy") {
        let x = golden.leaf::<2>(&format!("{case}/in/x"));
        let labels: Vec<i64> = options["labels"].as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect();
        #[allow(clippy::cast_possible_truncation)]
        let out = ops::cross_entropy(x.clone(), &labels, options["smoothing"].as_f64().unwrap() as f32).unwrap();
        check(&golden, &case, out, |loss| vec![("x", host(x.grad(&loss.backward()).unwrap()))]);
    }
}
