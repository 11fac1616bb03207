//! `setup`: what is optional, on demand.

use crate::cli::SetupCommand;
use crate::stdout::say;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use zoo_core::{Error, Reporter};

/// A Python environment beside the folder of the ONNX Runtime library.
pub(super) struct Environment {
    name: &'static str,
    requirements: &'static str,
    /// Variable that names another interpreter with the same packages.
    variable: &'static str,
    size: &'static str,
}

/// Frameworks that golden values and benchmarks compare with.
const PEERS: Environment = Environment {
    name: "peers",
    requirements: include_str!("../../../tests/python/peers.txt"),
    variable: "ZOO_PEERS_PYTHON",
    size: "6 GB",
};

/// Tools that open exported files again.
const VERIFY: Environment = Environment {
    name: "verify",
    requirements: include_str!("../../../tests/python/verify.txt"),
    variable: "ZOO_VERIFY_PYTHON",
    size: "6 GB",
};

/// A server of the Open Inference Protocol, for tests.
const MLSERVER: Environment = Environment {
    name: "mlserver",
    requirements: include_str!("../../../tests/python/mlserver.txt"),
    variable: "ZOO_MLSERVER_PYTHON",
    size: "400 MB",
};

pub(super) fn setup(what: &SetupCommand, reporter: &dyn Reporter) -> Result<()> {
    let made = match what {
        SetupCommand::Onnxruntime { gpu } => zoo_backend_onnxruntime::setup(*gpu, reporter)?,
        SetupCommand::Peers => PEERS.make()?,
        SetupCommand::Verify => VERIFY.make()?,
        SetupCommand::Mlserver => MLSERVER.make()?,
    };
    say!("{}", made.display());
    Ok(())
}

/// The interpreter of the peers' environment.
///
/// # Errors
/// If it was not made yet; the message says how.
pub(super) fn peers_python() -> Result<PathBuf> {
    PEERS.python()
}

/// The interpreter of the environment of `export --verify`.
///
/// # Errors
/// If it was not made yet; the message says how.
pub(super) fn verify_python() -> Result<PathBuf> {
    VERIFY.python()
}

impl Environment {
    fn folder(&self) -> Result<PathBuf> {
        let library = zoo_backend_onnxruntime::library_folder().context("no home folder: set ZOO_HOME or HOME")?;
        Ok(library.with_file_name(self.name))
    }

    fn python(&self) -> Result<PathBuf> {
        if let Some(python) = std::env::var_os(self.variable) {
            return Ok(python.into());
        }
        let python = self.folder()?.join("bin/python");
        if !python.is_file() {
            let Self { name, size, .. } = self;
            return Err(Error::Unavailable {
                what: format!("the Python environment `{name}`"),
                why: format!("it is not there ({})", python.display()),
                mend: format!("make it with `cargo xtask setup {name}` (about {size})"),
            }
            .into());
        }
        Ok(python)
    }

    fn make(&self) -> Result<PathBuf> {
        let folder = self.folder()?;
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        let python = folder.join("bin/python");
        let list = folder.join("requirements.txt");
        std::fs::write(&list, self.requirements).with_context(|| format!("writing {}", list.display()))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--disable-pip-version-check", "--requirement"]).arg(Path::new(&list)))?;
        Ok(python)
    }
}

fn run(command: &mut Command) -> Result<()> {
    let status =
        command.stdout(std::io::stderr()).status().with_context(|| format!("starting {}", command.get_program().to_string_lossy()))?;
    if !status.success() {
        bail!("{} failed ({status})", command.get_program().to_string_lossy());
    }
    Ok(())
}
