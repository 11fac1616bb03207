//! `plugin`, and loading plugins for the other commands.

use super::registry;
use crate::cli::{DoorArg, Global, PluginCommand};
use crate::exit;
use anyhow::Result;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use zoo_core::{Level, Reporter};
use zoo_host::plugins::{Pin, PluginSet, Prefer, Search, discover, scaffold, trust, verify};
use zoo_host::registry::Registry;
use zoo_host::zoo::{Door, Loaded};

/// The plugins of the chosen door, and the trusted libraries on the search path. What is refused is said, and a refused
/// library that was asked for by name is an error.
pub(super) fn load(door: DoorArg, trusted: &[PathBuf], registry: &Registry, reporter: &dyn Reporter) -> Result<Vec<Loaded>> {
    let set = find(door, trusted, registry);
    for refused in set.refused {
        if trusted.contains(&refused.path) {
            return Err(refused.why.at(refused.path).into());
        }
        reporter.log(Level::Warn, "xtask", &format!("plugin {} is not loaded: {}", refused.path.display(), refused.why));
    }
    Ok(set.plugins)
}

fn find(door: DoorArg, trusted: &[PathBuf], registry: &Registry) -> PluginSet {
    // The folder of this program is where cargo puts the workspace's libraries.
    let outputs = std::env::current_exe().ok().and_then(|exe| exe.parent().map(PathBuf::from));
    let mut search = Search::from_env(outputs);
    search.trusted = trusted.to_vec();
    let prefer = match door {
        DoorArg::Static => Prefer::Static,
        DoorArg::Dynamic => Prefer::Dynamic,
    };
    // Linking them in is what makes them known.
    let _ = zoo_plugins::linked;
    discover(&search, &pins(registry), prefer)
}

fn pins(registry: &Registry) -> Vec<Pin> {
    let root = registry.root();
    let path = |path: &PathBuf| if path.components().count() > 1 { root.join(path) } else { path.clone() };
    registry.plugins().iter().map(|p| Pin { name: p.name.clone(), sha256: p.sha256.to_string(), path: path(&p.path) }).collect()
}

pub(super) fn plugin(command: &PluginCommand, global: &Global, reporter: &dyn Reporter) -> Result<ExitCode> {
    match command {
        PluginCommand::New { name, kind } => {
            // Beside the checkout, so that cargo does not take it for a part of this workspace.
            let checkout = std::fs::canonicalize(super::root(global)?)?;
            let beside = checkout.parent().unwrap_or(&checkout).join(name);
            for file in scaffold(kind.parse()?, name, &beside)? {
                println!("{}", file.display());
            }
        }
        PluginCommand::Verify { path } => {
            let report = verify(path);
            print!("{report}");
            return Ok(ExitCode::from(if report.passed() { exit::OK } else { exit::BAR }));
        }
        PluginCommand::List { json } => list(global, *json)?,
        PluginCommand::Trust { path } => {
            let pin = trust(path, &super::registry_path(global)?)?;
            reporter.log(Level::Info, "xtask", &format!("plugin {} is trusted as {}", pin.name, pin.sha256));
        }
    }
    Ok(ExitCode::from(exit::OK))
}

fn list(global: &Global, as_json: bool) -> Result<()> {
    let set = find(DoorArg::Static, &[], &registry(global)?);
    let loaded = |p: &Loaded| {
        let (door, path, sha256) = match &p.door {
            Door::Static => ("static", String::new(), String::new()),
            Door::Dynamic { path, sha256 } => ("dynamic", path.display().to_string(), sha256.clone()),
        };
        json!({"name": p.plugin.info.name, "version": p.plugin.info.version, "door": door, "state": "loaded", "sha256": sha256, "path": path})
    };
    let refused = |r: &zoo_host::plugins::Refused| json!({"name": "-", "version": "-", "door": "dynamic", "state": format!("refused: {}", r.why), "sha256": "", "path": r.path.display().to_string()});
    let rows: Vec<Value> = set.plugins.iter().map(loaded).chain(set.refused.iter().map(refused)).collect();
    if as_json {
        println!("{}", serde_json::to_string(&rows)?);
    } else {
        print!("{}", super::list::columns(&rows));
    }
    Ok(())
}
