//! Unit tests of specification section 12 that need no outside values: hand calculations and invariants.

use proptest::prelude::*;
use std::sync::Arc;
use zoo_core::{Silent, Tensor, Weights};
use zoo_snn_calibration::ann::{Ann, bias_key, weight_key};
use zoo_snn_calibration::calibrate::{calibrate_bias, calibrate_potential, objective};
use zoo_snn_calibration::network::{Network, Node, Op, Source};
use zoo_snn_calibration::rate::closed_form;
use zoo_snn_calibration::reference::Reference;
use zoo_snn_calibration::snn::{Neurons, Snn};
use zoo_snn_calibration::threshold::{ThresholdMode, ThresholdSearch, thresholds};

/// `inputs` neurons, each fed by its own input through weight 1; a plain linear layer reads them.
fn row(inputs: usize, bias: &[f32]) -> Arc<Ann> {
    let node = |op, input, relu| Node { op, input, residual: None, relu, batch_norm: false };
    let conv = Op::Conv { out: inputs, kernel: 1, stride: 1, padding: 0, groups: inputs };
    let nodes = vec![node(conv, Source::Image, true), node(Op::Linear { out: 1 }, Source::Node(0), false)];
    let network = Network::new([inputs, 1, 1], nodes).unwrap();
    let mut weights = Weights::new();
    weights.insert(weight_key(0), Tensor::from_vec([inputs, 1, 1, 1], vec![1.0f32; inputs]).unwrap());
    weights.insert(bias_key(0), Tensor::from_vec([inputs], bias.to_vec()).unwrap());
    weights.insert(weight_key(1), Tensor::from_vec([1, inputs], vec![1.0f32; inputs]).unwrap());
    weights.insert(bias_key(1), Tensor::from_vec([1], vec![0.0f32]).unwrap());
    Arc::new(Ann::new(network, &weights).unwrap())
}

fn convert(ann: &Arc<Ann>, theta: Vec<f32>, steps: u32, shift: bool) -> Snn {
    Snn::new(Arc::clone(ann), &[Some(theta), None], steps, shift).unwrap()
}

