//! Louvain timed beside `bctpy` on the same matrices, in one run.

use crate::louvain::louvain;
use crate::multilayer::{Resolution, operator};
use crate::random::{Purpose, normal, stream};
use crate::windows::{Layers, Series};
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::time::Instant;
use zoo_core::{Error, Reporter, Result};

/// Help of the command.
pub const HELP: &str = "[--python PATH] [--layers N] [--nodes N] [--runs N] [--peer-runs N]: seconds a run of our Louvain and of \
                        bctpy's on the same multilayer matrix, as a row of zoo.bench/1; without --python, ours alone";

const PEER: &str = include_str!("../bench/louvain_peer.py");
/// Steps of a window of the made-up recording.
const WINDOW: usize = 50;

struct Settings {
    python: Option<String>,
    layers: usize,
    nodes: usize,
    runs: u64,
    peer_runs: u64,
}

fn settings(args: &[String]) -> Result<Settings> {
    let mut settings = Settings { python: None, layers: 50, nodes: 120, runs: 100, peer_runs: 1 };
    let mut rest = args.iter();
    while let Some(name) = rest.next() {
        let value = rest.next().ok_or_else(|| Error::argument(name.as_str(), "a value after it", "nothing"))?;
        let count = || {
            let number = value.parse::<usize>().ok().filter(|n| (1..=1000).contains(n));
            number.ok_or_else(|| Error::argument(name.as_str(), "a number from 1 to 1000", value))
        };
        match name.as_str() {
            "--python" => settings.python = Some(value.clone()),
            "--layers" => settings.layers = count()?,
            "--nodes" => settings.nodes = count()?,
            "--runs" => settings.runs = count()? as u64,
            "--peer-runs" => settings.peer_runs = count()? as u64,
            _ => return Err(Error::argument("option", HELP, name)),
        }
    }
    Ok(settings)
}

/// Correlations of a recording whose units follow six common courses.
fn recording(layers: usize, nodes: usize) -> Result<Layers> {
    let mut rng = stream(0, Purpose::Controls, 1000);
    let steps = layers * WINDOW;
    let courses: Vec<Vec<f64>> = (0..6).map(|_| (0..steps).map(|_| normal(&mut rng)).collect()).collect();
    let values = (0..nodes).flat_map(|unit| courses[unit % 6].iter().map(|c| c + 1.5 * normal(&mut rng)).collect::<Vec<f64>>()).collect();
    Ok(Series::new(nodes, values)?.correlations(WINDOW, false)?)
}

/// The row.
///
/// # Errors
/// [`Error::Argument`] for options that there are not, [`Error::Unavailable`] if the Python or its bctpy can't be used.
pub fn louvain_row(args: &[String], reporter: &dyn Reporter) -> Result<Value> {
    let settings = settings(args)?;
    let layers = recording(settings.layers, settings.nodes)?;
    let resolution = Resolution::default();
    let building = Instant::now();
    let (b, total) = operator(&layers, resolution)?;
    let build_s = building.elapsed().as_secs_f64();
    let mut times = Vec::new();
    let mut qs = Vec::new();
    for run in 0..settings.runs {
        reporter.check()?;
        reporter.progress("Louvain", run, Some(settings.runs), "runs");
        let start = Instant::now();
        let partition = louvain(&b, &mut stream(1, Purpose::Louvain, run));
        times.push(start.elapsed().as_secs_f64());
        qs.push(partition.score / total);
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let ours = mean(&times);
    let mut row = json!({
        "bench": "louvain", "case": format!("{}x{}", settings.layers, settings.nodes), "ours": ours, "unit": "s a run", "better": "lower",
        "runs": settings.runs, "total_s": times.iter().sum::<f64>(), "build_s": build_s, "q_mean": mean(&qs),
        "q_best": qs.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    });
    if let Some(python) = &settings.python {
        let answer = peer(python, &layers, resolution, settings.peer_runs)?;
        let theirs: Vec<f64> = answer["seconds"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
        row["peer"] = json!("bctpy");
        row["peer_value"] = json!(mean(&theirs));
        row["peer_runs"] = json!(theirs.len());
        row["peer_q"] = answer["q"].clone();
        row["peer_version"] = answer["version"].clone();
        row["ratio"] = json!(mean(&theirs) / ours);
    }
    Ok(row)
}

fn peer(python: &str, layers: &Layers, resolution: Resolution, runs: u64) -> Result<Value> {
    let unavailable = |why: String| Error::Unavailable {
        what: format!("the peer of the Louvain benchmark ({python})"),
        why,
        mend: "give a Python that can import bct (package bctpy)".into(),
    };
    let mut child = Command::new(python)
        .args(["-c", PEER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| unavailable(e.to_string()))?;
    let question = json!({
        "units": layers.units, "layers": layers.matrices, "runs": runs,
        "gamma_plus": resolution.gamma_plus, "gamma_minus": resolution.gamma_minus, "omega": resolution.omega,
    });
    if let Some(input) = child.stdin.take() {
        serde_json::to_writer(input, &question).map_err(|e| unavailable(e.to_string()))?;
    }
    let output = child.wait_with_output().map_err(|e| unavailable(e.to_string()))?;
    if !output.status.success() {
        return Err(unavailable(format!("it ended with {}", output.status)));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| unavailable(e.to_string()))
}
