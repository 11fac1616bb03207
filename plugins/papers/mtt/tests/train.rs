//! The training engine computes PyTorch's gradients under mixed times, and adds them over structures.

use crate::common::{furthest, golden, paper, values, weights};
use zoo_core::{Result, Weights};
use zoo_mtt::config::LossKind;
use zoo_mtt::fold::{fold, remove_biases};
use zoo_mtt::network::{Architecture, Network};
use zoo_mtt::train::{Frames, SpikingNet, Summed, carrier, loss, transform};
use zoo_mtt::ttm::Ttm;
use zoo_train::burn::tensor::Tensor;
use zoo_train::ops::{Lif, lif};
use zoo_train::params::{Gradients, Mode, ParamStore};

const STRUCTURES: [(&str, [usize; 4]); 3] = [("fixed", [6, 6, 6, 6]), ("mixed", [3, 5, 2, 4]), ("short", [1, 2, 1, 1])];
const LABELS: [i64; 3] = [3, 0, 7];

fn host<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.inner().into_data().iter::<f32>().collect()
}

/// `[batch, T, ...]` as `[T * batch, ...]`.
fn by_step(golden: &Weights) -> Frames {
    let items = values(golden, "frames");
    let each = 2 * 12 * 12;
    let values = (0..6).flat_map(|t| (0..3).flat_map(move |b| (b * 6 + t) * each..(b * 6 + t + 1) * each)).map(|i| items[i]).collect();
    Frames { values, steps: 6 }
}

fn loaded(golden: &Weights) -> (SpikingNet, ParamStore) {
    let net = SpikingNet::new(paper().network().unwrap(), paper().network);
    let mut params = ParamStore::on_cpu(0);
    net.add_to(&mut params).unwrap();
    net.load(&mut params, &weights(golden)).unwrap();
    (net, params)
}

fn gradients_match(found: &Gradients, golden: &Weights, tag: &str) {
    assert_eq!(found.by_name.len(), 4);
    for (name, gradient) in &found.by_name {
        let expected = values(golden, &format!("{tag}.grad.{name}"));
        assert!(furthest(gradient, &expected) < 1e-4, "{tag}: {name}");
    }
}

#[test]
fn logits_losses_and_gradients_are_pytorchs() -> Result<()> {
    let golden = golden();
    let (net, mut params) = loaded(&golden);
    let mut summed = Summed::default();
    for (tag, times) in STRUCTURES {
        let logits = net.forward(&mut params, by_step(&golden), &times)?;
        assert!(furthest(&host(logits.clone()), &values(&golden, &format!("{tag}.logits"))) < 1e-6, "{tag}");
        let first = loss(LossKind::Mean, logits, &LABELS)?;
        assert!((host(first.clone())[0] - values(&golden, &format!("{tag}.loss"))[0]).abs() < 1e-5);
        gradients_match(&params.backward(&first), &golden, tag);
        let again = net.forward(&mut params, by_step(&golden), &times)?;
        summed.add(&params, &loss(LossKind::Mean, again, &LABELS)?);
    }
    // The sum over structures, and what the training loop gets of it.
    gradients_match(&summed.gradients, &golden, "sum");
    let carried = carrier(&params, &summed)?;
    assert_eq!(host(carried.clone()), [summed.loss]);
    assert_eq!(params.backward(&carried), summed.gradients);
    assert!(net.forward(&mut params, by_step(&golden), &[1, 0, 1, 1]).is_err());
    assert!(net.forward(&mut params, by_step(&golden), &[1]).is_err());
    Ok(())
}

#[test]
fn a_loss_at_every_step_of_one_step_is_the_loss_of_the_mean() -> Result<()> {
    let golden = golden();
    let (net, mut params) = loaded(&golden);
    let one = |params: &mut ParamStore, kind| -> Result<Vec<f32>> {
        Ok(host(loss(kind, net.forward(params, by_step(&golden), &[6, 6, 6, 1])?, &LABELS)?))
    };
    assert_eq!(one(&mut params, LossKind::Mean)?, one(&mut params, LossKind::EachStep)?);
    Ok(())
}

#[test]
fn the_leaky_neurons_gradient_goes_through_the_reset() -> Result<()> {
    let golden = golden();
    let params = ParamStore::on_cpu(0);
    let x = params.input(values(&golden, "lif.x"), [5, 4])?.require_grad();
    let g = params.input(values(&golden, "lif.g"), [5, 4])?;
    let mut grads = (lif(x.clone(), 5, Lif::default())? * g).sum().backward();
    let found: Vec<f32> = x.grad_remove(&mut grads).expect("a gradient").into_data().iter::<f32>().collect();
    assert!(furthest(&found, &values(&golden, "lif.grad")) < 1e-5);
    // By hand, two steps of one neuron: u1 = 1.2 fires, u2 = 0.7 does not; loss s1 + s2.
    let x = params.input(vec![1.2, 0.7], [2, 1])?.require_grad();
    let mut grads = lif(x.clone(), 2, Lif::default())?.sum().backward();
    let found: Vec<f32> = x.grad_remove(&mut grads).expect("a gradient").into_data().iter::<f32>().collect();
    // ds/du is 0.8 and 0.7; du2/du1 = decay ((1 - s1) - u1 ds/du1) = 0.5 (0 - 1.2 * 0.8).
    let expected = [0.8 + 0.7 * 0.5 * (-1.2 * 0.8), 0.7];
    assert!(found.iter().zip(expected).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-6), "{found:?}");
    Ok(())
}

