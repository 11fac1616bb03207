//! Properties of the convolution against its definition.

use super::super::Scratch;
use super::{Conv2d, Conv2dGrads, Conv2dOptions};
use proptest::prelude::*;

/// The definition, in double precision.
fn direct(conv: &Conv2d, x: &[f32], w: &[f32]) -> Vec<f64> {
    let Conv2dOptions { stride, padding, dilation, groups } = conv.options;
    let (cg, og) = (conv.c_in / groups, conv.c_out / groups);
    let mut out = Vec::new();
    for n in 0..conv.n {
        for o in 0..conv.c_out {
            for (oy, ox) in (0..conv.oh).flat_map(|y| (0..conv.ow).map(move |x| (y, x))) {
                let mut sum = 0.0;
                for c in 0..cg {
                    for (ky, kx) in (0..conv.kh).flat_map(|y| (0..conv.kw).map(move |x| (y, x))) {
                        let (y, xx) = (oy * stride[0] + ky * dilation[0], ox * stride[1] + kx * dilation[1]);
                        if y < padding[0] || xx < padding[1] || y - padding[0] >= conv.h || xx - padding[1] >= conv.w {
                            continue;
                        }
                        let channel = n * conv.c_in + o / og * cg + c;
                        let at = (channel * conv.h + y - padding[0]) * conv.w + xx - padding[1];
                        sum += f64::from(x[at]) * f64::from(w[((o * cg + c) * conv.kh + ky) * conv.kw + kx]);
                    }
                }
                out.push(sum);
            }
        }
    }
    out
}

fn numbers(len: usize, seed: u32) -> Vec<f32> {
    (0..len as u32).map(|i| ((i.wrapping_mul(2_654_435_761).wrapping_add(seed * 97) >> 16) % 2001) as f32 / 1000.0 - 1.0).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn geometry() -> impl Strategy<Value = Conv2d> {
    let sizes = (1usize..5, 1usize..4, 1usize..4, 1usize..36, 1usize..20, 1usize..40);
    let kernel = (1usize..4, 1usize..4, 1usize..3, 1usize..4, 0usize..3, 1usize..3, any::<bool>());
    (sizes, kernel).prop_filter_map("the kernel must fit", |((n, groups, cg, og, h, w), (kh, kw, sy, sx, p, d, depthwise))| {
        let cg = if depthwise { 1 } else { cg };
        let options = Conv2dOptions { stride: [sy, sx], padding: [p, p / 2], dilation: [d, 1], groups };
        Conv2d::new([n, cg * groups, h, w], [og * groups, cg, kh, kw], options).ok()
    })
}

proptest! {
    #[test]
    fn forward_is_the_definition(conv in geometry(), seed in 0u32..1000) {
        let (x, w) = (numbers(conv.input_len(), seed), numbers(conv.weight_len(), seed + 1));
        let mut y = vec![f32::NAN; conv.output_len()];
        conv.forward(&x, &w, None, &mut y, &mut Scratch::new()).unwrap();
        for (y, exact) in y.iter().zip(direct(&conv, &x, &w)) {
            prop_assert!((f64::from(*y) - exact).abs() < 1e-5, "{y} {exact}");
        }
    }

    /// The operation is bilinear, so a finite difference of any size is exact:
    /// <g, conv(dx, w)> = <dx, input gradient> and <g, conv(x, dw)> = <dw, weight gradient>.
    #[test]
    fn gradients_are_adjoint(conv in geometry(), seed in 0u32..1000) {
        let (x, w, g) = (numbers(conv.input_len(), seed), numbers(conv.weight_len(), seed + 1), numbers(conv.output_len(), seed + 2));
        let (dx, dw) = (numbers(x.len(), seed + 3), numbers(w.len(), seed + 4));
        let mut scratch = Scratch::new();
        let (mut gx, mut gw, mut gb) = (vec![f32::NAN; x.len()], vec![f32::NAN; w.len()], vec![f32::NAN; conv.c_out]);
        let grads = Conv2dGrads { input: Some(&mut gx), weight: Some(&mut gw), bias: Some(&mut gb) };
        conv.backward(&x, &w, &g, grads, &mut scratch).unwrap();
        let mut y = vec![0.0; conv.output_len()];
        conv.forward(&dx, &w, None, &mut y, &mut scratch).unwrap();
        let close = |a: f64, b: f64| (a - b).abs() < 1e-4 * (1.0 + a.abs());
        prop_assert!(close(dot(&g, &y), dot(&dx, &gx)));
        conv.forward(&x, &dw, None, &mut y, &mut scratch).unwrap();
        prop_assert!(close(dot(&g, &y), dot(&dw, &gw)));
        let plane = conv.pixels();
        for (c, gb) in gb.iter().enumerate() {
            let sum: f32 = g.chunks_exact(plane).skip(c).step_by(conv.c_out).flatten().sum();
            prop_assert!((sum - gb).abs() < 1e-4 * (1.0 + sum.abs()));
        }
        let mut alone = vec![f32::NAN; w.len()];
        conv.backward(&x, &w, &g, Conv2dGrads { weight: Some(&mut alone), ..Default::default() }, &mut scratch).unwrap();
        prop_assert_eq!(alone, gw);
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let conv = Conv2d::new([11, 6, 13, 9], [8, 3, 3, 3], Conv2dOptions { groups: 2, ..Conv2dOptions::padded(1) }).unwrap();
    let (x, w, g) = (numbers(conv.input_len(), 1), numbers(conv.weight_len(), 2), numbers(conv.output_len(), 3));
    let run = |threads| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            let (mut y, mut gx, mut gw) = (vec![0.0; g.len()], vec![0.0; x.len()], vec![0.0; w.len()]);
            let mut scratch = Scratch::new();
            conv.forward(&x, &w, None, &mut y, &mut scratch).unwrap();
            let grads = Conv2dGrads { input: Some(&mut gx), weight: Some(&mut gw), bias: None };
            conv.backward(&x, &w, &g, grads, &mut scratch).unwrap();
            (y, gx, gw)
        })
    };
    let one = run(1);
    assert!(one == run(2) && one == run(5));
}

#[test]
fn nonsense_is_refused() {
    let ok = Conv2dOptions::default();
    assert!(Conv2d::new([1, 3, 4, 4], [2, 3, 5, 5], ok).is_err());
    assert!(Conv2d::new([1, 3, 4, 4], [2, 2, 1, 1], ok).is_err());
    assert!(Conv2d::new([1, 3, 4, 4], [2, 3, 1, 1], ok.groups(2)).is_err());
    assert!(Conv2d::new([1, 3, 4, 4], [2, 3, 1, 1], ok.groups(0)).is_err());
    assert!(Conv2d::new([1, 3, 4, 4], [2, 3, 0, 1], ok).is_err());
    assert!(Conv2d::new([1, 3, 4, 4], [2, 3, 1, 1], ok.stride(0)).is_err());
    assert!(Conv2d::new([usize::MAX, 3, 4, 4], [2, 3, 1, 1], ok).is_err());
    assert!(Conv2d::new([1, 3, 4, 4], [2, 3, 1, 1], Conv2dOptions::padded(usize::MAX)).is_err());
    let conv = Conv2d::new([1, 3, 4, 4], [2, 3, 1, 1], ok).unwrap();
    assert!(conv.forward(&[0.0; 47], &[0.0; 6], None, &mut [0.0; 32], &mut Scratch::new()).is_err());
    assert!(conv.forward(&[0.0; 48], &[0.0; 6], Some(&[0.0]), &mut [0.0; 32], &mut Scratch::new()).is_err());
}
