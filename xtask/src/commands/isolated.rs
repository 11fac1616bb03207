//! `bench isolation`: a plugin in a process of its own beside the same one in this process.

use super::bench::{MODEL, SCHEMA, machine, print, print_goals};
use super::compile_options;
use crate::cli::Global;
use crate::stdout::say;
use anyhow::{Context, Result};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use zoo_bench::IsolationCase;
use zoo_core::{ArtifactKind, Batch, Device, Error, ExportRequest, Plugin, Reporter, TensorSpec};
use zoo_host::plugins::{Inspected, inspect, open};
use zoo_host::zoo::Zoo;

/// The backend that the model calls back.
const BACKEND: &str = "tract";
const ROUNDS: usize = 9;
const THREADS: usize = 1;

fn rows(zoo: &Zoo, global: &Global, reporter: &dyn Reporter) -> Result<(Vec<zoo_bench::Row>, Vec<zoo_bench::Goal>)> {
    let found = zoo.model(MODEL, reporter)?;
    let (weights, _) = zoo.weights(&found, None, reporter)?;
    let artifact = found.model.export(&ExportRequest::new(ArtifactKind::Onnx), &weights, &found.config)?;
    let data = found.entry.dataset.as_deref().context("the benchmark's model names no data set")?;
    let dataset = zoo.dataset(data, &found.entry.split, &found.dataset_config(), reporter)?;
    let options = compile_options(global, Some(THREADS), &[])?;
    let mut session = zoo.backend(BACKEND)?.compile(&artifact, &Device::Cpu, &options)?;

    let library = built(&found.entry.plugin)?;
    let refused = |why: zoo_host::plugins::Refusal| why.at(&library.path);
    let direct = open(&library, None).map_err(refused)?;
    let isolated = open(&library, Some(&super::plugin::isolation()?)).map_err(refused)?;
    let family = found.model.card().name.as_str();
    let pick = |plugin: &Plugin| plugin.models.iter().position(|model| model.card().name == family);
    let (at, apart) = (pick(&direct).context("the library lacks the model")?, pick(&isolated).context("the library lacks the model")?);

    let features: Arc<[TensorSpec]> = dataset.info().features.clone().into();
    let batch = |items: usize| Batch::read(&*dataset, &features, 0..items);
    let case =
        IsolationCase { direct: &*direct.models[at], isolated: &*isolated.models[apart], one: batch(1)?, batch: &batch, rounds: ROUNDS };
    Ok(zoo_bench::isolation(&case, &mut *session)?)
}

/// `bench isolation`.
pub(super) fn isolation(zoo: &Zoo, as_json: bool, global: &Global, reporter: &dyn Reporter) -> Result<()> {
    let (rows, goals) = rows(zoo, global, reporter)?;
    if as_json {
        say!("{:#}", json!({"schema": SCHEMA, "machine": machine(), "rows": rows, "goals": goals}));
        return Ok(());
    }
    print(&rows)?;
    print_goals(&goals)
}

/// The library that the build of this program left of a plugin of the workspace.
fn built(plugin: &str) -> Result<Inspected> {
    let program = std::env::current_exe().context("finding this program")?;
    let folder = program.parent().map(PathBuf::from).unwrap_or_default();
    let file = format!("{}zoo_{}{}", std::env::consts::DLL_PREFIX, plugin.replace('-', "_"), std::env::consts::DLL_SUFFIX);
    let places = [folder.join("deps").join(&file), folder.join(&file)];
    let path = places.iter().find(|path| path.is_file()).ok_or_else(|| Error::Unavailable {
        what: format!("library of plugin {plugin}"),
        why: format!("{file} is neither in {} nor in its folder deps", folder.display()),
        mend: "run `cargo build --release --workspace`".into(),
    })?;
    Ok(inspect(path).map_err(|why| why.at(path))?)
}
