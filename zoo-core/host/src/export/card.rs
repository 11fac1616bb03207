//! Model cards in the form that the Hugging Face hub reads: a YAML header, then Markdown.

use super::folder::OURS;
use super::header::write_header;
use super::published::{PublishedRun, PublishedRuns};
use crate::registry::{DatasetEntry, HubKind, ModelEntry, Source};
use crate::results::number;
use crate::zoo::{FoundModel, Zoo};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use zoo_core::{Artifact, ArtifactKind, DType, Dim, ModelCard, Result, TaskKind, TensorSpec};

/// Licences that the hub knows by the lower-case form of their SPDX identifier.
const HUB_LICENCES: [&str; 17] = [
    "apache-2.0",
    "mit",
    "cc0-1.0",
    "cc-by-4.0",
    "cc-by-sa-4.0",
    "cc-by-nc-4.0",
    "bsd-2-clause",
    "bsd-3-clause",
    "isc",
    "unlicense",
    "zlib",
    "mpl-2.0",
    "gpl-2.0",
    "gpl-3.0",
    "agpl-3.0",
    "lgpl-3.0",
    "bsl-1.0",
];
/// Longest value of an artifact's metadata that is shown.
const SHOWN: usize = 80;
/// What a free axis is in the example: sides of an image are halved by networks, so 1 would be too little.
const SIDE: usize = 32;

/// A graph as the card describes it.
pub struct CardGraph {
    /// Format.
    pub kind: ArtifactKind,
    /// Name of the graph.
    pub name: String,
    /// Main file, relative to the card.
    pub file: String,
    /// Inputs of an ONNX graph.
    pub inputs: Vec<TensorSpec>,
    /// Outputs of an ONNX graph.
    pub outputs: Vec<TensorSpec>,
    /// What travels with it.
    pub metadata: BTreeMap<String, String>,
}

impl CardGraph {
    /// Describes an artifact whose main file is `file`.
    ///
    /// # Errors
    /// Those of reading an ONNX artifact.
    pub fn of(artifact: &Artifact, file: &str) -> Result<Self> {
        let (inputs, outputs) = match artifact.kind {
            ArtifactKind::Onnx => {
                let model = zoo_formats::onnx::read_artifact(artifact)?;
                (model.inputs()?, model.outputs()?)
            }
            _ => (Vec::new(), Vec::new()),
        };
        let metadata = artifact.metadata.clone();
        Ok(Self { kind: artifact.kind, name: artifact.variant.clone(), file: file.into(), inputs, outputs, metadata })
    }
}

/// Everything a model card is made of.
pub struct Card<'a> {
    entry: &'a ModelEntry,
    card: &'a ModelCard,
    kinds: &'a [ArtifactKind],
    data: Option<&'a DatasetEntry>,
    graphs: Vec<CardGraph>,
    runs: Vec<&'a PublishedRun>,
}

impl<'a> Card<'a> {
    /// The card of a registered model with the graphs that stand beside it, and the published results of these weights.
    pub fn new(
        zoo: &'a Zoo,
        model: &FoundModel<'a>,
        graphs: Vec<CardGraph>,
        results: &'a PublishedRuns,
        weights_sha256: Option<&'a str>,
    ) -> Self {
        Self {
            entry: model.entry,
            card: model.model.card(),
            kinds: model.model.artifact_kinds(),
            data: model.entry.dataset.as_deref().and_then(|name| zoo.registry().dataset(name).ok()),
            graphs,
            runs: results.of(&model.entry.name, weights_sha256).collect(),
        }
    }

    /// The whole card.
    pub fn text(&self) -> String {
        let mut out = write_header(&self.header());
        self.about(&mut out);
        self.files(&mut out);
        self.example(&mut out);
        self.tensors(&mut out);
        self.results(&mut out);
        self.limits(&mut out);
        self.licences(&mut out);
        out
    }

