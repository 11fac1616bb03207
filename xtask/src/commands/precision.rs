//! `bench precision`: what f16 and int8 cost in accuracy, and what they save.

use super::{compile_options, write_result};
use crate::cli::Global;
use crate::stdout::say;
use anyhow::{Context, Result};
use serde_json::json;
use std::fmt::Write;
use std::path::Path;
use zoo_bench::{Better, Row, median};
use zoo_core::{ArtifactKind, Device, ExportRequest, Level, Options, Reporter, Session, Silent, TaskKind};
use zoo_host::eval::evaluate_batches;
use zoo_host::export::{Precision, in_precision};
use zoo_host::registry::ModelEntry;
use zoo_host::zoo::{FoundModel, Zoo};

/// Data sets of images whose classifiers are measured.
const DATA: [&str; 4] = ["mnist", "fashion-mnist", "cifar10", "cifar10-jpeg"];
/// The runtime with kernels for both.
const BACKEND: &str = "onnxruntime";
const THREADS: usize = 2;
/// Batch sizes whose speed is measured, with the items of one turn.
const SPEED: [(usize, usize); 2] = [(1, 100), (64, 512)];
/// Turns, precisions taking turns.
const TURNS: usize = 5;
/// Items a batch for accuracy.
const BATCH: usize = 64;

/// One model in one precision.
struct Measured {
    precision: Precision,
    bytes: usize,
    accuracy: f64,
    /// Items a second for each of [`SPEED`].
    speed: Vec<f64>,
}

pub(super) fn precision(zoo: &Zoo, as_json: bool, page: Option<&Path>, global: &Global, reporter: &dyn Reporter) -> Result<()> {
    let mut options = compile_options(global, Some(THREADS), &[])?;
    options.independent_items = true;
    let mut all = Vec::new();
    for entry in chosen(zoo) {
        let model = zoo.model(&entry.name, reporter)?;
        if matches!(model.model.card().task, TaskKind::Classification { .. }) {
            reporter.log(Level::Info, "xtask", &entry.name);
            all.push((entry, measure(zoo, &model, &options, reporter)?));
        }
    }
    let rows: Vec<Row> = all.iter().flat_map(|(entry, measured)| rows(entry, measured)).collect();
    let text = tables(&all)?;
    if let Some(path) = page {
        write_result(path, &text)?;
    }
    if as_json {
        say!("{:#}", json!({"schema": super::bench::SCHEMA, "machine": super::bench::machine(), "rows": rows}));
    } else {
        crate::stdout::write(format_args!("{text}"))?;
    }
    Ok(())
}

/// The first registered model of each family on each of the data sets.
fn chosen(zoo: &Zoo) -> Vec<&ModelEntry> {
    let mut chosen: Vec<&ModelEntry> = Vec::new();
    for entry in zoo.registry().models() {
        let measured = entry.dataset.as_deref().is_some_and(|data| DATA.contains(&data));
        let same = |other: &ModelEntry| (&other.plugin, &other.family, &other.dataset) == (&entry.plugin, &entry.family, &entry.dataset);
        if measured && !chosen.iter().any(|other| same(other)) {
            chosen.push(entry);
        }
    }
    chosen
}

fn measure(zoo: &Zoo, model: &FoundModel<'_>, options: &Options, reporter: &dyn Reporter) -> Result<Vec<Measured>> {
    let (weights, _) = zoo.weights(model, None, reporter)?;
    let plain = model.model.export(&ExportRequest::new(ArtifactKind::Onnx), &weights, &model.config)?;
    let data = model.entry.dataset.as_deref().context("the model names no data set")?;
    let dataset = zoo.dataset(data, &model.entry.split, &model.dataset_config(), reporter)?;
    let backend = zoo.backend(BACKEND)?;
    let mut measured = Vec::new();
    let mut sessions: Vec<Box<dyn Session>> = Vec::new();
    for precision in Precision::ALL {
        let artifact = in_precision(zoo, model, &plain, precision, options, reporter)?;
        let mut session = backend.compile(&artifact, &Device::Cpu, options)?;
        let mut metrics = model.model.metrics();
        evaluate_batches(model.model, &mut *session, &*dataset, 0..dataset.len(), BATCH, &mut metrics, reporter)?;
        let accuracy = metrics.first().and_then(|metric| metric.estimate()).context("a classifier has an accuracy")?.value;
        let bytes = artifact.main()?.bytes.len();
        measured.push(Measured { precision, bytes, accuracy, speed: Vec::new() });
        sessions.push(session);
    }
    for (batch, items) in SPEED {
        let items = items.min(dataset.len());
        let mut turns = vec![Vec::new(); sessions.len()];
        for _ in 0..TURNS {
            for (session, turns) in sessions.iter_mut().zip(&mut turns) {
                let outcome = evaluate_batches(model.model, &mut **session, &*dataset, 0..items, batch, &mut [], &Silent)?;
                #[allow(clippy::cast_precision_loss, reason = "a batch size")]
                turns.push(batch as f64 / median(&outcome.latencies));
            }
        }
        measured.iter_mut().zip(&turns).for_each(|(measured, turns)| measured.speed.push(median(turns)));
    }
    Ok(measured)
}

fn rows(entry: &ModelEntry, measured: &[Measured]) -> Vec<Row> {
    let Some((plain, others)) = measured.split_first() else { return Vec::new() };
    let peer = plain.precision.name();
    let of = |other: &Measured| {
        let case = |what: &str| format!("{} {} {what}", entry.name, other.precision);
        let row = |what: &str, unit, better, ours, theirs| Row::new("precision", case(what), unit, better, ours, peer, theirs);
        #[allow(clippy::cast_precision_loss, reason = "sizes of small files")]
        let (ours, theirs) = (other.bytes as f64, plain.bytes as f64);
        let mut rows =
            vec![row("accuracy", "%", Better::Higher, other.accuracy, plain.accuracy), row("size", "bytes", Better::Lower, ours, theirs)];
        let speeds = SPEED.iter().zip(other.speed.iter().zip(&plain.speed));
        rows.extend(speeds.map(|((batch, _), (ours, theirs))| row(&format!("b{batch}"), "items/s", Better::Higher, *ours, *theirs)));
        rows
    };
    others.iter().flat_map(of).collect()
}

fn tables(all: &[(&ModelEntry, Vec<Measured>)]) -> Result<String> {
    let mut out =
        String::from("| model | data | precision | accuracy, % | change, points | bytes | items/s, batch 1 | items/s, batch 64 |\n");
    out.push_str("| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (entry, measured) in all {
        for m in measured {
            let (data, change) = (entry.dataset.as_deref().unwrap_or("-"), m.accuracy - measured[0].accuracy);
            let change = if m.precision == Precision::F32 { String::new() } else { format!("{change:+.2}") };
            let speed: Vec<_> = m.speed.iter().map(|speed| format!("{speed:.0}")).collect();
            let (precision, accuracy, bytes) = (m.precision, m.accuracy, m.bytes);
            writeln!(out, "| {} | {data} | {precision} | {accuracy:.2} | {change} | {bytes} | {} |", entry.name, speed.join(" | "))?;
        }
    }
    Ok(out)
}
