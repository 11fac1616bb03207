//! Every ONNX graph in every opset, run on our own backends beside the graph as it is usually written.

use super::backends::onnx_backends;
use super::folder::Written;
use super::verify::{Cell, State, drawn};
use crate::zoo::{FoundModel, Zoo};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::RangeInclusive;
use std::path::Path;
use zoo_core::{Artifact, ArtifactKind, Backend, Device, Error, ExportRequest, Level, Options, Reporter, Result, Session, Tensor};

/// Name of the schema.
pub const OPSETS_SCHEMA: &str = "zoo.opsets/1";

/// What became of every graph in every opset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpsetReport {
    /// Always [`OPSETS_SCHEMA`].
    pub schema: String,
    /// The command that made it, as typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// First and last opset.
    pub opsets: [u32; 2],
    /// A row a graph.
    pub rows: Vec<OpsetRow>,
}

/// One graph in every opset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpsetRow {
    /// Registered name of the model.
    pub model: String,
    /// Which of its graphs; empty if the model failed as a whole.
    pub graph: String,
    /// Backends that do not run the graph as it is usually written, with the reason; they have no cells.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<String, String>,
    /// What was found, by opset.
    pub opsets: BTreeMap<u32, Found>,
}

/// One graph in one opset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// It can't be written, for this reason.
    Refused(String),
    /// It was written; each backend's outputs beside those it has for the usual graph.
    Written(BTreeMap<String, Cell>),
}

impl OpsetRow {
    /// The row of a model that failed as a whole.
    pub fn failed(model: &str, opset: u32, error: &dyn std::fmt::Display) -> Self {
        let opsets = BTreeMap::from([(opset, Found::Refused(error.to_string()))]);
        Self { model: model.into(), graph: String::new(), left_out: BTreeMap::new(), opsets }
    }
}

/// Writes every ONNX graph of a model in every opset to `out/MODEL/onnx/opset-N`, and runs each on drawn inputs. A graph that an
/// opset can't say is no error.
///
/// # Errors
/// Whatever finding weights, exporting in the usual opset and writing find, and [`Error::Cancelled`].
pub fn sweep_opsets(
    zoo: &Zoo,
    model: &FoundModel<'_>,
    opsets: RangeInclusive<u32>,
    out: &Path,
    options: &Options,
    reporter: &dyn Reporter,
) -> Result<Vec<OpsetRow>> {
    let name = model.entry.name.as_str();
    let (weights, _) = zoo.weights(model, None, reporter)?;
    let mut rows = Vec::new();
    let mut written = Written::default();
    for graph in model.model.variants(ArtifactKind::Onnx) {
        let request = ExportRequest::new(ArtifactKind::Onnx).variant(&graph);
        let usual = model.model.export(&request, &weights, &model.config)?;
        let (runners, left_out) = runners(zoo, &usual, options)?;
        let mut row = OpsetRow { model: name.into(), graph, left_out, opsets: BTreeMap::new() };
        for opset in opsets.clone() {
            reporter.check()?;
            let request = ExportRequest { opset: Some(opset), ..request.clone() };
            let found = match model.model.export(&request, &weights, &model.config) {
                Ok(artifact) => {
                    written.write(&artifact, &out.join(name), &format!("onnx/opset-{opset}"))?;
                    Found::Written(runners.iter().map(|runner| (runner.backend.name().into(), runner.cell(&artifact, options))).collect())
                }
                Err(error) => {
                    reporter.log(Level::Debug, "zoo_host::export", &format!("{name}, graph {} in opset {opset}: {error}", row.graph));
                    Found::Refused(error.to_string())
                }
            };
            row.opsets.insert(opset, found);
        }
        rows.push(row);
    }
    Ok(rows)
}

/// A backend, and what it computes of the usual graph.
struct Runner<'a> {
    backend: &'a dyn Backend,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
}

/// Those backends that run the usual graph, and why the others do not.
fn runners<'a>(zoo: &'a Zoo, usual: &Artifact, options: &Options) -> Result<(Vec<Runner<'a>>, BTreeMap<String, String>)> {
    let (mut able, mut left_out) = (Vec::new(), BTreeMap::new());
    for backend in onnx_backends(zoo, options) {
        match backend.compile(usual, &Device::Cpu, options).and_then(|mut session| drawn(&mut *session)) {
            Ok((inputs, outputs)) => able.push(Runner { backend, inputs, outputs }),
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(error) => {
                left_out.insert(backend.name().into(), error.to_string());
            }
        }
    }
    Ok((able, left_out))
}

impl Runner<'_> {
    fn cell(&self, artifact: &Artifact, options: &Options) -> Cell {
        let run = |mut session: Box<dyn Session>| session.run(&self.inputs);
        match self.backend.compile(artifact, &Device::Cpu, options).and_then(run) {
            Ok(outputs) => Cell::of_outputs(&outputs, &self.outputs),
            Err(error) => Cell::refused(error.to_string()),
        }
    }
}

impl OpsetReport {
    /// A report of the given rows.
    pub fn new(opsets: &RangeInclusive<u32>, rows: Vec<OpsetRow>) -> Self {
        Self { schema: OPSETS_SCHEMA.into(), command: None, opsets: [*opsets.start(), *opsets.end()], rows }
    }

