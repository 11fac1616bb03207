//! Running the tools, each in a Python process of its own that may fall.

use super::super::precision::Precision;
use super::case::{Case, Checks};
use super::report::{Cell, VERIFY_SCHEMA, VerifyReport, VerifyRow};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use zoo_core::{Error, Reporter, Result};

/// A tool of the script.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// Name, also that of the column.
    pub name: &'static str,
    /// Format that it reads.
    pub reads: &'static str,
}

/// The tools, in the order of the table.
pub const TOOLS: [Tool; 7] = [
    Tool { name: "onnx.checker", reads: "onnx" },
    Tool { name: "onnxruntime", reads: "onnx" },
    Tool { name: "openvino", reads: "onnx" },
    Tool { name: "onnx2torch", reads: "onnx" },
    Tool { name: "onnxslim", reads: "onnx" },
    Tool { name: "safetensors", reads: "safetensors" },
    Tool { name: "nir", reads: "nir" },
];

/// A line of the script's output.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Versions { versions: BTreeMap<String, String> },
    // JSON has no NaN: a difference that is none comes as null.
    Compared { index: usize, max_abs: Option<f64>, scale: f64 },
    Taken { index: usize, taken: String },
    Refused { index: usize, refused: String },
}

/// Opens every case's file with every tool that reads it. `script` is the Python script, a file; `python` an interpreter that has
/// the tools. A tool that takes its process down has refused the file it was at, and goes on with the next.
///
/// # Errors
/// [`Error::Unavailable`] if Python does not start or lacks a tool, [`Error::Io`] if the cases can't be written.
pub fn verify(cases: &[Case], python: &Path, script: &Path, scratch: &Path, reporter: &dyn Reporter) -> Result<VerifyReport> {
    let mut rows: Vec<VerifyRow> = cases.iter().map(VerifyRow::of).collect();
    let mut versions = BTreeMap::new();
    for Tool { name, reads } in TOOLS {
        let (at, mine): (Vec<usize>, Vec<&Case>) = cases.iter().enumerate().filter(|(_, case)| format(&case.checks) == reads).unzip();
        let list = scratch.join(format!("{name}.json"));
        let text = serde_json::to_vec(&mine).map_err(|e| Error::argument("cases", "paths that are text", e))?;
        std::fs::write(&list, text).map_err(Error::io(&list))?;
        let (mut next, mut opened) = (0, false);
        while next < mine.len() {
            reporter.check()?;
            let end = attempt(python, script, name, &list, next, &mut |line| {
                let (index, cell) = match line {
                    Line::Versions { versions: found } => {
                        opened = true;
                        versions.extend(found);
                        return;
                    }
                    Line::Compared { index, max_abs, scale } => {
                        let precision = mine.get(index).map_or(Precision::F32, |case| case.precision);
                        (index, Cell::compared_in(precision, max_abs.unwrap_or(f64::NAN), scale))
                    }
                    Line::Taken { index, taken } => (index, Cell::taken(Some(taken).filter(|text| !text.is_empty()))),
                    Line::Refused { index, refused } => (index, Cell::refused(refused)),
                };
                if let Some(&row) = at.get(index) {
                    rows[row].cells.insert(name.into(), cell);
                    next = index + 1;
                    reporter.progress(name, next as u64, Some(mine.len() as u64), "files");
                }
            })?;
            if !opened {
                let mend = "make the environment with `cargo xtask setup verify`".into();
                return Err(Error::Unavailable { what: format!("{name} in Python"), why: end, mend });
            }
            if next < mine.len() {
                rows[at[next]].cells.insert(name.into(), Cell::refused(format!("took its process down: {end}")));
                next += 1;
            }
        }
    }
    Ok(VerifyReport { schema: VERIFY_SCHEMA.into(), command: None, versions, rows })
}

/// Runs the script from one case on, hands over its lines, and says how it ended.
fn attempt(python: &Path, script: &Path, tool: &str, list: &Path, from: usize, told: &mut dyn FnMut(Line)) -> Result<String> {
    let log = list.with_extension("log");
    let errors = std::fs::File::create(&log).map_err(Error::io(&log))?;
    let mut command = Command::new(python);
    command.args(["-B", "-s"]).arg(script).arg(tool).arg(list).arg(from.to_string());
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).spawn();
    let mut child = spawned.map_err(|error| Error::Unavailable {
        what: format!("Python ({})", python.display()),
        why: error.to_string(),
        mend: "make the environment with `cargo xtask setup verify`".into(),
    })?;
    // What a tool prints by itself is no line of ours.
    let lines = child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines().map_while(std::io::Result::ok));
    lines.filter_map(|line| serde_json::from_str(&line).ok()).for_each(told);
    let status = child.wait().map_err(Error::io(python))?;
    let said = std::fs::read(&log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let last = said.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it said nothing");
    Ok(format!("{last} ({status})"))
}

fn format(checks: &Checks) -> &'static str {
    match checks {
        Checks::Onnx { .. } | Checks::OnnxForm { .. } => "onnx",
        Checks::Safetensors { .. } => "safetensors",
        Checks::Nir { .. } => "nir",
    }
}
