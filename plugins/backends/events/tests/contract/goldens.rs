//! Every spike of sinabs and SpikingJelly on dyadic weights, entry by entry (`tests/golden/make.py`).

use safetensors::SafeTensors;
use zoo_backend_events::modes::{Feed, execute};
use zoo_backend_events::settings::{Mode, Settings};
use zoo_core::{DType, Tensor};
use zoo_formats::event_graph::{Dynamics, EventGraph, Neuron, ReadoutRule, Reset, Source, SpikesPerStep};

struct Golden(Vec<u8>);

impl Golden {
    fn open(name: &str) -> Self {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.safetensors"));
        Self(std::fs::read(path).unwrap())
    }

    fn get(&self, name: &str) -> Option<Tensor> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let view = file.tensor(name).ok()?;
        Some(Tensor::from_bytes(DType::F32, view.shape().to_vec(), view.data()).unwrap())
    }

    fn need(&self, name: &str) -> Tensor {
        self.get(name).unwrap_or_else(|| panic!("{name} is in the golden file"))
    }
}

fn build(golden: &Golden, neuron: &Neuron, residual: bool) -> EventGraph {
    let x = golden.need("x");
    let mut b = EventGraph::builder(x.shape()[0]).input("x", &x.shape()[1..], Source::Events);
    b = b.conv2d("conv0", "x", golden.need("conv0.weight"), golden.get("conv0.bias")).padding([1, 1]);
    if !residual {
        b = b.stride([2, 2]);
    }
    b = b.neuron("n0", "conv0", neuron.clone());
    b = b.conv2d("conv1", "n0", golden.need("conv1.weight"), golden.get("conv1.bias")).padding([1, 1]);
    b = if residual {
        b.add("sum", ["conv1", "n0"]).neuron("n1", "sum", neuron.clone()).flatten("flat", "n1")
    } else {
        b.neuron("n1", "conv1", neuron.clone()).sum_pool2d("pool", "n1", [2, 2]).flatten("flat", "pool")
    };
    b.linear("fc", "flat", golden.need("fc.weight"), golden.get("fc.bias"))
        .neuron("n2", "fc", neuron.clone())
        .readout("n2", ReadoutRule::Sum)
        .build()
        .unwrap()
}

#[track_caller]
fn check(name: &str, neuron: &Neuron, residual: bool) {
    let golden = Golden::open(name);
    let graph = build(&golden, neuron, residual);
    let x = golden.need("x");
    for mode in [Mode::TickSync, Mode::Clocked] {
        let outcome = execute(&graph, &[Feed::Frames(x.as_slice().unwrap())], &Settings { mode, ..Settings::default() }).unwrap();
        for layer in ["n0", "n1", "n2"] {
            let expected = golden.need(&format!("spikes.{layer}"));
            let record = outcome.layer(layer).unwrap();
            let mut found = vec![0.0f32; expected.len()];
            for ((&t, &i), &v) in record.raster.step.iter().zip(&record.raster.index).zip(&record.raster.value) {
                found[t as usize * record.neurons + i as usize] = v;
            }
            let expected = expected.as_slice::<f32>().unwrap();
            let differing = found.iter().zip(expected).filter(|(a, b)| a != b).count();
            assert_eq!(differing, 0, "{name}, {layer}, {mode:?}: entries that differ of {}", found.len());
            assert!(expected.iter().any(|v| *v != 0.0), "{name}, {layer} must fire");
        }
    }
}

#[test]
fn sinabs() {
    let neuron = Neuron { spikes: SpikesPerStep::Trunc, floor: Some(-1.0), ..Neuron::integrate_and_fire(1.0) };
    check("sinabs_if", &neuron, false);
    check("sinabs_if_bias", &neuron, false);
    check("sinabs_if_residual", &neuron, true);
    let decay = f64::from(Golden::open("sinabs_lif").need("decay").as_slice::<f32>().unwrap()[0]);
    let lif = Neuron {
        dynamics: Dynamics::Lif { decay: decay.into(), gain: 1.0 },
        spikes: SpikesPerStep::Trunc,
        ..Neuron::integrate_and_fire(1.0)
    };
    check("sinabs_lif", &lif, false);
}

#[test]
fn spikingjelly() {
    let neuron = Neuron::integrate_and_fire(1.0);
    check("jelly_if", &neuron, false);
    check("jelly_if_bias", &neuron, false);
    check("jelly_if_residual", &neuron, true);
    let lif = |reset| Neuron { dynamics: Dynamics::Lif { decay: 0.5.into(), gain: 0.5 }, reset, ..Neuron::integrate_and_fire(1.0) };
    check("jelly_lif_soft", &lif(Reset::Subtract), false);
    check("jelly_lif_hard", &lif(Reset::Zero), false);
    check("jelly_lif_residual", &lif(Reset::Zero), true);
}
