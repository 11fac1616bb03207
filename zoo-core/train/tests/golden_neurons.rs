//! Spiking layers over time, forward and backward, against PyTorch written step by step.

use crate::support::{Golden, host};
use serde_json::Value;
use zoo_core::Result;
use zoo_train::burn::tensor::Tensor;
use zoo_train::ops::{self, Lif, MultiSpikeIf};

#[allow(clippy::cast_possible_truncation)]
fn number(case: &Value, key: &str) -> f32 {
    case[key].as_f64().unwrap_or_else(|| panic!("{key}")) as f32
}

/// Runs a case of any rank as `[steps * n, rest]`.
fn check(golden: &Golden, case: &str, run: impl Fn(Tensor<1>) -> Result<Tensor<1>>) {
    let name = |part: &str| format!("{case}/{part}");
    let flat = |part: &str| {
        let values = golden.values(&name(part));
        let data = zoo_train::burn::tensor::TensorData::new(values.clone(), [values.len()]);
        Tensor::<1>::from_data(data, &zoo_train::burn::tensor::Device::flex().autodiff())
    };
    let x = flat("in/x").require_grad();
    let out = run(x.clone()).unwrap();
    assert_eq!(host(out.clone()), golden.values(&name("out")), "{case}: spikes must agree exactly");
    let grads = (out * flat("grad_out")).sum().backward();
    golden.check(&name("grad/x"), &host(x.grad(&grads).unwrap()));
    // Without a graph the membrane is not kept; the spikes are the same.
    assert_eq!(host(run(flat("in/x").inner()).unwrap()), golden.values(&name("out")));
}

#[test]
fn lif() {
    let golden = Golden::open("neurons");
    for (case, options) in golden.cases("lif") {
        let neuron = Lif {
            decay: number(&options, "decay"),
            v_threshold: number(&options, "threshold"),
            surrogate_width: number(&options, "width"),
        };
        check(&golden, &case, |x| ops::lif(x, options["steps"].as_u64().unwrap() as usize, neuron));
    }
}

#[test]
fn multi_spike_if() {
    let golden = Golden::open("neurons");
    for (case, options) in golden.cases("if") {
        let neuron = MultiSpikeIf {
            v_threshold: number(&options, "threshold"),
            v_min: number(&options, "v_min"),
            surrogate_width: number(&options, "width"),
        };
        check(&golden, &case, |x| ops::multi_spike_if(x, options["steps"].as_u64().unwrap() as usize, neuron));
    }
}

#[test]
fn steps_must_divide_the_first_axis() {
    let x = || Golden::open("neurons").tensor::<2>("lif/one_step/in/x");
    assert!(ops::lif(x(), 3, Lif::default()).is_err());
    assert!(ops::lif(x(), 0, Lif::default()).is_err());
    assert!(ops::lif(x(), 1, Lif { surrogate_width: 0.0, ..Lif::default() }).is_err());
    assert!(ops::multi_spike_if(x(), 1, MultiSpikeIf { v_threshold: f32::NAN, ..MultiSpikeIf::default() }).is_err());
}
