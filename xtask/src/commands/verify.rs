//! `export --verify`: the exported files in other tools' hands.

use super::{command_line, compile_options, setup, write_result};
use crate::cli::{ExportArgs, Global};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use zoo_core::{Level, Options, Reporter};
use zoo_host::export::verify::{Case, VerifyReport, make_case, verify};
use zoo_host::export::{ExportReport, Exported};
use zoo_host::zoo::{FoundModel, Zoo};

/// Opens files with one tool after the other.
const SCRIPT: &str = include_str!("../../../tests/python/verify.py");

/// Collects what was exported, and in the end runs the tools over it.
pub(super) struct Verifier {
    python: PathBuf,
    scratch: tempfile::TempDir,
    options: Options,
    cases: Vec<Case>,
}

impl Verifier {
    /// Finds the tools' environment before anything is exported.
    pub(super) fn new(global: &Global) -> Result<Self> {
        let scratch = tempfile::tempdir().context("making a temporary folder")?;
        Ok(Self { python: setup::verify_python()?, scratch, options: compile_options(global, None, &[])?, cases: Vec::new() })
    }

    /// Runs a model's graphs on our own backends and keeps inputs and outputs.
    pub(super) fn add(
        &mut self,
        zoo: &Zoo,
        model: &FoundModel<'_>,
        exported: &Exported,
        out: &Path,
        reporter: &dyn Reporter,
    ) -> zoo_core::Result<()> {
        for graph in &exported.graphs {
            self.cases.extend(make_case(zoo, model, graph, out, self.scratch.path(), &self.options, reporter)?);
        }
        Ok(())
    }

    /// Runs the tools and writes what they found; whether those whose verdict decides agree.
    pub(super) fn finish(self, args: &ExportArgs, exported: &ExportReport, quiet: bool, reporter: &dyn Reporter) -> Result<bool> {
        let script = self.scratch.path().join("verify.py");
        std::fs::write(&script, SCRIPT).with_context(|| format!("writing {}", script.display()))?;
        let report = verify(&self.cases, &self.python, &script, self.scratch.path(), reporter)?;
        let report = VerifyReport { command: Some(command_line()), ..report };
        if let Some(path) = &args.json {
            write_result(path, &format!("{}\n", serde_json::to_string_pretty(&report)?))?;
        }
        if let Some(path) = &args.page {
            write_result(path, &page(&report, exported)?)?;
        }
        if !quiet {
            crate::stdout::write(format_args!("\n{}", report.sums()))?;
        }
        for (row, tool) in report.fallen() {
            let cell = row.cells.get(tool).map(|cell| format!("{cell:?}")).unwrap_or_default();
            reporter.log(Level::Warn, "xtask", &format!("{} in {tool}: {cell}", row.file));
        }
        Ok(report.fallen().next().is_none())
    }
}

/// The page of results: how it was made, with what, the tables, and what there is no file of.
fn page(report: &VerifyReport, exported: &ExportReport) -> Result<String> {
    let mut out = String::from("# Exported files in other tools\n\n");
    if let Some(command) = &report.command {
        writeln!(out, "`{command}` wrote this page.\n")?;
    }
    let versions: Vec<_> = report.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    writeln!(out, "Tools: {}.\n", versions.join(", "))?;
    out.push_str(
        "A cell is the greatest absolute difference between what a tool computes from the file and what the backend under `ours` \
         does, over all outputs; `ok` where a file is opened and nothing is computed. Inputs are the first items of the model's data \
         set (`real`; of a model with state, its first and its last step) or, for graphs that a model does not run by itself, \
         `drawn` at random. Up to 1e-4, and as much of the greatest value, counts as agreement; 1e-2 for half precision and 5e-2 for 8-bit integers, \
         which runtimes round at other places. The exit status depends on \
         `onnx.checker` and `onnxruntime`.\n\n",
    );
    if exported.rows.iter().any(|row| row.precision.is_some()) {
        out.push_str(
            "A spiking network in half precision or 8 bits answers in whole spikes: where two tools round to different sides of a threshold, or a \
             tie between two steps of a scale differently, a spike is there or not, and all that is behind it differs. Tools may compute halves \
             in single precision and move the scales of 8-bit graphs.\n\n",
        );
    }
    writeln!(out, "```text\n{}```\n", report.sums())?;
    out.push_str(&report.markdown());
    let mut missing: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for row in exported.failed() {
        let why = row.error.as_deref().and_then(|error| error.lines().next()).unwrap_or("failed");
        let what = row.precision.map_or_else(|| row.format.clone(), |precision| precision.to_string());
        missing.entry(why).or_default().push(format!("{} {} {what}", row.model, row.graph));
    }
    if !missing.is_empty() {
        out.push_str("\n## Not written\n\n| reason | graphs |\n| --- | --- |\n");
        for (why, graphs) in missing {
            writeln!(out, "| {} | {} |", why.replace('|', "\\|"), graphs.join(", "))?;
        }
    }
    Ok(out)
}
