//! The losses against PyTorch.

use serde_json::Value;
use zoo_core::Weights;
use zoo_girnet::config::{LossConfig, NetworkConfig, Widths};
use zoo_girnet::train::{Scene, folds, inp_loss, integrate, reg_loss, seg_loss, to_patient};
use zoo_train::burn::tensor::Tensor;
use zoo_train::params::ParamStore;

fn tensor(store: &ParamStore, golden: &Weights, name: &str) -> Tensor<4> {
    let found = golden.get(&format!("losses/{name}")).unwrap();
    store.input(found.to_f32(), found.shape().try_into().unwrap()).unwrap()
}

fn number(loss: Tensor<1>) -> f64 {
    f64::from(loss.into_data().try_into_vec::<f32>().unwrap()[0])
}

#[test]
fn losses_are_pytorchs() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/golden.safetensors");
    let golden = zoo_formats::safetensors::read(path).unwrap();
    let wanted: Value = serde_json::from_str(include_str!("../golden/golden.json")).unwrap();
    let store = ParamStore::on_cpu(0);
    let get = |name: &str| tensor(&store, &golden, name);
    let mut loss = LossConfig {
        window: 5,
        eps: 1e-2,
        reg_window: 3,
        reg_eps: 2e-2,
        inp: [1.0, 100.0],
        inp_gradients: 0.0,
        exclude: false,
        keep_visible: false,
        reg: [0.1, 1.0, 3.0],
        eps_share: 32.0,
        both_negative: false,
    };
    let scene = Scene { x: get("x"), y: get("y"), brain: get("brain") };
    let close = |found: f64, key: &str| {
        let wanted = wanted[key].as_f64().unwrap();
        assert!((found - wanted).abs() < 2e-5 * (1.0 + wanted.abs()), "{key}: {found} {wanted}");
    };
    close(number(seg_loss(get("m"), &scene, [get("r"), get("s")], &loss).unwrap()), "seg_loss");
    loss.both_negative = true;
    close(number(seg_loss(get("m"), &scene, [get("r"), get("s")], &loss).unwrap()), "seg_loss_both_negative");
    let hole = get("m").greater_elem(0.5).float();
    let inp = |loss: &LossConfig, key: &str| close(number(inp_loss(get("r"), hole.clone(), get("x"), get("y"), loss).unwrap()), key);
    inp(&loss, "inp_loss");
    (loss.inp, loss.inp_gradients) = ([1.0, 2.0], 0.5);
    inp(&loss, "inp_loss_gradients");
    loss.exclude = true;
    inp(&loss, "inp_loss_exclude");
    let widths = Widths { encoder: vec![1], decoder: vec![1], tail: vec![1] };
    let network =
        NetworkConfig { grid: vec![16, 16], spacing: 1.0, seg: widths.clone(), inp: widths, reg_width: 1, range: 6.0, squarings: 5 };
    let fields = integrate([get("v_xy"), get("v_yx")], &network).unwrap();
    let back = to_patient([get("v_xy"), get("v_yx")], &network).unwrap();
    assert_eq!(number((back - fields.whole[1].clone()).abs().max()), 0.0);
    close(number(folds(&fields.whole[1])), "folds");
    close(number(reg_loss(&fields, get("r"), get("y"), &loss).unwrap()), "reg_loss");
}