    /// The header.
    pub fn header(&self) -> Map<String, Value> {
        let mut header = Map::new();
        let licence = self.licence();
        match hub_licence(&licence) {
            Some(id) => {
                header.insert("license".into(), id.into());
            }
            None => {
                header.insert("license".into(), "other".into());
                header.insert("license_name".into(), slug(&licence).into());
            }
        }
        header.insert("library_name".into(), if self.kinds.contains(&ArtifactKind::Onnx) { "onnx" } else { "zoo" }.into());
        if let Some(tag) = self.pipeline() {
            header.insert("pipeline_tag".into(), tag.into());
        }
        header.insert("tags".into(), self.tags().into());
        let hub = self.data.iter().flat_map(|data| &data.sources).filter_map(|source| match source {
            Source::Hub { repo, .. } if repo.kind == HubKind::Dataset => Some(Value::from(repo.id.as_str())),
            _ => None,
        });
        let hub: Vec<_> = hub.collect();
        if !hub.is_empty() {
            header.insert("datasets".into(), hub.into());
        }
        if !self.runs.is_empty() {
            let results: Vec<_> = self.runs.iter().map(|published| self.index_entry(published)).collect();
            header.insert("model-index".into(), json!([{ "name": self.entry.name, "results": results }]));
        }
        header.insert(OURS.into(), self.entry.name.as_str().into());
        header
    }

    /// The licence of what is in the files: that of the weights, or, where nothing is trained, of the code that makes them.
    fn licence(&self) -> String {
        if let Some(own) = self.graphs.iter().find_map(|graph| graph.metadata.get("licence")) {
            return own.clone();
        }
        let trained = !self.entry.weights.is_empty() || self.entry.onnx.is_some();
        if trained { self.card.weights_licence.clone() } else { self.card.code_licence.clone() }
    }

