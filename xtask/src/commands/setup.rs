//! `setup`: what is optional, on demand.

use crate::cli::SetupCommand;
use crate::stdout::say;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use zoo_core::Reporter;

/// Frameworks that golden values and benchmarks compare with.
const PEERS: &str = include_str!("../../../tests/python/peers.txt");

pub(super) fn setup(what: &SetupCommand, reporter: &dyn Reporter) -> Result<()> {
    match what {
        SetupCommand::Onnxruntime { gpu } => {
            let library = zoo_backend_onnxruntime::setup(*gpu, reporter)?;
            say!("{}", library.display());
        }
        SetupCommand::Peers => say!("{}", make_peers()?.display()),
    }
    Ok(())
}

/// Beside the folder of the ONNX Runtime library.
fn folder() -> Result<PathBuf> {
    let library = zoo_backend_onnxruntime::library_folder().context("no home folder: set ZOO_HOME or HOME")?;
    Ok(library.with_file_name("peers"))
}

/// The interpreter of the peers' environment.
///
/// # Errors
/// If it was not made yet; the message says how.
pub(super) fn peers_python() -> Result<PathBuf> {
    if let Some(python) = std::env::var_os("ZOO_PEERS_PYTHON") {
        return Ok(python.into());
    }
    let python = folder()?.join("bin/python");
    if !python.is_file() {
        bail!("the peers' environment is not there ({}); make it with `cargo xtask setup peers` (about 6 GB)", python.display());
    }
    Ok(python)
}

fn make_peers() -> Result<PathBuf> {
    let folder = folder()?;
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let python = folder.join("bin/python");
    let list = folder.join("peers.txt");
    std::fs::write(&list, PEERS).with_context(|| format!("writing {}", list.display()))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--disable-pip-version-check", "--requirement"]).arg(Path::new(&list)))?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<()> {
    let status =
        command.stdout(std::io::stderr()).status().with_context(|| format!("starting {}", command.get_program().to_string_lossy()))?;
    if !status.success() {
        bail!("{} failed ({status})", command.get_program().to_string_lossy());
    }
    Ok(())
}
