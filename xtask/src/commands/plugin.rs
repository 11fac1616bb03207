//! `plugin`, and loading plugins for the other commands.

use super::registry;
use crate::cli::{DoorArg, Global, PluginCommand};
use crate::exit;
use crate::stdout::{say, write};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use zoo_core::{Level, Reporter};
use zoo_host::isolation::{Isolation, Limits};
use zoo_host::plugins::{Isolate, Pin, PluginSet, Prefer, Search, discover, scaffold, trust, verify};
use zoo_host::registry::Registry;
use zoo_host::zoo::{Door, Loaded};

/// The plugins of the chosen door, and the trusted libraries on the search path. What is refused is said, and a refused
/// library that was asked for by name is an error.
pub(super) fn load(
    door: DoorArg,
    trusted: &[PathBuf],
    registry: &Registry,
    global: &Global,
    reporter: &dyn Reporter,
) -> Result<Vec<Loaded>> {
    let set = find(door, trusted, registry, global)?;
    for refused in set.refused {
        if trusted.contains(&refused.path) {
            return Err(refused.why.at(refused.path).into());
        }
        reporter.log(Level::Warn, "xtask", &format!("plugin {} is not loaded: {}", refused.path.display(), refused.why));
    }
    Ok(set.plugins)
}

fn find(door: DoorArg, trusted: &[PathBuf], registry: &Registry, global: &Global) -> Result<PluginSet> {
    // The folder of this program is where cargo puts the workspace's libraries.
    let outputs = std::env::current_exe().ok().and_then(|exe| exe.parent().map(PathBuf::from));
    let mut search = Search::from_env(outputs);
    search.trusted = trusted.to_vec();
    search.isolate = isolate(global)?;
    let prefer = match door {
        DoorArg::Static => Prefer::Static,
        DoorArg::Dynamic => Prefer::Dynamic,
    };
    // Linking them in is what makes them known.
    let _ = zoo_plugins::linked;
    Ok(discover(&search, &pins(registry), prefer))
}

/// Which plugins run in processes of their own: by default those from elsewhere.
fn isolate(global: &Global) -> Result<Isolate> {
    if global.no_isolate {
        return Ok(Isolate::Nothing);
    }
    let isolation = isolation()?;
    Ok(if global.isolate { Isolate::Everything(isolation) } else { Isolate::Foreign(isolation) })
}

/// This program, as the process of a plugin.
pub(super) fn isolation() -> Result<Isolation> {
    let program = std::env::current_exe().context("finding this program")?;
    Ok(Isolation { program, arguments: vec!["plugin".into(), "serve".into()], limits: Limits::from_env()? })
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
                say!("{}", file.display());
            }
        }
        PluginCommand::Verify { path, here: true } => {
            let report = verify(path);
            say!("{report}");
            return Ok(ExitCode::from(if report.passed() { exit::OK } else { exit::BAR }));
        }
        PluginCommand::Verify { path, here: false } => return verify_apart(path),
        PluginCommand::Serve => zoo_host::isolation::serve().context("serving a host on stdin; this command is for the zoo itself")?,
        PluginCommand::List { json } => list(global, *json)?,
        PluginCommand::Trust { path } => {
            let pin = trust(path, &super::registry_path(global)?, isolate(global)?.of(true))?;
            reporter.log(Level::Info, "xtask", &format!("plugin {} is trusted as {}", pin.name, pin.sha256));
        }
    }
    Ok(ExitCode::from(exit::OK))
}

/// Verifies in a child, so that a library which crashes, exits or aborts is a failure in the report and no more.
fn verify_apart(path: &Path) -> Result<ExitCode> {
    let this = std::env::current_exe().context("finding this program")?;
    let mut child = Command::new(this);
    child.args(["plugin", "verify", "--here"]).arg(path).stderr(Stdio::inherit());
    let output = child.output().context("starting the process of the plugin")?;
    let report = String::from_utf8_lossy(&output.stdout);
    write(format_args!("{report}"))?;
    match output.status.code().and_then(|code| u8::try_from(code).ok()) {
        // A library that exits by itself does not get as far as the closing line.
        Some(code @ (exit::OK | exit::BAR)) if report.ends_with(" skipped\n") => Ok(ExitCode::from(code)),
        _ => {
            say!("FAILED  the library ended the process it ran in ({}); `plugin verify --here` in a debugger shows where", output.status);
            Ok(ExitCode::from(exit::BAR))
        }
    }
}

fn list(global: &Global, as_json: bool) -> Result<()> {
    let set = find(DoorArg::Static, &[], &registry(global)?, global)?;
    let loaded = |p: &Loaded| {
        let (door, path, sha256) = match &p.door {
            Door::Static => ("static", String::new(), String::new()),
            Door::Dynamic { path, sha256, .. } => ("dynamic", path.display().to_string(), sha256.clone()),
        };
        let isolated = matches!(p.door, Door::Dynamic { isolated: true, .. });
        json!({"name": p.plugin.info.name, "version": p.plugin.info.version, "door": door, "isolated": isolated, "state": "loaded", "sha256": sha256, "path": path})
    };
    let refused = |r: &zoo_host::plugins::Refused| json!({"name": "-", "version": "-", "door": "dynamic", "isolated": false, "state": format!("refused: {}", r.why), "sha256": "", "path": r.path.display().to_string()});
    let rows: Vec<Value> = set.plugins.iter().map(loaded).chain(set.refused.iter().map(refused)).collect();
    if as_json {
        say!("{}", serde_json::to_string(&rows)?);
    } else {
        write(format_args!("{}", super::list::columns(&rows)))?;
    }
    Ok(())
}
