//! The plugin's own commands.

use crate::config::{MaskScope, NetworkConfig, PaperConfig};
use crate::export::{Form, graph};
use crate::full_scale;
use crate::network::{TinySd, tensors};
use crate::sparse::SparseConv;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::time::Instant;
use zoo_core::model::ActionSpec;
use zoo_core::{Config, Error, Level, Result, Tensor, Weights, Workbench};

const SPARSE: &str = "sparse";
const DRY_RUN: &str = "dry-run";
/// Densities of the masks that are timed.
const DENSITIES: [f32; 5] = [1.0, 0.5, 0.3, 0.1, 0.05];
/// Turns of each contestant; the median counts.
const TURNS: usize = 15;
/// Channels and side of the timed layer.
const CHANNELS: usize = 64;
const SIDE: usize = 28;

/// What there is.
pub(crate) fn specs() -> Vec<ActionSpec> {
    let spec = |name: &str, help: &str| ActionSpec { name: name.into(), help: help.into() };
    vec![spec(
        SPARSE,
        "times a layer of 64 x 64 channels at 28 x 28 over densities: the sparse path here beside the dense graph on the runtimes",
    )]
}

pub(crate) fn act(action: &str, args: &[String], model: &str, _: &Config, bench: &mut dyn Workbench) -> Result<Value> {
    match action {
        SPARSE => sparse(bench),
        DRY_RUN => {
            let names = full_scale::CONFIGS.map(|(name, _)| name).join(", ");
            full_scale::dry_run(
                args.first().ok_or_else(|| Error::argument(format!("arguments of `{action}`"), format!("one of {names}"), "none"))?,
            )
        }
        _ => {
            let hint = format!("its commands are {}", specs().into_iter().map(|a| a.name).collect::<Vec<_>>().join(", "));
            Err(Error::NotOffered { who: model.into(), what: format!("command `{action}`"), hint })
        }
    }
}

/// A network whose only large part is one dynamic convolution with a shared random mask.
fn layer_of(density: f32) -> Result<(PaperConfig, TinySd)> {
    let network = NetworkConfig {
        input: [1, SIDE, SIDE],
        widths: vec![CHANNELS, CHANNELS],
        classes: 2,
        kernels: 4,
        reduction: 16,
        mask_scope: MaskScope::Shared,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut weights = Weights::new();
    for (name, shape) in tensors(&network) {
        let count: usize = shape.iter().product();
        let positive = name.starts_with("bn") && (name.ends_with(".weight") || name.ends_with("var"));
        let mut values: Vec<f32> = (0..count).map(|_| if positive { 1.0 } else { rng.random_range(-0.1..0.1) }).collect();
        if name == "layer1.B.convC.weight" {
            let size = count / network.kernels;
            let mask: Vec<bool> = (0..size).map(|_| rng.random::<f32>() < density).collect();
            values.iter_mut().enumerate().filter(|(i, _)| !mask[i % size]).for_each(|(_, v)| *v = 0.0);
        }
        weights.insert(name, Tensor::from_vec(shape, values)?);
    }
    let paper = PaperConfig::plain(network.clone());
    Ok((paper, TinySd::read(network, &weights)?))
}

/// Milliseconds an image of the dynamic convolution by the sparse path here, and of the dense graph on the runtimes. The
/// graph has a stem before the layer, of a sixty-fourth of its work.
fn sparse(bench: &mut dyn Workbench) -> Result<Value> {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let image: Vec<f32> = (0..CHANNELS * SIDE * SIDE).map(|_| rng.random_range(0.0..1.0)).collect();
    let input = Tensor::from_vec([1, 1, SIDE, SIDE], image[..SIDE * SIDE].to_vec())?;
    let mut rows = Vec::new();
    for density in DENSITIES {
        let (paper, net) = layer_of(density)?;
        let conv = SparseConv::new(&net.layers[0]);
        let mut runtimes = Vec::new();
        for backend in ["onnxruntime", "tract"] {
            for form in [Form::A, Form::B] {
                match bench
                    .compile_on(backend, &graph(&net, form, None, &paper)?)
                    .and_then(|mut s| s.run(std::slice::from_ref(&input)).map(|_| s))
                {
                    Ok(session) => runtimes.push((format!("{backend}, {}", form.name()), session, Vec::new())),
                    Err(error) => bench.log(Level::Warn, "sd-conv", &format!("{} on {backend} is left out: {error}", form.name())),
                }
            }
        }
        let mut own = Vec::new();
        for _ in 0..TURNS {
            bench.check()?;
            own.push(time(|| Ok(conv.forward(&image, [SIDE, SIDE], 1.0)))?);
            for (_, session, times) in &mut runtimes {
                times.push(time(|| session.run(std::slice::from_ref(&input)))?);
            }
        }
        let own = median(own);
        let others: Vec<Value> = runtimes
            .into_iter()
            .map(|(name, _, times)| {
                let value = median(times);
                json!({"peer": name, "ms": value, "ratio": value / own})
            })
            .collect();
        rows.push(json!({"density": density, "taps": conv.taps(), "sparse_ms": own, "dense": others}));
    }
    let what = "one image through a dynamic convolution of 64 x 64 channels at 28 x 28; the dense graphs have a stem of 1 x 64 \
                channels before it; runtimes with their default threads, the sparse path on one";
    Ok(json!({"schema": "zoo.bench/1", "bench": "sparse", "what": what, "rows": rows}))
}

fn time<T>(run: impl FnOnce() -> Result<T>) -> Result<f64> {
    let start = Instant::now();
    std::hint::black_box(run()?);
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
