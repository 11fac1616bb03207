//! The table: a cell for each file and tool.

use super::super::precision::Precision;
use super::case::{Case, Checks};
use super::tools::TOOLS;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;
use zoo_core::Tensor;

/// Name of the schema.
pub const VERIFY_SCHEMA: &str = "zoo.verify/1";
/// Tools whose verdict decides: the format's own checker and its reference runtime. The others are reported.
const GATING: [&str; 2] = ["onnx.checker", "onnxruntime"];
/// Greatest difference that is agreement: this, and this much of the greatest value of the tensor. Runtimes round half precision at
/// other places; an 8-bit value next to a border falls to either side, and the step goes on through what follows.
const fn tolerance(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => 1e-4,
        Precision::F16 => 1e-2,
        Precision::Int8 => 5e-2,
    }
}
/// From here on the size of an output is told beside the difference.
const LARGE: f64 = 100.0;

/// What every tool found in every file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerifyReport {
    /// Always [`VERIFY_SCHEMA`].
    pub schema: String,
    /// The command that made it, as typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Versions of the tools and of what they stand on.
    pub versions: BTreeMap<String, String>,
    /// A row a file.
    pub rows: Vec<VerifyRow>,
}

/// What the tools found in one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerifyRow {
    /// Registered name of the model.
    pub model: String,
    /// The file, relative to the folder of the export.
    pub file: String,
    /// Which of the model's graphs.
    pub graph: String,
    /// Our backend whose outputs are compared with, for a graph that was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// `real` items or `drawn` inputs, for a graph that was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<String>,
    /// Why inputs were drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_drawn: Option<String>,
    /// What each tool that reads such files found.
    pub cells: BTreeMap<String, Cell>,
}

/// What one tool found in one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The verdict.
    pub state: State,
    /// Greatest absolute difference to what we computed, where outputs were compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_abs: Option<f64>,
    /// Greatest absolute value of the output with that difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// The reason in words, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The verdict of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It takes the file, and what was compared agrees.
    Ok,
    /// It takes the file and computes something else.
    Differs,
    /// It does not take the file.
    Refused,
}

impl Cell {
    /// The cell of a comparison: greatest absolute difference, and greatest absolute value of the output that has it.
    pub fn compared(max_abs: f64, scale: f64) -> Self {
        Self::compared_in(Precision::F32, max_abs, scale)
    }

    /// The same for another arithmetic.
    pub fn compared_in(precision: Precision, max_abs: f64, scale: f64) -> Self {
        let agrees = max_abs <= tolerance(precision) * (1.0 + scale);
        Self { state: if agrees { State::Ok } else { State::Differs }, max_abs: Some(max_abs), scale: Some(scale), why: None }
    }

    /// The cell of outputs and of those that they are compared with, one by one.
    pub fn of_outputs(found: &[Tensor], wanted: &[Tensor]) -> Self {
        if found.len() != wanted.len() || found.iter().zip(wanted).any(|(a, b)| a.shape() != b.shape()) {
            return Self { state: State::Differs, ..Self::taken(Some("outputs of other shapes".into())) };
        }
        let mut worst = Self::compared(0.0, 0.0);
        for (found, wanted) in found.iter().zip(wanted) {
            let (found, wanted) = (wide(found), wide(wanted));
            let gap = |(a, b): (&f64, &f64)| if a == b || (a.is_nan() && b.is_nan()) { 0.0 } else { (a - b).abs() };
            // What is no number is furthest.
            let larger = |most: f64, next: f64| if next <= most { most } else { next };
            let max_abs = found.iter().zip(&wanted).map(gap).fold(0.0, larger);
            let scale = wanted.iter().filter(|value| value.is_finite()).fold(0.0, |most, value| value.abs().max(most));
            let cell = Self::compared(max_abs, scale);
            let ratio = |cell: &Self| cell.max_abs.unwrap_or(0.0) / (1.0 + cell.scale.unwrap_or(0.0));
            if (cell.state, ratio(&cell)) > (worst.state, ratio(&worst)) || max_abs.is_nan() {
                worst = cell;
            }
        }
        worst
    }

