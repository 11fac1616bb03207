//! Writing a model's folder.

use super::card::{Card, CardGraph};
use super::header::read_header_of;
use super::precision::{Precision, in_precision};
use super::published::PublishedRuns;
use super::report::ExportRow;
use crate::files::write_atomically;
use crate::zoo::{FoundModel, Zoo};
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use zoo_core::{Artifact, ArtifactFile, ArtifactKind, Error, ExportRequest, Level, Options, Reporter, Result};

/// Name of the model card, the one that the hub shows.
pub const CARD: &str = "README.md";
/// Key of a card's header that only our cards have; its value is the model's registered name.
pub(super) const OURS: &str = "zoo_model";

/// What was written of one model.
pub struct Exported {
    /// A row a graph, failures among them.
    pub rows: Vec<ExportRow>,
    /// The graphs that were written.
    pub graphs: Vec<Graph>,
}

/// A graph that was written.
pub struct Graph {
    /// The graph itself.
    pub artifact: Artifact,
    /// Its main file, relative to the folder of the export.
    pub path: PathBuf,
    /// Its arithmetic.
    pub precision: Precision,
}

/// The folder inside a model's folder that files of a format go to. Weights stand beside the card, where the hub looks for
/// them.
fn graph_folder(kind: ArtifactKind) -> &'static str {
    match kind {
        ArtifactKind::Safetensors => "",
        other => other.name(),
    }
}

/// How a model's folder is written.
pub struct FolderOptions<'a> {
    /// The folder that gets a folder for the model.
    pub out: &'a Path,
    /// Precisions of ONNX graphs; other formats are as the model makes them.
    pub precisions: &'a [Precision],
    /// Published results, for the card.
    pub results: &'a PublishedRuns,
    /// How sessions for calibration are compiled.
    pub compile: &'a Options,
}

/// Exports every format and graph of a model to `out/MODEL`, with its default weights, and a card beside them. A graph that
/// fails becomes a row that says why, and the others are exported all the same.
///
/// # Errors
/// Whatever finding weights and making folders find, [`Error::Data`] if the card in the folder can't be read, and
/// [`Error::Cancelled`].
pub fn export_model(zoo: &Zoo, model: &FoundModel<'_>, options: &FolderOptions<'_>, reporter: &dyn Reporter) -> Result<Exported> {
    let name = model.entry.name.as_str();
    let (weights, weights_sha256) = zoo.weights(model, None, reporter)?;
    let folder = options.out.join(name);
    std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
    let mut exported = Exported { rows: Vec::new(), graphs: Vec::new() };
    let mut written = Written::default();
    for &kind in model.model.artifact_kinds() {
        for variant in model.model.variants(kind) {
            reporter.check()?;
            let row = |precision: Precision| ExportRow {
                model: name.into(),
                format: kind.to_string(),
                graph: variant.clone(),
                precision: Some(precision).filter(|precision| *precision != Precision::F32),
                files: Vec::new(),
                bytes: 0,
                error: None,
            };
            let failed = |precision: Precision, error: &Error| {
                reporter.log(Level::Warn, "zoo_host::export", &format!("{name}, {kind} graph {variant} in {precision}: {error}"));
                ExportRow { error: Some(error.to_string()), ..row(precision) }
            };
            let request = ExportRequest::new(kind).variant(&variant);
            let plain = match model.model.export(&request, &weights, &model.config) {
                Ok(plain) => plain,
                Err(error) => {
                    exported.rows.push(failed(Precision::F32, &error));
                    continue;
                }
            };
            let precisions = if kind == ArtifactKind::Onnx { options.precisions } else { &[Precision::F32] };
            for &precision in precisions {
                let converted = in_precision(zoo, model, &plain, precision, options.compile, reporter);
                let stored = converted.and_then(|artifact| {
                    let files = written.write(&artifact, &folder, graph_folder(kind))?;
                    Ok((artifact, files))
                });
                match stored {
                    Ok((artifact, files)) => {
                        let files: Vec<_> = files.iter().map(|file| format!("{name}/{file}")).collect();
                        let path = PathBuf::from(files.first().map_or("", String::as_str));
                        let bytes = artifact.files.iter().map(|file| file.bytes.len() as u64).sum();
                        exported.rows.push(ExportRow { files, bytes, ..row(precision) });
                        exported.graphs.push(Graph { artifact, path, precision });
                    }
                    Err(Error::Cancelled) => return Err(Error::Cancelled),
                    Err(error) => exported.rows.push(failed(precision, &error)),
                }
            }
        }
    }
    let graphs = exported.graphs.iter().map(|graph| {
        let inside = graph.path.strip_prefix(name).unwrap_or(&graph.path);
        CardGraph::of(&graph.artifact, &inside.display().to_string())
    });
    let card = Card::new(zoo, model, graphs.collect::<Result<_>>()?, options.results, weights_sha256.as_deref());
    card.write(&folder, reporter)?;
    Ok(exported)
}

