//! Sequences of optimiser steps against PyTorch.

use crate::support::Golden;
use zoo_train::optim::{Adam, Optimiser, Rule, Schedule, Sgd};
use zoo_train::params::{Gradients, Init, ParamStore};

fn check(name: &str, rule: impl Into<Rule>, scale: f64) {
    let golden = Golden::open("optim");
    let start = golden.values("start");
    let grads = golden.values("grads");
    let mut params = ParamStore::on_cpu(0);
    params.parameter("p", &[start.len()], Init::Constant(0.0)).unwrap();
    params.set_values("p", start.clone()).unwrap();
    let mut optimiser = Optimiser::new(rule);
    let schedule = Schedule::cosine(0.1, 12, 0.0);
    for (i, grad) in grads.chunks_exact(start.len()).enumerate() {
        let grads = Gradients { by_name: [("p".to_owned(), grad.to_vec())].into() };
        optimiser.step(&mut params, &grads, schedule.at(i as u64) * scale).unwrap();
        golden.check(&format!("{name}/{i}"), &params.values("p").unwrap());
    }
    assert_eq!(optimiser.steps(), 12);
}

#[test]
fn sgd() {
    check("sgd", Sgd::default(), 1.0);
    check("sgd_momentum", Sgd { momentum: 0.9, ..Sgd::default() }, 1.0);
    check("sgd_decay", Sgd { momentum: 0.9, weight_decay: 5e-4, ..Sgd::default() }, 1.0);
    check("sgd_nesterov", Sgd { momentum: 0.9, weight_decay: 1e-2, nesterov: true }, 1.0);
}

#[test]
fn adam() {
    check("adam", Adam::default(), 0.1);
    check("adam_decay", Adam { weight_decay: 1e-2, beta1: 0.8, beta2: 0.95, eps: 1e-6, decoupled: false }, 0.1);
    check("adamw", Adam { weight_decay: 0.05, decoupled: true, ..Adam::default() }, 0.1);
}

#[test]
fn decay_can_be_kept_from_some_parameters() {
    let step = |optimiser: Optimiser| {
        let mut params = ParamStore::on_cpu(0);
        for name in ["a.bias", "a.weight"] {
            params.parameter(name, &[1], Init::Constant(1.0)).unwrap();
        }
        let by_name = [("a.bias".to_owned(), vec![0.0]), ("a.weight".to_owned(), vec![0.0])].into();
        let mut optimiser = optimiser;
        optimiser.step(&mut params, &Gradients { by_name }, 0.5).unwrap();
        [params.values("a.bias").unwrap()[0], params.values("a.weight").unwrap()[0]]
    };
    let rule = Sgd { weight_decay: 0.5, ..Sgd::default() };
    assert_eq!(step(Optimiser::new(rule)), [0.75, 0.75]);
    assert_eq!(step(Optimiser::new(rule).decay_where(|name, _| name.ends_with("weight"))), [1.0, 0.75]);
}

#[test]
fn clipping_scales_all_gradients() {
    let mut grads = Gradients { by_name: [("a".to_owned(), vec![3.0]), ("b".to_owned(), vec![0.0, 4.0])].into() };
    assert_eq!(grads.clip_norm(10.0), 5.0);
    assert_eq!(grads.by_name["b"], [0.0, 4.0]);
    assert_eq!(grads.clip_norm(1.0), 5.0);
    assert!((grads.norm() - 1.0).abs() < 1e-6);
}