    /// The cell of a file that is taken, without outputs to compare.
    pub fn taken(why: Option<String>) -> Self {
        Self { state: State::Ok, max_abs: None, scale: None, why }
    }

    /// The cell of a file that is not taken.
    pub fn refused(why: impl Into<String>) -> Self {
        Self { state: State::Refused, max_abs: None, scale: None, why: Some(why.into()) }
    }

    pub(in super::super) fn short(&self) -> String {
        let of = self.scale.filter(|scale| *scale >= LARGE).map_or(String::new(), |scale| format!(" of {scale:.0e}"));
        match (self.state, self.max_abs) {
            (State::Ok, Some(0.0)) => "0".into(),
            (State::Ok, Some(max)) => format!("{max:.0e}{of}"),
            (State::Ok, None) => "ok".into(),
            (State::Differs, Some(max)) => format!("differs by {max:.0e}{of}"),
            (State::Differs, None) => "differs".into(),
            (State::Refused, _) => "refused".into(),
        }
    }
}

fn wide(tensor: &Tensor) -> Vec<f64> {
    tensor.as_slice::<f64>().map_or_else(|_| tensor.to_f32().into_iter().map(f64::from).collect(), <[f64]>::to_vec)
}

impl VerifyRow {
    pub(super) fn of(case: &Case) -> Self {
        let (reference, inputs, why_drawn) = match &case.checks {
            Checks::Onnx { reference, inputs, why_drawn, .. } => (Some(reference.clone()), Some(inputs.clone()), why_drawn.clone()),
            _ => (None, None, None),
        };
        let (model, file, graph) = (case.model.clone(), case.file.clone(), case.graph.clone());
        Self { model, file, graph, reference, inputs, why_drawn, cells: BTreeMap::new() }
    }
}

impl VerifyReport {
    /// Files that a tool whose verdict decides does not take, or takes for something else.
    pub fn fallen(&self) -> impl Iterator<Item = (&VerifyRow, &str)> {
        let falls = |row: &VerifyRow, tool: &str| row.cells.get(tool).is_some_and(|cell| cell.state != State::Ok);
        self.rows.iter().flat_map(move |row| GATING.into_iter().filter(move |tool| falls(row, tool)).map(move |tool| (row, tool)))
    }

    /// Tables of Markdown: a line a file, then every gap with its reason and files. Ends with a newline.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        let onnx: Vec<&str> = TOOLS.iter().filter(|tool| tool.reads == "onnx").map(|tool| tool.name).collect();
        let _ = writeln!(out, "| file | ours | inputs | {} |", onnx.join(" | "));
        let _ = writeln!(out, "| --- | --- | --- |{}", " --- |".repeat(onnx.len()));
        for row in self.rows.iter().filter(|row| row.cells.contains_key(onnx[0])) {
            let own = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
            let cells: Vec<_> = onnx.iter().map(|tool| row.cells.get(*tool).map_or_else(|| "not run".into(), Cell::short)).collect();
            let _ = writeln!(out, "| {} | {} | {} | {} |", row.file, own(&row.reference), own(&row.inputs), cells.join(" | "));
        }
        out.push_str("\n| file | tool | found |\n| --- | --- | --- |\n");
        for row in self.rows.iter().filter(|row| !row.cells.contains_key(onnx[0])) {
            for (tool, cell) in &row.cells {
                let _ = writeln!(out, "| {} | {tool} | {} |", row.file, cell.why.clone().unwrap_or_else(|| cell.short()));
            }
        }
        let mut drawn: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for row in &self.rows {
            if let Some(why) = &row.why_drawn {
                // What follows lists files or sources.
                let short = why.split([';', ',']).next().unwrap_or(why);
                drawn.entry(short).or_default().push(&row.file);
            }
        }
        if !drawn.is_empty() {
            out.push_str("\n## Drawn inputs\n\n| why not real ones | files |\n| --- | --- |\n");
        }
        for (why, files) in &drawn {
            let _ = writeln!(out, "| {} | {} |", why.replace('|', "\\|"), files.join(", "));
        }
        let mut gaps: BTreeMap<(&str, State, String), Vec<&str>> = BTreeMap::new();
        for row in &self.rows {
            for (tool, cell) in row.cells.iter().filter(|(_, cell)| cell.state != State::Ok) {
                let why = cell.why.clone().unwrap_or_else(|| "other values than ours".into());
                gaps.entry((tool, cell.state, why)).or_default().push(&row.file);
            }
        }
        if !gaps.is_empty() {
            out.push_str("\n## Gaps\n\n| tool | reason | files |\n| --- | --- | --- |\n");
        }
        for ((tool, _, why), files) in &gaps {
            let _ = writeln!(out, "| {tool} | {} | {} |", why.replace('|', "\\|").replace('<', "&lt;"), files.join(", "));
        }
        out
    }

    /// How many files each tool takes, computes otherwise, and refuses, a line a tool. Ends with a newline.
    pub fn sums(&self) -> String {
        let mut out = String::new();
        for tool in &TOOLS {
            let cells: Vec<_> = self.rows.iter().filter_map(|row| row.cells.get(tool.name)).collect();
            let count = |state: State| cells.iter().filter(|cell| cell.state == state).count();
            let relative = |cell: &&Cell| Some(cell.max_abs? / (1.0 + cell.scale?));
            let compared: Vec<f64> =
                cells.iter().copied().filter(|cell| cell.state == State::Ok).filter_map(|cell| relative(&cell)).collect();
            let worst = compared.iter().copied().fold(0.0, f64::max);
            let worst = if compared.is_empty() { String::new() } else { format!(" (worst {worst:.1e} of 1 + the greatest value)") };
            let _ = writeln!(
                out,
                "{:14} {:4} files: {} agree{worst}, {} differ, {} refused",
                tool.name,
                cells.len(),
                count(State::Ok),
                count(State::Differs),
                count(State::Refused)
            );
        }
        out
    }
}

