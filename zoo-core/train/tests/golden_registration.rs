//! Warping, local correlation and transposed convolution, forward and backward, against PyTorch.

use crate::support::{Golden, host};
use proptest::prelude::*;
use zoo_train::burn::tensor::Tensor;
use zoo_train::kernels::{LocalNcc, Warp};
use zoo_train::ops;

/// Shape and values of a golden tensor of any rank.
fn flat(golden: &Golden, name: &str) -> Vec<f32> {
    golden.values(name)
}

fn shape(case: &str) -> Vec<usize> {
    if case.contains("plane") { vec![2, 1, 7, 9] } else { vec![2, 1, 5, 4, 6] }
}

#[test]
fn warping_kernels_on_planes_and_volumes() {
    let golden = Golden::open("registration");
    for (case, _) in golden.cases("warp") {
        let mut shape = shape(&case);
        shape[1] = 2;
        let warp = Warp::new(&shape).unwrap();
        let (image, field) = (flat(&golden, &format!("{case}/in/image")), flat(&golden, &format!("{case}/in/displacement")));
        let mut out = vec![0.0; warp.image_len()];
        warp.forward(&image, &field, &mut out).unwrap();
        golden.check(&format!("{case}/out"), &out);
        let (mut to_image, mut to_field) = (vec![0.0; image.len()], vec![0.0; field.len()]);
        let grad = flat(&golden, &format!("{case}/grad_out"));
        warp.backward(&image, &field, &grad, Some(&mut to_image), Some(&mut to_field)).unwrap();
        golden.check(&format!("{case}/grad/image"), &to_image);
        golden.check(&format!("{case}/grad/displacement"), &to_field);
    }
}

#[test]
fn correlation_kernels_on_planes_and_volumes() {
    let golden = Golden::open("registration");
    for (case, settings) in golden.cases("local_ncc") {
        let ncc = LocalNcc::new(&shape(&case), settings["window"].as_u64().unwrap() as usize, settings["eps"].as_f64().unwrap()).unwrap();
        let (a, b) = (flat(&golden, &format!("{case}/in/a")), flat(&golden, &format!("{case}/in/b")));
        let mut out = vec![0.0; ncc.len()];
        ncc.forward(&a, &b, &mut out).unwrap();
        golden.check(&format!("{case}/out"), &out);
        let (mut to_a, mut to_b) = (vec![0.0; a.len()], vec![0.0; b.len()]);
        ncc.backward(&a, &b, &flat(&golden, &format!("{case}/grad_out")), Some(&mut to_a), Some(&mut to_b)).unwrap();
        golden.check(&format!("{case}/grad/a"), &to_a);
        golden.check(&format!("{case}/grad/b"), &to_b);
    }
}

#[test]
fn operations_of_the_engine() {
    let golden = Golden::open("registration");
    let (image, field) = (golden.leaf::<4>("warp/plane/in/image"), golden.leaf::<4>("warp/plane/in/displacement"));
    let out = ops::warp(image.clone(), field.clone()).unwrap();
    let grads = (out * golden.tensor::<4>("warp/plane/grad_out")).sum().backward();
    golden.check("warp/plane/grad/image", &host(image.grad(&grads).unwrap()));
    golden.check("warp/plane/grad/displacement", &host(field.grad(&grads).unwrap()));

    let case = "local_ncc/plane_5";
    let (a, b) = (golden.leaf::<4>(&format!("{case}/in/a")), golden.tensor::<4>(&format!("{case}/in/b")));
    let out = ops::local_ncc(a.clone(), b, 5, 0.5).unwrap();
    golden.check(&format!("{case}/out"), &host(out.clone()));
    let grads = (out * golden.tensor::<4>(&format!("{case}/grad_out"))).sum().backward();
    golden.check(&format!("{case}/grad/a"), &host(a.grad(&grads).unwrap()));

    let case = "conv_transpose/2x2";
    let [x, weight] = ["x", "weight"].map(|name| golden.leaf::<4>(&format!("{case}/in/{name}")));
    let bias: Tensor<1> = golden.leaf(&format!("{case}/in/bias"));
    let out = ops::conv_transpose2x2(x.clone(), weight.clone(), bias.clone()).unwrap();
    golden.check(&format!("{case}/out"), &host(out.clone()));
    let grads = (out * golden.tensor::<4>(&format!("{case}/grad_out"))).sum().backward();
    golden.check(&format!("{case}/grad/x"), &host(x.grad(&grads).unwrap()));
    golden.check(&format!("{case}/grad/weight"), &host(weight.grad(&grads).unwrap()));
    golden.check(&format!("{case}/grad/bias"), &host(bias.grad(&grads).unwrap()));
}

#[test]
fn a_shift_along_one_axis_moves_along_that_axis_alone() {
    // One bright voxel; the displacement says where a voxel is taken from.
    for (axis, step) in [(0usize, 1usize), (1, 6), (2, 24)] {
        let warp = Warp::new(&[1, 1, 5, 4, 6]).unwrap();
        let mut image = vec![0.0; 120];
        let bright = 2 * 24 + 2 * 6 + 3;
        image[bright] = 1.0;
        let mut field = vec![0.0; 360];
        field[axis * 120..][..120].fill(1.0);
        let mut out = vec![0.0; 120];
        warp.forward(&image, &field, &mut out).unwrap();
        assert_eq!(out.iter().position(|v| *v == 1.0), Some(bright - step), "axis {axis}");
        assert_eq!(out.iter().sum::<f32>(), 1.0);
    }
}

proptest! {
    #[test]
    fn no_displacement_changes_nothing_and_far_ones_give_zeros(values in prop::collection::vec(-10.0f32..10.0, 35), far in 1e3f32..1e30) {
        let warp = Warp::new(&[1, 1, 5, 7]).unwrap();
        let mut out = vec![0.0; 35];
        warp.forward(&values, &[0.0; 70], &mut out).unwrap();
        prop_assert_eq!(&out, &values);
        for lost in [far, -far, f32::NAN, f32::INFINITY] {
            warp.forward(&values, &[lost; 70], &mut out).unwrap();
            prop_assert!(out.iter().all(|v| *v == 0.0));
        }
    }

    #[test]
    fn correlation_does_not_see_scale_offset_or_sign(values in prop::collection::vec(-1.0f32..1.0, 81), scale in 0.5f32..2.0, offset in -1.0f32..1.0) {
        let ncc = LocalNcc::new(&[1, 1, 9, 9], 3, 1e-9).unwrap();
        for sign in [1.0, -1.0] {
            let other: Vec<f32> = values.iter().map(|v| sign * scale * v + offset).collect();
            let mut out = vec![0.0; 81];
            ncc.forward(&values, &other, &mut out).unwrap();
            // Zeros around the image are not offset: the inner part alone.
            for i in 0..81 {
                let inner = (1..8).contains(&(i / 9)) && (1..8).contains(&(i % 9));
                prop_assert!(!inner || (out[i] - 1.0).abs() < 1e-3, "{}", out[i]);
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    assert!(Warp::new(&[1, 1, 4]).is_err());
    assert!(Warp::new(&[1, 1, usize::MAX, usize::MAX]).is_err());
    assert!(LocalNcc::new(&[1, 2, 4, 4], 3, 0.1).is_err());
    assert!(LocalNcc::new(&[1, 1, 4, 4], 4, 0.1).is_err());
    assert!(LocalNcc::new(&[1, 1, 4, 4], 3, 0.0).is_err());
    let warp = Warp::new(&[1, 1, 4, 4]).unwrap();
    assert!(warp.forward(&[0.0; 16], &[0.0; 16], &mut [0.0; 16]).is_err());
}