    /// Graphs that a backend which runs the usual graph does not run, or computes otherwise, in a lower or higher opset; and models
    /// that failed.
    pub fn fallen(&self) -> impl Iterator<Item = (&OpsetRow, u32, &Found)> {
        let falls = |row: &OpsetRow, found: &Found| match found {
            Found::Refused(_) => row.graph.is_empty(),
            Found::Written(cells) => cells.is_empty() || cells.values().any(|cell| cell.state != State::Ok),
        };
        let of_row =
            move |row: &'_ OpsetRow| row.opsets.iter().filter(|(_, found)| falls(row, found)).map(|(opset, _)| *opset).collect::<Vec<_>>();
        self.rows.iter().flat_map(move |row| of_row(row).into_iter().filter_map(move |opset| Some((row, opset, row.opsets.get(&opset)?))))
    }

    /// A line a graph, a column an opset, then every reason. Ends with a newline.
    pub fn markdown(&self) -> String {
        let opsets: Vec<u32> = (self.opsets[0]..=self.opsets[1]).collect();
        let mut out = String::new();
        let head: Vec<_> = opsets.iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "| model | graph | {} |\n| --- | --- |{}", head.join(" | "), " --- |".repeat(opsets.len()));
        let mut reasons: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for row in &self.rows {
            let graph = format!("{} {}", row.model, row.graph);
            let cells: Vec<_> = opsets.iter().map(|opset| row.opsets.get(opset).map_or_else(|| "-".into(), short)).collect();
            let _ = writeln!(out, "| {} | {} | {} |", row.model, row.graph, cells.join(" | "));
            let mut reason = |who: String, why: &str| reasons.entry((who, without_node(why))).or_default().push(graph.clone());
            row.left_out.iter().for_each(|(backend, why)| reason(format!("{backend}, any opset"), why));
            for (opset, found) in &row.opsets {
                match found {
                    Found::Refused(why) => reason(format!("writing opset {opset}"), why),
                    Found::Written(cells) => {
                        for (backend, cell) in cells.iter().filter(|(_, cell)| cell.state != State::Ok) {
                            reason(
                                format!("{backend}, opset {opset}"),
                                cell.why.as_deref().unwrap_or("other values than in the usual opset"),
                            );
                        }
                    }
                }
            }
        }
        if !reasons.is_empty() {
            out.push_str("\n## Gaps\n\n| where | reason | graphs |\n| --- | --- | --- |\n");
        }
        for ((who, why), graphs) in &reasons {
            let _ = writeln!(out, "| {who} | {} | {} |", why.replace('|', "\\|").replace('<', "&lt;"), graphs.join(", "));
        }
        out
    }

    /// How many graphs each opset can say, and how many of them run, a line an opset. Ends with a newline.
    pub fn sums(&self) -> String {
        let mut out = String::new();
        for opset in self.opsets[0]..=self.opsets[1] {
            let found: Vec<_> = self.rows.iter().filter_map(|row| row.opsets.get(&opset)).collect();
            let cells = || found.iter().filter_map(|found| if let Found::Written(cells) = found { Some(cells) } else { None });
            let backends: std::collections::BTreeSet<&String> = cells().flat_map(BTreeMap::keys).collect();
            let line = backends.into_iter().map(|backend| {
                let own: Vec<_> = cells().filter_map(|cells| cells.get(backend)).collect();
                format!("{backend} {} of {}", own.iter().filter(|cell| cell.state == State::Ok).count(), own.len())
            });
            let line: Vec<_> = line.collect();
            let _ = writeln!(
                out,
                "opset {opset}: {:3} graphs, {:3} refused; agree: {}",
                cells().count(),
                found.len() - cells().count(),
                line.join(", ")
            );
        }
        out
    }
}

/// A reason without the node's own name, so that graphs that share it stand in one line.
fn without_node(why: &str) -> String {
    let line = why.lines().next().unwrap_or_default();
    line.split_once("operator ").map_or_else(|| line.to_string(), |(_, rest)| format!("operator {rest}"))
}

/// The furthest cell of the backends.
fn short(found: &Found) -> String {
    let Found::Written(cells) = found else { return "-".into() };
    let ratio = |cell: &&Cell| cell.max_abs.unwrap_or(f64::INFINITY) / (1.0 + cell.scale.unwrap_or(0.0));
    let worst = cells.values().max_by(|a, b| a.state.cmp(&b.state).then(ratio(a).total_cmp(&ratio(b))));
    worst.map_or_else(|| "not run".into(), Cell::short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_falls_and_what_an_opset_can_not_say_are_told_apart() {
        let cell = |max| BTreeMap::from([("tract".to_string(), Cell::compared(max, 1.0))]);
        let refused = "onnx: at node `n`: operator GridSample is not available in opset 15; it came with opset 16, the lowest to ask for";
        let opsets =
            BTreeMap::from([(15, Found::Refused(refused.into())), (16, Found::Written(cell(0.0))), (17, Found::Written(cell(1.0)))]);
        let row = OpsetRow { model: "p/m".into(), graph: "g".into(), left_out: BTreeMap::new(), opsets };
        let report = OpsetReport::new(&(15..=17), vec![row, OpsetRow::failed("p/n", 15, &"no weights")]);
        let fallen: Vec<_> = report.fallen().map(|(row, opset, _)| (row.model.as_str(), opset)).collect();
        assert_eq!(fallen, [("p/m", 17), ("p/n", 15)]);
        let page = report.markdown();
        assert!(page.contains("| p/m | g | - | 0 | differs by 1e0 |"), "{page}");
        assert!(page.contains("| writing opset 15 | operator GridSample is not available in opset 15; it came with opset 16"), "{page}");
        assert!(report.sums().starts_with("opset 15:   0 graphs,   2 refused"), "{}", report.sums());
    }
}
