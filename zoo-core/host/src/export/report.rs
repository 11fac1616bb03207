//! What an export wrote, as a table and as JSON.

use super::precision::Precision;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// Name of the schema.
pub const SCHEMA: &str = "zoo.export/1";

/// Everything an export wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExportReport {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The command that made it, as typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// A row a graph.
    pub rows: Vec<ExportRow>,
}

/// One graph of a model in one format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExportRow {
    /// Registered name of the model.
    pub model: String,
    /// Format; empty if the model failed as a whole.
    pub format: String,
    /// Which of the model's graphs.
    pub graph: String,
    /// Arithmetic of an ONNX graph, where it is not that of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// Files, relative to the folder that was written to, the main one first.
    pub files: Vec<String>,
    /// Their size together.
    pub bytes: u64,
    /// Why there is no file, if the export failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl ExportRow {
    /// The row of a model that failed as a whole.
    pub fn failed(model: &str, error: &dyn std::fmt::Display) -> Self {
        let (model, error) = (model.into(), Some(error.to_string()));
        Self { model, format: String::new(), graph: String::new(), precision: None, files: Vec::new(), bytes: 0, error }
    }
}

impl ExportReport {
    /// A report of the given rows.
    pub fn new(rows: Vec<ExportRow>) -> Self {
        Self { schema: SCHEMA.into(), command: None, rows }
    }

    /// Rows that failed.
    pub fn failed(&self) -> impl Iterator<Item = &ExportRow> {
        self.rows.iter().filter(|row| row.error.is_some())
    }

    /// An aligned table with a line of sums. Ends with a newline.
    pub fn table(&self) -> String {
        let head = ["model", "format", "graph", "bytes", "state"].map(String::from);
        let row = |row: &ExportRow| {
            // An error's further lines are in the log and in the JSON.
            let state = row.error.as_deref().map_or("ok", |error| error.lines().next().unwrap_or("failed")).to_string();
            let format = row.precision.map_or_else(|| row.format.clone(), |precision| format!("{} {precision}", row.format));
            [row.model.clone(), format, row.graph.clone(), row.bytes.to_string(), state]
        };
        let cells: Vec<[String; 5]> = std::iter::once(head).chain(self.rows.iter().map(row)).collect();
        let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..4).map(width).collect();
        let mut out = String::new();
        for [model, format, graph, bytes, state] in &cells {
            let _ = writeln!(out, "{model:0$}  {format:1$}  {graph:2$}  {bytes:>3$}  {state}", widths[0], widths[1], widths[2], widths[3]);
        }
        let failed = self.failed().count();
        let bytes: u64 = self.rows.iter().map(|row| row.bytes).sum();
        let _ = writeln!(out, "{} exports, {bytes} bytes, {failed} failed", self.rows.len());
        out
    }
}