impl PartialOrd for State {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for State {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (*self as u8).cmp(&(*other as u8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(cells: &[(&str, Cell)]) -> VerifyReport {
        let cells = cells.iter().map(|(tool, cell)| ((*tool).to_string(), cell.clone())).collect();
        let row = VerifyRow {
            model: "p/m".into(),
            file: "p/m/onnx/g.onnx".into(),
            graph: "g".into(),
            reference: None,
            inputs: None,
            why_drawn: None,
            cells,
        };
        VerifyReport { schema: VERIFY_SCHEMA.into(), command: None, versions: BTreeMap::new(), rows: vec![row] }
    }

    #[test]
    fn only_the_formats_own_tools_decide() {
        let good = ("onnx.checker", Cell::taken(None));
        assert_eq!(report(&[good.clone(), ("openvino", Cell::refused("no such operator"))]).fallen().count(), 0);
        assert_eq!(report(&[good.clone(), ("onnxruntime", Cell::compared(0.5, 1.0))]).fallen().count(), 1);
        assert_eq!(report(&[("onnx.checker", Cell::refused("bad graph"))]).fallen().count(), 1);
        assert_eq!(report(&[good, ("onnxruntime", Cell::compared(1e-6, 1.0))]).fallen().count(), 0);
    }

    #[test]
    fn a_difference_is_judged_by_the_size_of_what_is_compared() {
        assert_eq!(Cell::compared(1e-3, 1.0).state, State::Differs);
        assert_eq!(Cell::compared(1e-3, 100.0).state, State::Ok);
        assert_eq!(Cell::compared_in(Precision::F16, 1e-3, 1.0).state, State::Ok);
        assert_eq!(Cell::compared_in(Precision::Int8, 0.5, 1.0).state, State::Differs);
        assert_eq!(Cell::compared(f64::NAN, 1.0).state, State::Differs);
    }

    #[test]
    fn every_gap_stands_with_its_reason() {
        let text = report(&[("onnx.checker", Cell::taken(None)), ("onnx2torch", Cell::refused("no converter | for Mod"))]).markdown();
        assert!(text.contains("| onnx2torch | no converter \\| for Mod | p/m/onnx/g.onnx |"), "{text}");
        assert!(text.contains("not run"), "{text}");
    }
}