    /// A task of the hub's, only where the card leaves no doubt.
    fn pipeline(&self) -> Option<&'static str> {
        let image =
            |spec: &TensorSpec| spec.shape.len() == 4 && spec.dtype == DType::U8 && matches!(spec.shape.first(), Some(Dim::Free(_)));
        let classifies = matches!(self.card.task, TaskKind::Classification { .. });
        (classifies && matches!(&self.card.inputs[..], [only] if image(only))).then_some("image-classification")
    }

    fn tags(&self) -> Vec<String> {
        let mut tags: Vec<String> = self.kinds.iter().filter(|k| **k != ArtifactKind::EventGraph).map(ToString::to_string).collect();
        if self.kinds.contains(&ArtifactKind::EventGraph) {
            tags.push("spiking-neural-network".into());
        }
        tags.push(self.entry.plugin.clone());
        tags.extend(self.card.paper.strip_prefix("arXiv:").map(|id| format!("arxiv:{id}")));
        tags
    }

    fn index_entry(&self, published: &PublishedRun) -> Value {
        let run = &published.run;
        let metric = |(name, measured): (&String, &crate::results::Measured)| {
            let unit = Some(measured.estimate.unit.as_str()).filter(|unit| !["", "1"].contains(unit));
            let shown = unit.map_or_else(|| name.clone(), |unit| format!("{name} ({unit})"));
            json!({ "type": slug(name), "name": format!("{shown}, {}", run.backend), "value": measured.estimate.value })
        };
        json!({
            "task": { "type": self.pipeline().unwrap_or("other") },
            "dataset": { "type": run.dataset, "name": run.dataset, "split": run.split },
            "metrics": run.metrics.iter().map(metric).collect::<Vec<_>>(),
        })
    }

    fn about(&self, out: &mut String) {
        let _ = write!(out, "\n# {}\n\n{}\n\n{}\n", self.entry.name, line(&self.card.title), line(&self.card.description));
        let mut fact = |key: &str, value: &str| {
            if !value.is_empty() {
                let _ = write!(out, "\n- {key}: {}", line(value));
            }
        };
        fact("paper", &self.card.paper);
        fact("source", &self.card.upstream);
        if let Some(data) = self.data {
            fact("data", &format!("{}, split {}", data.name, self.entry.split));
        }
        out.push('\n');
    }

    fn files(&self, out: &mut String) {
        out.push_str("\n## Files\n\n| file | format | graph |\n| --- | --- | --- |\n");
        for graph in &self.graphs {
            let _ = writeln!(out, "| {} | {} | {} |", code(&graph.file), graph.kind, code(&graph.name));
        }
        for graph in self.graphs.iter().filter(|graph| graph.kind == ArtifactKind::Onnx) {
            let _ = write!(out, "\n### {}\n\n| tensor | type | shape |\n| --- | --- | --- |\n", code(&graph.file));
            let specs = graph.inputs.iter().map(|s| ("input", s)).chain(graph.outputs.iter().map(|s| ("output", s)));
            for (side, spec) in specs {
                let _ = writeln!(out, "| {side} {} | {} | {} |", code(&spec.name), spec.dtype, code(&spec.shape_text()));
            }
            if graph.metadata.is_empty() {
                continue;
            }
            out.push_str("\nMetadata of the file:\n\n");
            for (key, value) in &graph.metadata {
                let short: String = value.chars().take(SHOWN).collect();
                let more = if short.len() < value.len() { " ..." } else { "" };
                let _ = writeln!(out, "- {}: {}{more}", code(key), code(&short));
            }
        }
    }

    fn example(&self, out: &mut String) {
        if let Some(graph) = self.graphs.iter().find(|graph| graph.kind == ArtifactKind::Onnx) {
            out.push_str("\n## How to run\n\nWith Python and `pip install numpy onnxruntime`, in this folder:\n\n```python\n");
            out.push_str("import numpy as np\nimport onnxruntime as ort\n\n");
            let _ = writeln!(out, "session = ort.InferenceSession({}, providers=[\"CPUExecutionProvider\"])", python_text(&graph.file));
            out.push_str("inputs = {\n");
            for spec in &graph.inputs {
                let dims: Vec<String> = spec.shape.iter().map(|dim| example_length(dim).to_string()).collect();
                let tuple = if dims.len() == 1 { format!("({},)", dims[0]) } else { format!("({})", dims.join(", ")) };
                let _ = writeln!(out, "    {}: np.zeros({tuple}, dtype=np.{}),", python_text(&spec.name), numpy(spec.dtype));
            }
            out.push_str("}\nfor spec, value in zip(session.get_outputs(), session.run(None, inputs)):\n");
            out.push_str("    print(spec.name, value.dtype, value.shape)\n```\n");
            if !self.card.preprocessing.is_empty() {
                let _ = write!(out, "\nZeros stand for real inputs, which are made so: {}\n", line(&self.card.preprocessing));
            }
        }
        if let Some(graph) = self.graphs.iter().find(|graph| graph.kind == ArtifactKind::Nir) {
            let _ = write!(out, "\nThe NIR graph is read with `pip install nir`: `nir.read({})`.\n", python_text(&graph.file));
        }
    }

    fn tensors(&self, out: &mut String) {
        if self.card.inputs.is_empty() && self.card.outputs.is_empty() {
            return;
        }
        out.push_str("\n## Inputs and outputs of the model\n\nBefore preprocessing, and of a whole prediction.\n\n");
        out.push_str("| tensor | type | shape | range | meaning |\n| --- | --- | --- | --- | --- |\n");
        let specs = self.card.inputs.iter().map(|s| ("input", s)).chain(self.card.outputs.iter().map(|s| ("output", s)));
        for (side, spec) in specs {
            let range = spec.range.map_or(String::new(), |[low, high]| format!("{low} to {high}"));
            let (name, shape) = (code(&spec.name), code(&spec.shape_text()));
            let _ = writeln!(out, "| {side} {name} | {} | {shape} | {range} | {} |", spec.dtype, cell(&spec.meaning));
        }
    }

    fn results(&self, out: &mut String) {
        if self.runs.is_empty() {
            return;
        }
        out.push_str("\n## Results\n\n| data (split, n) | backend | metric | value |\n| --- | --- | --- | --- |\n");
        for PublishedRun { run, .. } in &self.runs {
            for (name, measured) in &run.metrics {
                let e = &measured.estimate;
                let unit = if e.unit == "1" { "" } else { e.unit.as_str() };
                let interval = e.ci95.map_or(String::new(), |[low, high]| format!(" [{}, {}]", number(low), number(high)));
                let value = format!("{} {unit}{interval}", number(e.value));
                let data = format!("{} ({}, {})", run.dataset, run.split, run.n);
                let _ = writeln!(out, "| {} | {} | {} | {} |", cell(&data), cell(&run.backend), cell(name), cell(value.trim()));
            }
        }
        let mut commands: Vec<&str> = self.runs.iter().filter_map(|published| published.command.as_deref()).collect();
        commands.dedup();
        if !commands.is_empty() {
            let _ =
                write!(out, "\nIntervals are 95 %. Measured by {}.\n", commands.into_iter().map(code).collect::<Vec<_>>().join(" and "));
        }
    }

    fn limits(&self, out: &mut String) {
        if self.card.limitations.is_empty() {
            return;
        }
        out.push_str("\n## Limitations\n\n");
        self.card.limitations.iter().for_each(|limit| {
            let _ = writeln!(out, "- {}", line(limit));
        });
    }

    fn licences(&self, out: &mut String) {
        let _ = write!(
            out,
            "\n## Licence\n\n- these files: {}\n- the code that made them: {}\n",
            line(&self.licence()),
            self.card.code_licence
        );
        if let Some(data) = self.data {
            let _ = writeln!(out, "- the data set {}: {}", data.name, line(&data.licence));
        }
    }
}

