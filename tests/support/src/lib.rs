//! For tests only: the Python of the test environment, a hub and an inference server on the loopback interface, a headless
//! browser.
//!
//! A test that needs Python starts with
//!
//! ```
//! # fn test() {
//! if zoo_test_support::python().is_none() {
//!     println!("skipped: no Python (set ZOO_TEST_PYTHON)");
//!     return;
//! }
//! # }
//! ```

#[cfg(unix)]
pub mod browser;
pub mod hub;
pub mod inference;
pub mod store;

use std::ffi::OsStr;
use std::io::{Error, Result, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the workspace.
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The interpreter named by `ZOO_TEST_PYTHON`, or else the one of the workspace's test environment, if it is there.
///
/// # Panics
/// If `ZOO_TEST_PYTHON` names a file that is not there, since a test run that asks for Python must not go without.
pub fn python() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("ZOO_TEST_PYTHON").filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        assert!(path.is_file(), "ZOO_TEST_PYTHON: expected an interpreter, found nothing at {}", path.display());
        return Some(path);
    }
    Some(workspace_root().join("target/venv/bin/python")).filter(|path| path.is_file())
}

/// Runs a script, given as a file ending in `.py` or as source, and returns what it printed.
///
/// # Errors
/// If there is no Python, or the script fails; the error then has everything it printed.
pub fn run_python<A: AsRef<OsStr>>(script: &str, args: &[A]) -> Result<String> {
    let python = python().ok_or_else(|| Error::other("no Python: set ZOO_TEST_PYTHON"))?;
    let mut source = tempfile::Builder::new().suffix(".py").tempfile()?;
    let path = if script.ends_with(".py") && !script.contains('\n') {
        PathBuf::from(script)
    } else {
        source.write_all(script.as_bytes())?;
        source.path().to_path_buf()
    };
    // No byte code beside the sources, no user packages, no colours.
    let output = Command::new(&python).arg("-B").arg("-s").arg(&path).args(args).env("NO_COLOR", "1").output()?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        return Ok(stdout.into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(Error::other(format!("{} {}: {}\n{stdout}\n{stderr}", python.display(), path.display(), output.status)))
}
