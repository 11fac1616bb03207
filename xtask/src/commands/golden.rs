//! `golden`: re-makes golden values with the scripts that stand beside them.

use crate::stdout::say;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Name of the script in each golden folder. It writes beside itself.
const SCRIPT: &str = "make.py";
/// Endings of what a script writes; the rest of a folder was not made by it.
const MADE_NOT: [&str; 2] = ["py", "rs"];

pub(super) fn golden(root: &Path, check: bool, only: Option<&str>) -> Result<()> {
    let python = super::setup::peers_python()?;
    let scripts: Vec<_> = scripts(root)?.into_iter().filter(|s| only.is_none_or(|only| s.to_string_lossy().contains(only))).collect();
    if let (Some(only), true) = (only, scripts.is_empty()) {
        bail!("no golden script has {only:?} in its path");
    }
    let mut faults = Vec::new();
    for script in &scripts {
        let folder = script.parent().context("a script without a folder")?;
        eprintln!("golden: {}", folder.strip_prefix(root).unwrap_or(folder).display());
        if check {
            // A script may read what else its crate holds, so that a whole copy of the crate is made to run it in.
            let home = crate_of(folder)?;
            let scratch = tempfile::tempdir().context("making a temporary folder")?;
            copy(home, scratch.path())?;
            let made = scratch.path().join(folder.strip_prefix(home)?);
            match run(&python, &made.join(SCRIPT)) {
                Ok(()) => faults.extend(different(&made, folder)?),
                Err(error) => faults.push(format!("{}: {error:#}", script.display())),
            }
        } else if let Err(error) = run(&python, script) {
            faults.push(format!("{}: {error:#}", script.display()));
        }
    }
    if !faults.is_empty() {
        bail!("golden values differ from what their scripts make now, or a script failed:\n  {}", faults.join("\n  "));
    }
    say!("{} golden folders {}", scripts.len(), if check { "agree" } else { "made" });
    Ok(())
}

fn run(python: &Path, script: &Path) -> Result<()> {
    let status = Command::new(python).arg(script).status().with_context(|| format!("running {}", python.display()))?;
    if !status.success() {
        bail!("the script failed ({status})");
    }
    Ok(())
}

/// All golden scripts of the workspace, sorted.
fn scripts(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = ["zoo-core", "plugins", "tests"].iter().map(|name| root.join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name == SCRIPT) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn crate_of(folder: &Path) -> Result<&Path> {
    let is_crate = |folder: &&Path| folder.join("Cargo.toml").is_file();
    folder.ancestors().find(is_crate).with_context(|| format!("{} is in no crate", folder.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("making {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let path = entry?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            std::fs::copy(&path, &target).with_context(|| format!("copying {}", path.display()))?;
        }
    }
    Ok(())
}

/// Files of `made` that stand in `folder` with other bytes, or not at all.
fn different(made: &Path, folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(made)? {
        let path = entry?.path();
        let ours = path.extension().is_some_and(|e| MADE_NOT.iter().any(|not| e == *not));
        let standing = folder.join(path.file_name().unwrap_or_default());
        if path.is_file() && !ours && std::fs::read(&path)? != std::fs::read(&standing).unwrap_or_default() {
            found.push(standing.display().to_string());
        }
    }
    Ok(found)
}