/// The hub's identifier of a licence that is stated as an SPDX identifier, alone or with a remark in brackets.
fn hub_licence(text: &str) -> Option<&'static str> {
    let stated = text.split_once(" (").map_or(text, |(stated, _)| stated).trim().to_ascii_lowercase();
    HUB_LICENCES.into_iter().find(|id| *id == stated)
}

/// Lower-case words joined by dashes.
fn slug(text: &str) -> String {
    let dashed: String = text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' }).collect();
    dashed.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// Text on one line, none of it taken for HTML.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('&', "&amp;").replace('<', "&lt;")
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    line(text).replace('|', "\\|")
}

/// Text as code, in a cell or outside.
fn code(text: &str) -> String {
    format!("`{}`", text.split_whitespace().collect::<Vec<_>>().join(" ").replace('`', "'").replace('|', "\\|"))
}

/// A string literal of Python; JSON's form is one.
fn python_text(text: &str) -> String {
    Value::from(text).to_string()
}

fn example_length(dim: &Dim) -> usize {
    match dim {
        Dim::Fixed(n) => *n,
        Dim::Free(name) if name == "height" || name == "width" => SIDE,
        Dim::Free(_) => 1,
    }
}

/// The name of an element type in NumPy; bfloat16 comes with a package of its own.
fn numpy(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "bool_",
        DType::I8 => "int8",
        DType::U8 => "uint8",
        DType::I16 => "int16",
        DType::U16 => "uint16",
        DType::I32 => "int32",
        DType::U32 => "uint32",
        DType::I64 => "int64",
        DType::U64 => "uint64",
        DType::F16 => "float16",
        DType::F64 => "float64",
        _ => "float32",
    }
}

#[cfg(test)]
mod tests {
    use super::{cell, code, hub_licence, line, slug};

    #[test]
    fn licences_are_the_hubs_where_it_knows_them() {
        assert_eq!(hub_licence("CC0-1.0 (made by our own training; see below)"), Some("cc0-1.0"));
        assert_eq!(hub_licence("Apache-2.0"), Some("apache-2.0"));
        assert_eq!(hub_licence("MIT OR Apache-2.0"), None);
        assert_eq!(slug("MIT OR Apache-2.0"), "mit-or-apache-2.0");
        assert_eq!(slug("heat MSE / that of the mean map"), "heat-mse-that-of-the-mean-map");
    }

    #[test]
    fn texts_stay_in_their_places() {
        assert_eq!(line("a\n\n# b <script>"), "a # b &lt;script>");
        assert_eq!(cell("a | b"), "a \\| b");
        assert_eq!(code("a`b|c"), "`a'b\\|c`");
    }
}
