//! Commands of the plugin's own.

use crate::config::PaperConfig;
use crate::export::export;
use crate::full_scale;
use crate::gradcam::grad_cam;
use crate::import::import;
use crate::model::Family;
use crate::sim::{self, Split, Template};
use crate::unet::Head;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use zoo_core::model::ActionSpec;
use zoo_core::{Config, DType, Dialect, Error, Result, Tensor, Workbench};

/// What there is.
pub fn specs(family: Family) -> Vec<ActionSpec> {
    let spec = |name: &str, help: &str| ActionSpec { name: name.into(), help: help.into() };
    let mut all = vec![spec("dry-run", "builds, exports and runs a full-scale configuration with random weights: NAME")];
    if family == Family::Pretext {
        all.push(spec("geometry", "lines, distances and slice order of the real study cmr-case"));
        all.push(spec("grad-cam", "what the slice head looks at in a simulated test patient: PATIENT SLICE"));
    }
    all
}

/// Runs one.
///
/// # Errors
/// [`Error::Argument`] for arguments that do not fit; else whatever the command finds.
pub fn act(action: &str, args: &[String], model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
    match action {
        "dry-run" => dry_run(args, bench),
        "geometry" => Ok(crate::claims::geometry(bench.dataset("cmr-case", "study")?.as_ref())?.detail),
        _ => explain(args, model, config, bench),
    }
}

fn dry_run(args: &[String], bench: &mut dyn Workbench) -> Result<Value> {
    let names = full_scale::CONFIGS.map(|(name, _)| name).join(", ");
    let [name] = args else {
        return Err(Error::argument("arguments of dry-run", format!("one of {names}"), args.len()));
    };
    let (paper, heads) = full_scale::read(name)?;
    let mut graphs = Vec::new();
    for head in heads {
        let network = paper.network(head)?;
        let weights = full_scale::fresh_weights(&network, 0)?;
        let parameters: usize = weights.tensors.iter().filter(|(n, _)| !n.contains("running_")).map(|(_, t)| t.len()).sum();
        let artifact = export("dry_run", None, &network, &weights, false, BTreeMap::new())?;
        let bytes = artifact.main()?.bytes.len();
        let size = paper.network.size;
        let mut session = bench.compile(&artifact)?;
        let outputs = session.run(&[Tensor::zeros(DType::F32, [1, 1, size, size])?])?;
        let shapes: BTreeMap<String, Vec<usize>> =
            session.outputs().iter().zip(&outputs).map(|(spec, output)| (spec.name.clone(), output.shape().to_vec())).collect();
        let finite = outputs.iter().all(|o| o.to_f32().iter().all(|v| v.is_finite()));
        graphs
            .push(json!({"head": format!("{head:?}"), "parameters": parameters, "onnx_bytes": bytes, "outputs": shapes, "finite": finite}));
    }
    Ok(json!({"config": name, "unverified": paper.unverified, "dataset": paper.dataset, "weights": "random", "graphs": graphs}))
}

fn explain(args: &[String], model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
    let paper = PaperConfig::read(config)?;
    let expected = "a test patient and a slice, both from 0";
    let numbers: Vec<usize> = args.iter().filter_map(|a| a.parse().ok()).collect();
    let (&[patient, slice], 2) = (numbers.as_slice(), args.len()) else {
        return Err(Error::argument("arguments of grad-cam", expected, args.join(" ")));
    };
    let sim = paper.sim()?;
    let range = Split::Test.range(sim);
    if patient >= range.len() || slice >= sim.slices {
        let bounds = format!("{expected}, below {} and {}", range.len(), sim.slices);
        return Err(Error::argument("arguments of grad-cam", bounds, args.join(" ")));
    }
    let template = Template::read(bench.dataset(&paper.dataset, "template")?.as_ref())?;
    let patient = sim::patient(&template, sim, &paper.network, range.start + patient)?;
    let network = paper.network(Head::Pretext)?;
    let (file, _) = bench.weights(model, None)?;
    let weights = import(&network, &file, Dialect::Zoo)?;
    let mut session = bench.compile(&export("grad_cam", None, &network, &weights, true, BTreeMap::new())?)?;
    let size = paper.network.size;
    let outputs = session.run(&[Tensor::from_vec([1, 1, size, size], patient.slices[slice].image.clone())?])?;
    let place = session.outputs().iter().position(|o| o.name == "center");
    let center =
        place.and_then(|i| outputs.get(i)).ok_or_else(|| Error::artifact("session", "outputs", "expected `center`, found none"))?;
    let &[_, channels, h, w] = center.shape() else {
        return Err(Error::shape("center features", "[1, channels, h, w]", center.shape()));
    };
    let cam = grad_cam(center.as_slice()?, [channels, h, w], &weights, 0, [size, size])?;
    Ok(json!({
        "patient": patient.index, "slice": slice, "layer": "center", "class": "slice_location",
        "score": cam.score, "true_location": patient.slices[slice].location, "rows": size, "columns": size, "map": cam.map,
    }))
}