fn rates(snn: &Snn, image: Vec<f32>) -> Vec<f32> {
    snn.rates(&[image], 0).remove(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// E13: a constant integer current between 0 and the threshold, any potential below it.
    #[test]
    fn constant_current_follows_the_closed_form(theta in 1i32..100, c in 0.0f64..=1.0, v in -2.0f64..1.0, steps in 1u32..70) {
        let c = (c * f64::from(theta)).floor();
        let v = (v * f64::from(theta)).floor().min(f64::from(theta - 1));
        let ann = row(1, &[0.0]);
        let mut snn = convert(&ann, vec![theta as f32], steps, false);
        let neurons = Neurons { v_init: Some(vec![v as f32]), ..snn.neurons(0).unwrap().clone() };
        snn.set_neurons(0, neurons).unwrap();
        let count = f64::from(rates(&snn, vec![c as f32])[0]) * f64::from(steps) / f64::from(theta);
        let wanted = closed_form(c, v, f64::from(theta), steps) * f64::from(steps) / f64::from(theta);
        prop_assert!((count - wanted).abs() < 1e-3, "{count} against {wanted}");
    }
}

#[test]
fn one_step_and_the_threshold_itself() {
    let ann = row(3, &[0.0; 3]);
    let snn = convert(&ann, vec![2.0], 1, false);
    // Exactly at the threshold fires; more than one threshold still gives one spike.
    assert_eq!(rates(&snn, vec![2.0, 1.999, 7.0]), [2.0, 0.0, 2.0]);
    // The shift is half a threshold at T = 1.
    assert_eq!(rates(&snn.with_shift(true), vec![1.0, 0.999, 0.0]), [2.0, 0.0, 0.0]);
    assert!(Snn::new(Arc::clone(&ann), &[Some(vec![2.0]), None], 0, false).is_err());
}

#[test]
fn negative_potential_delays_and_dead_channels_stay_silent() {
    let ann = row(2, &[0.0, -5.0]);
    let mut snn = convert(&ann, vec![1.0], 4, false);
    let neurons = Neurons { v_init: Some(vec![-1.0, 0.0]), ..snn.neurons(0).unwrap().clone() };
    snn.set_neurons(0, neurons).unwrap();
    // -1 + 4 * 0.5 = 1: one spike of four steps.
    assert_eq!(rates(&snn, vec![0.5, 0.5]), [0.25, 0.0]);
}

/// Two images of rates that floor to whole steps: bias calibration must add exactly the mean of what flooring lost.
#[test]
fn bias_calibration_reaches_the_hand_calculation() {
    let ann = row(1, &[0.0]);
    let mut snn = convert(&ann, vec![1.0], 4, false);
    // Activations 0.375 and 0.625 become 0.25 and 0.5: both lose 0.125.
    let reference = Reference::new(&ann, vec![vec![0.375], vec![0.625]]).unwrap();
    calibrate_bias(&mut snn, &reference, &Silent).unwrap();
    assert_eq!(snn.neurons(0).unwrap().bias, [0.125]);
    assert_eq!(rates(&snn, vec![0.375]), [0.5]);
}

#[test]
fn potential_calibration_is_first_order_exact() {
    let ann = row(2, &[0.0; 2]);
    let mut snn = convert(&ann, vec![1.0], 8, false);
    let reference = Reference::new(&ann, vec![vec![0.4375, 0.25]]).unwrap();
    calibrate_potential(&mut snn, &reference, &Silent).unwrap();
    // 0.4375 = 3.5 / 8 fires 3 times: half a threshold is left to give back. 0.25 loses nothing.
    assert_eq!(snn.neurons(0).unwrap().v_init.as_deref(), Some(&[0.5, 0.0][..]));
    assert_eq!(rates(&snn, vec![0.4375, 0.25]), [0.5, 0.25]);
    // Assigned, not accumulated: the same again.
    calibrate_potential(&mut snn, &reference, &Silent).unwrap();
    assert_eq!(snn.neurons(0).unwrap().v_init.as_deref(), Some(&[0.5, 0.0][..]));
}

/// With the floor off, a potential `d` adds `d / T` to the rate; with it on, whole multiples of the threshold do.
#[test]
fn potential_shifts_the_rate_by_its_share_of_the_steps() {
    let ann = row(1, &[0.0]);
    let plain = convert(&ann, vec![1.0], 16, false);
    let base = rates(&plain, vec![0.25])[0];
    for d in 1..4u8 {
        let mut snn = plain.clone();
        let neurons = Neurons { v_init: Some(vec![f32::from(d)]), ..plain.neurons(0).unwrap().clone() };
        snn.set_neurons(0, neurons).unwrap();
        assert_eq!(rates(&snn, vec![0.25])[0], base + f32::from(d) / 16.0);
    }
}

/// The straight-through gradient against finite differences of the objective without the floor: at activations that
/// are whole steps the floor changes nothing, so only the slope is left to compare. Outside the clip it is zero.
#[test]
fn straight_through_gradient_is_the_slope_without_floor() {
    let ann = row(1, &[0.0]);
    let snn = convert(&ann, vec![1.0], 4, false);
    let at = |input: f32, target: f32| objective(&snn, 0, &[vec![input]], &[vec![target]]).unwrap();
    // Without floor: loss (w x - t)^2, slope 2 x (x - t) at w = 1.
    for (x, t) in [(0.5f32, 0.25f32), (0.75, 1.0), (0.25, 0.5)] {
        let (loss, gradient) = at(x, t);
        let smooth = |w: f64| (w * f64::from(x) - f64::from(t)).powi(2);
        let slope = (smooth(1.0 + 1e-6) - smooth(1.0 - 1e-6)) / 2e-6;
        assert!((loss - smooth(1.0)).abs() < 1e-12);
        assert!((f64::from(gradient[0]) - slope).abs() < 1e-6, "{} against {slope}", gradient[0]);
    }
    assert_eq!(at(1.5, 0.5).1, [0.0]);
    assert_eq!(at(-0.5, 0.5).1, [0.0]);
}

/// One batch, then another: the running average is 0.9 old + 0.1 new, and silent channels get a positive threshold.
#[test]
fn thresholds_average_over_batches_and_never_vanish() {
    let ann = row(2, &[0.0; 2]);
    let images = vec![vec![1.0, -1.0], vec![2.0, -1.0], vec![4.0, -1.0]];
    let reference = Reference::new(&ann, images).unwrap();
    let search = |batches, channel_wise| {
        let search = ThresholdSearch { mode: ThresholdMode::Max, channel_wise, batch: 1, batches, ema: 0.9 };
        thresholds(&ann, &reference, search, 4, &Silent).unwrap().remove(0).unwrap()
    };
    assert_eq!(search(1, false), [1.0]);
    assert!((search(2, false)[0] - 1.1).abs() < 1e-6);
    assert!((search(3, false)[0] - 1.39).abs() < 1e-6);
    // The fourth batch takes the first image again.
    assert!((search(4, false)[0] - 1.351).abs() < 1e-6);
    let by_channel = search(1, true);
    assert_eq!(by_channel[0], 1.0);
    assert!(by_channel[1] > 0.0);
    assert_eq!(ThresholdSearch::default().batches, 7);
}
