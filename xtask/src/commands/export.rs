//! `export`.

use super::triton;
use crate::stdout::say;
use anyhow::{Context, Result};
use std::path::Path;
use zoo_core::{Artifact, ArtifactKind, Error, ExportRequest, Reporter};
use zoo_host::zoo::Zoo;

#[allow(clippy::too_many_arguments, reason = "one a flag")]
pub(super) fn export(
    zoo: &Zoo,
    name: &str,
    format: &str,
    out: &Path,
    opset: Option<u32>,
    steps: Option<u32>,
    graph: Option<String>,
    reporter: &dyn Reporter,
) -> Result<()> {
    let model = zoo.model(name, reporter)?;
    let served = format == triton::FORMAT;
    let kind: ArtifactKind = if served { ArtifactKind::Onnx } else { format.parse()? };
    if !model.model.artifact_kinds().contains(&kind) {
        let offered: Vec<_> = model.model.artifact_kinds().iter().map(ToString::to_string).collect();
        return Err(Error::NotOffered {
            who: name.into(),
            what: format!("format {kind}"),
            hint: format!("it offers {}", offered.join(", ")),
        }
        .into());
    }
    let (weights, _) = zoo.weights(&model, None, reporter)?;
    std::fs::create_dir_all(out).with_context(|| format!("making folder {}", out.display()))?;
    let graphs = graph.map_or_else(|| model.model.variants(kind), |graph| vec![graph]);
    for graph in graphs {
        let mut request = ExportRequest::new(kind).variant(&graph);
        request.opset = opset;
        request.steps = steps;
        let artifact = model.model.export(&request, &weights, &model.config)?;
        if served {
            triton::write(&artifact, &triton::model_name(name, &graph), out)?;
        } else {
            write(&artifact, out)?;
        }
    }
    Ok(())
}

fn write(artifact: &Artifact, out: &Path) -> Result<()> {
    // The graph last, so that it never stands there without its weights.
    for file in artifact.files.iter().rev() {
        let path = out.join(&file.name);
        zoo_host::files::write_atomically(&path, &file.bytes)?;
        say!("{} ({} bytes)", path.display(), file.bytes.len());
    }
    Ok(())
}
