//! One module a command; each calls the host and prints.

mod bench;
mod evaluate;
mod export;
mod fetch;
mod golden;
mod import;
mod info;
mod isolated;
mod list;
mod merge;
mod opsets;
mod plugin;
mod precision;
mod reference;
mod report;
mod run;
mod setup;
mod test;
mod train;
mod triton;
mod verify;

use crate::cli::{Benched, Command, DoorArg, Global};
use crate::exit;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use zoo_core::{Options, Reporter};
use zoo_host::fetch::{FetchOptions, Fetcher};
use zoo_host::progress::Terminal;
use zoo_host::registry::Registry;
use zoo_host::zoo::Zoo;

/// Runs a command.
///
/// # Errors
/// Whatever the command finds; [`exit::status`] says with which status the process ends.
pub(crate) fn dispatch(command: Command, global: &Global, terminal: &Arc<Terminal>) -> Result<ExitCode> {
    let reporter: &dyn Reporter = &**terminal;
    match command {
        Command::FetchAndEval(args) => return evaluate::fetch_and_eval(&args, global, reporter),
        Command::List { what, json } => list::list(&open(global, reporter)?, what, json)?,
        Command::Info { model, json } => info::info(&open(global, reporter)?, &model, json, reporter)?,
        Command::Fetch { names } => fetch::fetch(&open(global, reporter)?, &names, reporter)?,
        Command::Export(args) => return export::export(&open(global, reporter)?, &args, global, reporter),
        Command::Import { model, file, dialect, out } => import::import(&open(global, reporter)?, &model, &file, dialect, out, reporter)?,
        Command::Train { model, seed, budget, resume, out } => {
            return train::train(global, &train::Request { model, seed, budget, resume, out }, reporter);
        }
        Command::Plugin { command } => return plugin::plugin(&command, global, reporter),
        Command::Bench { what: Benched::Backends, json, python, .. } => {
            bench::backends(&open(global, reporter)?, json, python.as_deref(), global, reporter)?;
        }
        Command::Bench { what: Benched::Train, json, python, .. } => return bench::train(json, python, reporter),
        Command::Bench { what: Benched::Precision, json, page, .. } => {
            precision::precision(&open(global, reporter)?, json, page.as_deref(), global, reporter)?;
        }
        Command::Bench { what: Benched::Executor, json, python, recording, .. } => bench::executor(json, python, recording, reporter)?,
        Command::Bench { what: Benched::Isolation, json, .. } => isolated::isolation(&open(global, reporter)?, json, global, reporter)?,
        Command::Run { model, action, args, backend } => {
            run::run(&open(global, reporter)?, &model, &action, &args, &backend, global, reporter)?;
        }
        Command::Merge { files, json } => merge::merge(&open(global, reporter)?, &files, json.as_deref(), reporter)?,
        Command::Report { results, out } => report::report(&open(global, reporter)?, &root(global)?, results, out, reporter)?,
        Command::Reference => reference::reference()?,
        Command::Setup { what } => setup::setup(&what, reporter)?,
        Command::Golden { only, check } => golden::golden(&root(global)?, check, only.as_deref())?,
        Command::Test { faults: true, .. } => test::faults(&root(global)?)?,
        Command::Test { filter, .. } => test::test(&root(global)?, filter.as_deref())?,
    }
    Ok(ExitCode::from(exit::OK))
}

/// The folder of the registry: that of `--registry`, else the nearest one above the current folder that holds a registry.
fn root(global: &Global) -> Result<PathBuf> {
    let file = registry_path(global)?;
    Ok(file.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf))
}

fn registry_path(global: &Global) -> Result<PathBuf> {
    if let Some(path) = &global.registry {
        return Ok(path.clone());
    }
    let here = std::env::current_dir().context("finding the current folder")?;
    here.ancestors().map(|dir| dir.join("registry.toml")).find(|path| path.is_file()).ok_or_else(|| {
        let looked = here.display();
        exit::WrongUse(format!("no registry.toml in {looked} or above it; go to the zoo's folder or give --registry FILE")).into()
    })
}

fn registry(global: &Global) -> Result<Registry> {
    Ok(Registry::load(&registry_path(global)?)?)
}

/// The zoo with the plugins that are linked into this program and the trusted libraries on the search path.
fn open(global: &Global, reporter: &dyn Reporter) -> Result<Zoo> {
    open_with(global, DoorArg::Static, &[], reporter)
}

fn open_with(global: &Global, door: DoorArg, trusted: &[PathBuf], reporter: &dyn Reporter) -> Result<Zoo> {
    let registry = registry(global)?;
    let plugins = plugin::load(door, trusted, &registry, global, reporter)?;
    let options = FetchOptions::from_env()?.offline(global.offline);
    Ok(Zoo::new(registry, plugins, Fetcher::new(options)?)?)
}

/// Compile options that every session of this process gets.
fn compile_options(global: &Global, threads: Option<usize>, extra: &[String]) -> Result<Options> {
    let mut options = Options { threads, ..Options::default() };
    if let Some(lib) = &global.ort_lib {
        options.extra.insert("onnxruntime.lib".into(), lib.display().to_string());
    }
    for setting in extra {
        let (key, value) = setting
            .split_once('=')
            .ok_or_else(|| exit::WrongUse(format!("--option {setting}: expected KEY=VALUE, such as events.mode=async_bfs")))?;
        options.extra.insert(key.into(), value.into());
    }
    Ok(options)
}

/// The command as it was typed.
fn command_line() -> String {
    let words = std::env::args().skip(1).map(|word| if word.contains(char::is_whitespace) { format!("'{word}'") } else { word });
    std::iter::once("cargo xtask".to_string()).chain(words).collect::<Vec<_>>().join(" ")
}

/// Writes text to a file, atomically, or to stdout for `-`.
fn write_result(path: &Path, text: &str) -> Result<()> {
    if path == Path::new("-") {
        return crate::stdout::write(format_args!("{text}"));
    }
    zoo_host::files::write_atomically(path, text.as_bytes())?;
    Ok(())
}
