//! `cargo xtask test`: the only gate, the cheapest check first, the same on a laptop and in CI.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Packages of the test environment, pinned so that two runs see the same ones.
const REQUIREMENTS: &str = "tests/python/requirements.txt";

/// Examples that tests start as programs.
const STARTED_BY_TESTS: [&str; 3] = ["exercise", "fetch", "plugin_cli"];

/// Runs every check and test.
///
/// # Errors
/// If one fails; the message names it and the command that repeats it.
pub(crate) fn test(root: &Path, filter: Option<&str>) -> Result<()> {
    let python = environment(root)?;
    if filter.is_none() {
        step(root, "format", cargo().args(["fmt", "--all", "--check"]))?;
        lints(root)?;
        // With the features of the lints, which have checked every dependency with them.
        let docs = ["doc", "--release", "--workspace", "--no-deps", "--features", super::train::FEATURE];
        step(root, "docs", cargo().args(docs).env("RUSTDOCFLAGS", "-D warnings"))?;
        licences(root)?;
    }
    // The program that tests run, in a build that can train; cargo builds it for no test by itself. A test beside it makes cargo
    // choose the features that it chooses for tests; without, every dependency would be compiled twice.
    let mut program = cargo();
    program.args(["build", "--release", "--workspace", "--features", super::train::FEATURE, "--bin", "xtask", "--test", "layers"]);
    program.args(STARTED_BY_TESTS.iter().flat_map(|name| ["--example", name]));
    step(root, "program", &mut program)?;
    let mut tests = runner();
    // Without examples: lints have looked at them, and building all takes a minute.
    tests.args(["--release", "--workspace", "--tests", "--features", super::train::FEATURE]);
    tests.args(filter);
    tests.env("ZOO_TEST_PYTHON", &python);
    // The node tests of the ONNX package: half a minute.
    tests.env("ZOO_NODE_TESTS", "1");
    if let Some(library) = onnxruntime(&python) {
        tests.env("ZOO_TEST_ORT", library);
    }
    step(root, "tests", &mut tests)?;
    if filter.is_none() && has_nextest() {
        step(root, "doc tests", cargo().args(["test", "--release", "--workspace", "--doc", "--features", super::train::FEATURE]))?;
    }
    Ok(())
}

/// Injects every fault into the command line, in a build that can train, and writes the table.
///
/// # Errors
/// If something was lost, or the build fails.
pub(crate) fn faults(root: &Path) -> Result<()> {
    // Before the build puts another file in this one's place.
    let program = std::env::current_exe().context("finding this program")?.with_file_name("zoo-faults");
    let build = ["build", "--release", "--package", "xtask", "--package", "zoo-faults", "--features", super::train::FEATURE];
    step(root, "build", cargo().args(build))?;
    step(root, "faults", Command::new(program).arg("--out").arg(root.join("docs/results/faults")))
}

fn lints(root: &Path) -> Result<()> {
    let deny = ["--", "-D", "warnings"];
    let all = ["clippy", "--release", "--workspace", "--all-targets", "--features", super::train::FEATURE];
    step(root, "lints", cargo().args(all).args(deny))?;
    // The build that a newcomer makes, without the training engine.
    step(root, "lints of the first build", cargo().args(["clippy", "--release", "--package", "xtask"]).args(deny))
}

fn licences(root: &Path) -> Result<()> {
    if !answers(cargo().args(["deny", "--version"])) {
        eprintln!("skipped: licences and advisories (cargo-deny is not installed: cargo install cargo-deny)");
        return Ok(());
    }
    step(root, "licences", cargo().args(["deny", "check", "bans", "licenses", "sources"]))
}

fn runner() -> Command {
    let mut command = cargo();
    if has_nextest() {
        command.args(["nextest", "run", "--no-fail-fast"]);
    } else {
        command.args(["test", "--no-fail-fast"]);
    }
    command
}

fn has_nextest() -> bool {
    answers(cargo().args(["nextest", "--version"]))
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn answers(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

fn step(root: &Path, name: &str, command: &mut Command) -> Result<()> {
    eprintln!("== {name}: {}", shown(command));
    let started = Instant::now();
    let status = command.current_dir(root).status().with_context(|| format!("{name}: could not start {}", shown(command)))?;
    eprintln!("== {name}: {:.0} s", started.elapsed().as_secs_f64());
    if !status.success() {
        bail!("{name} failed ({status}); to repeat it: {}", shown(command));
    }
    Ok(())
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    std::iter::once(program).chain(command.get_args().map(|a| a.to_string_lossy().into_owned())).collect::<Vec<_>>().join(" ")
}

/// Makes the Python environment under `target/venv` if it is not there or its requirements changed.
fn environment(root: &Path) -> Result<PathBuf> {
    let requirements = std::fs::read_to_string(root.join(REQUIREMENTS)).with_context(|| format!("reading {REQUIREMENTS}"))?;
    let venv = root.join("target/venv");
    let python = venv.join("bin/python");
    let stamp = venv.join("requirements.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|have| have == requirements) {
        return Ok(python);
    }
    step(root, "test environment", Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", REQUIREMENTS];
    step(root, "test environment", Command::new(&python).args(install))?;
    std::fs::write(&stamp, requirements).with_context(|| format!("writing {}", stamp.display()))?;
    Ok(python)
}

/// The ONNX Runtime library inside the test environment.
fn onnxruntime(python: &Path) -> Option<PathBuf> {
    let lib = python.parent()?.parent()?.join("lib");
    let version = std::fs::read_dir(lib).ok()?.flatten().find(|e| e.file_name().to_string_lossy().starts_with("python3"))?;
    let capi = version.path().join("site-packages/onnxruntime/capi");
    let is_library = |name: &str| name.starts_with("libonnxruntime.so.") || name.starts_with("libonnxruntime.") && name.ends_with(".dylib");
    std::fs::read_dir(capi).ok()?.flatten().find(|e| is_library(&e.file_name().to_string_lossy())).map(|e| e.path())
}
