//! `export --opsets`: every ONNX graph in every operator set.

use super::export::chosen;
use super::{command_line, compile_options, write_result};
use crate::cli::{ExportArgs, Global};
use crate::exit;
use anyhow::Result;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::ExitCode;
use zoo_core::{ArtifactKind, Error, Level, Reporter};
use zoo_host::export::{OpsetReport, OpsetRow, sweep_opsets};
use zoo_host::zoo::Zoo;

/// Writes and runs the graphs. A model that fails is named and does not hide the others; files that somebody else made are what they
/// are and are left out.
pub(super) fn sweep(
    zoo: &Zoo,
    args: &ExportArgs,
    opsets: &RangeInclusive<u32>,
    out: &Path,
    global: &Global,
    reporter: &dyn Reporter,
) -> Result<ExitCode> {
    let options = compile_options(global, None, &[])?;
    let names = chosen(zoo, args, reporter)?;
    let mut rows = Vec::new();
    for (done, name) in names.iter().enumerate() {
        reporter.progress("opsets", done as u64, Some(names.len() as u64), "models");
        let swept = zoo.model(name, reporter).and_then(|model| {
            if model.entry.onnx.is_some() || !model.model.artifact_kinds().contains(&ArtifactKind::Onnx) {
                return Ok(Vec::new());
            }
            sweep_opsets(zoo, &model, opsets.clone(), out, &options, reporter)
        });
        match swept {
            Ok(swept) => rows.extend(swept),
            Err(Error::Cancelled) => return Err(Error::Cancelled.into()),
            Err(error) => {
                reporter.log(Level::Warn, "xtask", &format!("{name}: {error}"));
                rows.push(OpsetRow::failed(name, *opsets.start(), &error));
            }
        }
    }
    let report = OpsetReport { command: Some(command_line()), ..OpsetReport::new(opsets, rows) };
    if let Some(path) = &args.json {
        write_result(path, &format!("{}\n", serde_json::to_string_pretty(&report)?))?;
    }
    if let Some(path) = &args.page {
        write_result(path, &page(&report))?;
    }
    if args.json.as_deref() != Some(Path::new("-")) {
        crate::stdout::write(format_args!("{}", report.sums()))?;
    }
    for (row, opset, found) in report.fallen() {
        reporter.log(Level::Warn, "xtask", &format!("{} {} in opset {opset}: {found:?}", row.model, row.graph));
    }
    let whole = report.rows.iter().all(|row| !row.graph.is_empty());
    Ok(ExitCode::from(match (whole, report.fallen().next()) {
        (false, _) => exit::UNAVAILABLE,
        (true, Some(_)) => exit::BAR,
        (true, None) => exit::OK,
    }))
}

/// The page of results: how it was made, and the table.
fn page(report: &OpsetReport) -> String {
    let command = report.command.as_ref().map_or_else(String::new, |command| format!("`{command}` wrote this page.\n\n"));
    format!(
        "# Exported graphs in every operator set\n\n{command}\
         A cell is the greatest absolute difference between what a graph computes in an operator set and what it computes as it is \
         usually written (opset {}), on drawn inputs, on the backend of ours where that is furthest. A dash stands for a graph that the \
         operator set can't say; the reason is below.\n\n```text\n{}```\n\n{}",
        zoo_formats::onnx::DEFAULT_OPSET,
        report.sums(),
        report.markdown()
    )
}