/// Files that were written to a folder, by their paths in it.
#[derive(Default)]
pub struct Written(HashMap<String, Arc<[u8]>>);

impl Written {
    /// Writes an artifact's files to `folder/inside` and returns their paths below `folder`, the main one first. A graph one of
    /// whose files would replace another graph's goes to a folder of its own, named after it.
    ///
    /// # Errors
    /// [`Error::Artifact`] for a file name with folders in it, or that can't be told from another graph's; [`Error::Io`].
    pub fn write(&mut self, artifact: &Artifact, folder: &Path, inside: &str) -> Result<Vec<String>> {
        let place = format!("graph `{}`", artifact.variant);
        let bad = artifact.files.iter().map(|file| file.name.as_str()).find(|name| !plain(name) || *name == CARD);
        if let Some(bad) = bad {
            return Err(Error::artifact(artifact.kind.name(), place, format!("expected a plain file name, found `{bad}`")));
        }
        let join = |below: &str, name: &str| if below.is_empty() { name.to_string() } else { format!("{below}/{name}") };
        let clash = |below: &str| {
            let other = |file: &&ArtifactFile| self.0.get(&join(below, &file.name)).is_some_and(|before| **before != *file.bytes);
            artifact.files.iter().find(other).map(|file| join(below, &file.name))
        };
        let mut below = inside.to_string();
        if clash(&below).is_some() && plain(&artifact.variant) {
            below = join(inside, &artifact.variant);
        }
        if let Some(path) = clash(&below) {
            let why = format!("expected a name of its own, found `{path}`, which another graph has with other content");
            return Err(Error::artifact(artifact.kind.name(), place, why));
        }
        std::fs::create_dir_all(folder.join(&below)).map_err(Error::io(folder.join(&below)))?;
        let paths: Vec<String> = artifact.files.iter().map(|file| join(&below, &file.name)).collect();
        // The graph, which is the first file, comes last, so that it never stands there without its weights.
        for (path, file) in paths.iter().zip(&artifact.files).rev() {
            if !self.0.contains_key(path) {
                write_atomically(&folder.join(path), &file.bytes)?;
                self.0.insert(path.clone(), Arc::clone(&file.bytes));
            }
        }
        Ok(paths)
    }
}

/// Whether a text is a file name, and no way to another folder.
fn plain(name: &str) -> bool {
    Path::new(name).components().eq([Component::Normal(name.as_ref())]) && !name.contains('\\')
}

impl Card<'_> {
    /// Writes the card into a folder. A text of that name that no export wrote is left alone, with a warning.
    ///
    /// # Errors
    /// [`Error::Data`] if there is a card whose header can't be read; [`Error::Io`].
    pub fn write(&self, folder: &Path, reporter: &dyn Reporter) -> Result<()> {
        let path = folder.join(CARD);
        if path.exists() && read_header_of(&path)?.is_none_or(|header| !header.contains_key(OURS)) {
            let told = format!("{} was not written by an export and stays as it is: no model card", path.display());
            reporter.log(Level::Warn, "zoo_host::export", &told);
            return Ok(());
        }
        write_atomically(&path, self.text().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(variant: &str, file: &str, content: &[u8]) -> Artifact {
        Artifact::single(ArtifactKind::EventGraph, variant, file, content)
    }

    #[test]
    fn no_graph_replaces_another() {
        let folder = tempfile::tempdir().unwrap();
        let mut written = Written::default();
        let mut write = |graph: &Artifact| written.write(graph, folder.path(), "event");
        assert_eq!(write(&artifact("a", "graph.json", b"1")).unwrap(), ["event/graph.json"]);
        assert_eq!(write(&artifact("b", "graph.json", b"1")).unwrap(), ["event/graph.json"]);
        assert_eq!(write(&artifact("c", "graph.json", b"2")).unwrap(), ["event/c/graph.json"]);
        assert!(matches!(write(&artifact("c", "graph.json", b"3")), Err(Error::Artifact { .. })));
        assert_eq!(std::fs::read(folder.path().join("event/graph.json")).unwrap(), b"1");
        assert_eq!(std::fs::read(folder.path().join("event/c/graph.json")).unwrap(), b"2");
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["../x", "/x", "a/b", "..", "", "a\\b", CARD] {
            let error = Written::default().write(&artifact("a", name, b"1"), folder.path(), "event");
            assert!(matches!(error, Err(Error::Artifact { .. })), "{name}");
        }
    }
}
