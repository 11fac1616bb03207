//! The paper's own settings as configurations (specification section 8). They are described, exported with random weights and run
//! by `dry-run`, not trained here: their data need registration with their owners.

use crate::config::{Arm, NetworkConfig, check_network};
use crate::evaluate::Prediction;
use crate::export::{FULL, INPAINT, MASK, VELOCITY, export};
use crate::field::{fold_percent, jacobian};
use crate::network::{Named, REG, inp, reg, seg, tensors};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Instant;
use zoo_core::{Error, Result, Tensor, Weights, Workbench};

/// Name and text of every configuration.
pub const CONFIGS: [(&str, &str); 3] = [
    ("girnet_brats_pseudo_3d", include_str!("../config/full-scale/girnet_brats_pseudo_3d.toml")),
    ("girnet_bratsreg_landmark", include_str!("../config/full-scale/girnet_bratsreg_landmark.toml")),
    ("girnet_stroke_pseudo", include_str!("../config/full-scale/girnet_stroke_pseudo.toml")),
];

/// A full-scale configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FullScale {
    /// Data set that its owner's loader opens.
    pub data: String,
    /// How the best checkpoint is chosen.
    pub select: String,
    /// Sizes.
    pub network: NetworkConfig,
    /// Losses, as the authors ran them.
    pub loss: BTreeMap<String, Value>,
    /// Training, as the authors ran it.
    pub train: BTreeMap<String, Value>,
}

/// Reads a configuration.
///
/// # Errors
/// [`Error::Unknown`] for another name, [`Error::Config`] for a key that does not fit.
pub fn read(name: &str) -> Result<FullScale> {
    let Some((_, text)) = CONFIGS.iter().find(|(n, _)| *n == name) else {
        let hint = format!("configurations are {}", CONFIGS.map(|(n, _)| n).join(", "));
        return Err(Error::Unknown { kind: "full-scale configuration", name: name.into(), hint });
    };
    let bad = |found: String| Error::Config { key: name.into(), expected: "a full-scale configuration".into(), found };
    let config: FullScale = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
    check_network(&config.network)?;
    Ok(config)
}

/// Fresh weights as training draws them, for exports without trained ones.
///
/// # Errors
/// [`Error::Shape`] if a tensor's size overflows.
pub fn fresh_weights(tensors: &[Named], seed: u64) -> Result<Weights> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut weights = Weights::new();
    let mut bound = 0.0;
    for (name, shape) in tensors {
        if name.ends_with("weight") {
            // PyTorch's default for the registration network; a uniform distribution of deviation 0.02 for the others.
            let fan: usize = shape[1..].iter().product();
            bound = if name.starts_with(REG) { 1.0 / (fan as f32).sqrt() } else { 0.02 * 3.0f32.sqrt() };
        } else if !name.starts_with(REG) {
            bound = 0.0;
        }
        let values = (0..shape.iter().product()).map(|_| bound * rng.random_range(-1.0f32..=1.0)).collect();
        weights.insert(name.clone(), Tensor::from_vec(shape.clone(), values)?);
    }
    Ok(weights)
}

/// The greatest resident memory of this process so far, bytes, where the system says.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kb| kb * 1024)
}

/// Builds the networks, runs registration on a pair of random volumes, integrates and counts folds; tells whether the chosen
/// backend takes the full graph too. Slow for volumes: minutes on a CPU.
///
/// # Errors
/// Whatever building and running find.
pub fn dry_run(name: &str, parts: &str, bench: &mut dyn Workbench) -> Result<Value> {
    let config = read(name)?;
    let network = &config.network;
    let weights = fresh_weights(&tensors(network, Arm::Girnet), 0)?;
    let count = |t: &[Named]| t.iter().map(|(_, s)| s.iter().product::<usize>()).sum::<usize>();
    let parameters = json!({"mask_generator": count(&seg(network)), "inpainter": count(&inp(network)), "symnet": count(&reg(network))});
    let none = BTreeMap::new();
    let shape = [vec![1, 1], network.grid.clone()].concat();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut volume = || Tensor::from_vec(shape.clone(), (0..shape.iter().product()).map(|_| rng.random::<f32>()).collect());
    let (moving, fixed) = (volume()?, volume()?);
    let mut report = json!({"config": name, "data": config.data, "weights": "random", "parameters": parameters, "shape": shape});
    let started = Instant::now();
    let mut session = bench.compile(&export(VELOCITY, None, network, &weights, &none)?)?;
    report["compile_seconds"] = json!(started.elapsed().as_secs_f64());
    let started = Instant::now();
    let outputs = session.run(&[moving.clone(), fixed.clone()])?;
    report["velocity_seconds"] = json!(started.elapsed().as_secs_f64());
    drop(session);
    let [xy, yx] = outputs.as_slice() else { return Err(Error::shape("outputs", 2, outputs.len())) };
    let started = Instant::now();
    let prediction = Prediction { mask: None, velocity: [xy.as_slice()?.to_vec(), yx.as_slice()?.to_vec()] };
    let fields = prediction.fields(network)?;
    report["integrate_seconds"] = json!(started.elapsed().as_secs_f64());
    report["fold_percent"] = json!(fold_percent(&jacobian(&fields.yx, &network.grid), &network.grid));
    report["finite"] = json!(fields.yx.iter().all(|v| v.is_finite()));
    if parts == "all" {
        for (graph, inputs) in [(MASK, vec![moving.clone()]), (INPAINT, vec![moving.clone(), fixed.clone(), fixed.clone()])] {
            let mut session = bench.compile(&export(graph, None, network, &weights, &none)?)?;
            let started = Instant::now();
            session.run(&inputs)?;
            report[format!("{graph}_seconds")] = json!(started.elapsed().as_secs_f64());
        }
        // A probe: not every runtime samples volumes.
        let full = export(FULL, None, network, &weights, &none)?;
        report["full_graph"] = match bench.compile(&full).and_then(|mut session| {
            let started = Instant::now();
            let outputs = session.run(&[moving, fixed])?;
            let place = session.outputs().iter().position(|o| o.name == "flow_yx").unwrap_or(3);
            let flow = outputs.get(place).ok_or_else(|| Error::shape("outputs", 4, outputs.len()))?.as_slice::<f32>()?.to_vec();
            Ok((started.elapsed().as_secs_f64(), flow))
        }) {
            Ok((seconds, flow)) => {
                let apart = flow.iter().zip(&fields.yx).map(|(a, b)| (a - b).abs()).fold(0.0f32, f32::max);
                json!({"seconds": seconds, "greatest_difference_pixels": apart})
            }
            Err(error) => json!({"refused": error.to_string()}),
        };
    }
    report["peak_resident_bytes"] = json!(peak_memory());
    Ok(report)
}
