//! `bench`: speed side by side with peers.

use super::compile_options;
use crate::cli::Global;
use crate::stdout::say;
use anyhow::{Context, Result};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use zoo_bench::{Goal, HostCase, PythonCase, Row, host, python_onnxruntime};
use zoo_core::{Artifact, ArtifactKind, Availability, Batch, Device, ExportRequest, Level, Reporter, Session, Silent, Tensor, TensorSpec};
use zoo_host::eval::evaluate_batches;
use zoo_host::zoo::{FoundModel, Zoo};

/// A convolutional net without state, so that one run is one prediction.
pub(super) const MODEL: &str = "snn-calibration/vgg-mini-mnist-ann";
/// Batch size and items of each case.
const CASES: [(usize, usize); 2] = [(1, 400), (64, 64 * 32)];
const ROUNDS: usize = 5;
pub(super) const SCHEMA: &str = "zoo.bench/1";
const THREADS: usize = 2;

/// `bench backends`.
pub(super) fn backends(zoo: &Zoo, as_json: bool, python: Option<&Path>, global: &Global, reporter: &dyn Reporter) -> Result<()> {
    let rows = backend_rows(zoo, python, global, reporter)?;
    if as_json {
        say!("{}", json!({"schema": SCHEMA, "machine": machine(), "rows": rows}));
        return Ok(());
    }
    print(&rows)
}

/// `bench executor`.
pub(super) fn executor(as_json: bool, python: Option<PathBuf>, recording: Option<PathBuf>, reporter: &dyn Reporter) -> Result<()> {
    let python = python.or_else(|| super::setup::peers_python().ok());
    if python.is_none() {
        reporter.log(Level::Warn, "xtask", "skipped sinabs and SpikingJelly: give --python FILE, or run `cargo xtask setup peers`");
    }
    let report = zoo_bench::executor(python, recording, &mut |line| reporter.log(Level::Info, "executor", line))?;
    if as_json {
        let versions = &report.versions;
        let fit =
            report.fit.map(|[fixed, slope, error]| json!({"fixed_ms": fixed, "ns_per_synop": slope, "greatest_relative_error": error}));
        let all =
            json!({"schema": SCHEMA, "machine": machine(), "versions": versions, "rows": report.rows, "fit": fit, "goals": report.goals});
        say!("{all:#}");
        return Ok(());
    }
    print(&report.rows)?;
    print_goals(&report.goals)
}

pub(super) fn print_goals(goals: &[Goal]) -> Result<()> {
    for goal in goals {
        let measured = goal.measured.map_or("not run".into(), |m| format!("{m:.3}"));
        say!("{:64} bar {:6.2}, measured {measured}, {}", goal.goal, goal.bar, if goal.met { "met" } else { "MISSED" });
    }
    Ok(())
}

/// `bench train`, in a build that has the engine.
#[cfg(not(feature = "train"))]
pub(super) fn train(_: bool, _: Option<PathBuf>, _: &dyn Reporter) -> Result<ExitCode> {
    super::train::again_with_engine()
}

/// `bench train`.
#[cfg(feature = "train")]
pub(super) fn train(as_json: bool, python: Option<PathBuf>, reporter: &dyn Reporter) -> Result<ExitCode> {
    let python = python.or_else(|| super::setup::peers_python().ok());
    if python.is_none() {
        reporter.log(Level::Warn, "xtask", "skipped PyTorch: give --python FILE, or run `cargo xtask setup peers`");
    }
    let rows = zoo_train::bench::bench_train(python.as_deref(), zoo_train::bench::Effort::default(), reporter)?;
    if as_json {
        say!("{:#}", json!({"schema": SCHEMA, "machine": machine(), "rows": rows}));
    } else {
        for row in &rows {
            say!("{row}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn print(rows: &[Row]) -> Result<()> {
    for row in rows {
        say!("{:22} {:12.3} {:10} {:20} {:12.3} ratio {:.3}", row.case, row.ours, row.unit, row.peer, row.peer_value, row.ratio);
    }
    Ok(())
}

pub(super) fn machine() -> serde_json::Value {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|l| l.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name.to_string());
    let widest = ["avx512f", "avx2", "sse2"].into_iter().find(|f| cpu.split_whitespace().any(|word| word == *f));
    json!({
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        "cpu": model,
        "vectors": widest,
    })
}

fn backend_rows(zoo: &Zoo, python: Option<&Path>, global: &Global, reporter: &dyn Reporter) -> Result<Vec<Row>> {
    let model = zoo.model(MODEL, reporter)?;
    let (weights, _) = zoo.weights(&model, None, reporter)?;
    let artifact = model.model.export(&ExportRequest::new(ArtifactKind::Onnx), &weights, &model.config)?;
    let data = model.entry.dataset.as_deref().context("the benchmark's model names no data set")?;
    let dataset = zoo.dataset(data, &model.entry.split, &model.dataset_config(), reporter)?;
    let mut rows = Vec::new();
    for backend in zoo.backends().into_iter().filter(|b| b.accepts().contains(&ArtifactKind::Onnx)) {
        if let Availability::Unavailable { why, mend } = backend.probe() {
            reporter.log(Level::Warn, "xtask", &format!("skipped {}: {why}; {mend}", backend.name()));
            continue;
        }
        for (batch, items) in CASES {
            let mut options = compile_options(global, Some(THREADS), &[])?;
            options.batch_hint = Some(batch);
            options.independent_items = true;
            let mut session = backend.compile(&artifact, &Device::Cpu, &options)?;
            let batches = inputs(&model, &*session, &*dataset, batch, items)?;
            let case = HostCase { case: format!("host-b{batch}"), batches: &batches, items, rounds: ROUNDS };
            let mut row = host(&case, &mut *session, &mut |session| {
                let mut metrics = model.model.metrics();
                evaluate_batches(model.model, session, &*dataset, 0..items, batch, &mut metrics, &Silent).map(drop)
            })?;
            row.case = format!("{} ({})", row.case, backend.name());
            rows.push(row);
            if backend.name() == "onnxruntime" {
                rows.extend(against_python(backend, &artifact, &batches[0], batch, python, options, reporter)?);
            }
        }
    }
    Ok(rows)
}

fn against_python(
    backend: &dyn zoo_core::Backend,
    artifact: &Artifact,
    inputs: &[Tensor],
    batch: usize,
    python: Option<&Path>,
    options: zoo_core::Options,
    reporter: &dyn Reporter,
) -> Result<Option<Row>> {
    let Some(python) = python.map(PathBuf::from).or_else(|| super::setup::peers_python().ok()) else {
        reporter.log(Level::Warn, "xtask", "skipped python-onnxruntime: give --python FILE, or run `cargo xtask setup peers`");
        return Ok(None);
    };
    let runs = if batch == 1 { 400 } else { 20 };
    let case = format!("b{batch}");
    let case = PythonCase { case, artifact, inputs, items: batch, threads: THREADS, runs, rounds: ROUNDS, python: &python, options };
    Ok(Some(python_onnxruntime(&case, backend)?))
}

/// The session's inputs for the first `items` items, batch by batch, as the bare loop feeds them.
fn inputs(
    model: &FoundModel<'_>,
    session: &dyn Session,
    dataset: &dyn zoo_core::Dataset,
    batch: usize,
    items: usize,
) -> Result<Vec<Vec<Tensor>>> {
    let features: Arc<[TensorSpec]> = dataset.info().features.clone().into();
    let starts = (0..items).step_by(batch);
    let one = |start: usize| Ok(model.model.preprocess(&Batch::read(dataset, &features, start..start + batch)?, session)?);
    starts.map(one).collect()
}