#[test]
fn modules_in_the_engine_are_the_matrix() -> Result<()> {
    let params = ParamStore::on_cpu(0);
    let values: Vec<f32> = (0..5 * 2 * 3).map(|i| (i * i % 7) as f32).collect();
    for (ttm, after) in [(Ttm::Sum, 3), (Ttm::Sum, 8), (Ttm::Soft, 2), (Ttm::Trim, 2), (Ttm::Sum, 5)] {
        let x = params.input(values.clone(), [10, 1, 1, 3])?;
        let expected = ttm.matrix(5, after)?.apply(&values)?;
        let found = host(transform(ttm, x, 5, after)?);
        assert!(furthest(&found, &expected) < 1e-6, "{ttm:?} to {after}");
    }
    assert!(transform(Ttm::Sum, params.input(values, [10, 1, 1, 3])?, 3, 2).is_err());
    Ok(())
}

/// Bias removal is the network with batch normalisation whose mean and beta are 0.
#[test]
fn bias_removal_is_the_network_of_zero_mean_and_beta() -> Result<()> {
    let golden = golden();
    let network = Network::new(Architecture::Nmnist3c1fc, [2, 12, 12], 10, 1)?;
    let net = SpikingNet::new(network.clone(), paper().network);
    let mut params = ParamStore::on_cpu(3);
    net.add_to(&mut params)?;
    for (name, tensor) in &weights(&golden).tensors {
        params.set_values(name, tensor.as_slice::<f32>()?.to_vec())?;
    }
    for stage in 0..3 {
        let channels = [8, 16, 16][stage];
        params.set_values(&format!("stages.{stage}.bn1.running_var"), (0..channels).map(|c| 0.5 + c as f32 / 8.0).collect())?;
        params.set_values(&format!("stages.{stage}.bn1.weight"), (0..channels).map(|c| 1.5 - c as f32 / 16.0).collect())?;
    }
    params.set_mode(Mode::Eval);
    let with = host(net.forward(&mut params, by_step(&golden), &[6; 4])?);
    let removed = remove_biases(&network, &net.weights(&params)?)?;
    assert!(fold(&network.clone().without_norms(), &removed)?.iter().flatten().all(|parts| parts.bias.is_none()));
    let bare = SpikingNet::new(network.without_norms(), paper().network);
    let mut params = ParamStore::on_cpu(3);
    bare.add_to(&mut params)?;
    bare.load(&mut params, &removed)?;
    assert!(furthest(&host(bare.forward(&mut params, by_step(&golden), &[6; 4])?), &with) < 1e-5);
    Ok(())
}

/// Recalibrated statistics are the plain means over batches of each batch's own.
#[test]
fn recalibration_is_the_mean_of_the_batches() -> Result<()> {
    let golden = golden();
    let network = Network::new(Architecture::Nmnist3c1fc, [2, 12, 12], 10, 1)?;
    let net = SpikingNet::new(network, paper().network);
    let mut params = ParamStore::on_cpu(3);
    net.add_to(&mut params)?;
    let frames = by_step(&golden);
    let each = 2 * 144;
    // Three batches of one item each.
    let batch =
        |item: usize| Frames { values: (0..6).flat_map(|t| frames.values[(t * 3 + item) * each..][..each].to_vec()).collect(), steps: 6 };
    params.start_recalibration();
    for item in 0..3 {
        net.forward(&mut params, batch(item), &[6; 4])?;
    }
    let weight = params.values("stages.0.conv1.weight")?;
    let pixel = |values: &[f32], frame: usize, c: usize, y: i32, x: i32| {
        if (0..12).contains(&y) && (0..12).contains(&x) { values[frame * each + c * 144 + (y * 12 + x) as usize] } else { 0.0 }
    };
    let (mut mean, mut variance) = (0.0f64, 0.0f64);
    for item in 0..3 {
        let values = batch(item).values;
        let mut currents = Vec::new();
        for (frame, y, x) in (0..6).flat_map(|f| (0..12).flat_map(move |y| (0..12).map(move |x| (f, y, x)))) {
            let taps = (0..2usize).flat_map(|c| (0..3i32).flat_map(move |i| (0..3i32).map(move |j| (c, i, j))));
            let sum: f32 =
                taps.map(|(c, i, j)| weight[c * 9 + (i * 3 + j) as usize] * pixel(&values, frame, c, y + i - 1, x + j - 1)).sum();
            currents.push(f64::from(sum));
        }
        let n = currents.len() as f64;
        let m = currents.iter().sum::<f64>() / n;
        mean += m / 3.0;
        variance += currents.iter().map(|v| (v - m).powi(2)).sum::<f64>() / (n - 1.0) / 3.0;
    }
    let found = (params.values("stages.0.bn1.running_mean")?[0], params.values("stages.0.bn1.running_var")?[0]);
    assert!((f64::from(found.0) - mean).abs() < 1e-5 && (f64::from(found.1) - variance).abs() < 1e-5, "{found:?} {mean} {variance}");
    Ok(())
}
