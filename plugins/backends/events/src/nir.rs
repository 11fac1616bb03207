//! Reading `.nir` artifacts.

use crate::settings::Settings;
use std::collections::BTreeMap;
use zoo_core::{Artifact, Error, Result};
use zoo_formats::event_graph::EventGraph;
use zoo_formats::nir::{NirGraph, NirOptions};

/// The event graph of a NIR artifact, read in the dialect of `events.nir-dialect`; the file itself does not say which
/// framework's rules it means. What the conversion changes goes into the metadata as `nir-loss.N`.
///
/// # Errors
/// [`Error::Argument`] if no dialect is set; what reading and converting finds.
pub(crate) fn read(artifact: &Artifact, settings: &Settings, metadata: &mut BTreeMap<String, String>) -> Result<EventGraph> {
    let Some(nir) = &settings.nir else {
        return Err(Error::argument("events.nir-dialect", "the dialect a .nir file was written in (nir-strict, sinabs ...)", "nothing"));
    };
    let mut options = NirOptions::new(nir.dialect);
    if let Some(steps) = nir.steps {
        options = options.steps(steps);
    }
    if let Some(dt) = nir.dt {
        options = options.dt(dt);
    }
    let file = artifact.main()?;
    let (graph, losses) = NirGraph::from_bytes(&file.name, file.bytes.to_vec())?.to_event_graph(&options)?;
    for (i, loss) in losses.iter().enumerate() {
        metadata.insert(format!("nir-loss.{i}"), format!("{loss:?}"));
    }
    Ok(graph)
}
