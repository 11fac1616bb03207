//! `golden`: re-makes golden values with the scripts that stand beside them.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Name of the script in each golden folder. It takes the folder to write to.
const SCRIPT: &str = "make_golden.py";

pub(super) fn golden(root: &Path, check: bool) -> Result<()> {
    let python = super::setup::peers_python()?;
    let scripts = scripts(root)?;
    let mut differ = Vec::new();
    for script in &scripts {
        let folder = script.parent().unwrap_or(root);
        let scratch = tempfile::tempdir().context("making a temporary folder")?;
        let target = if check { scratch.path() } else { folder };
        eprintln!("golden: {}", folder.strip_prefix(root).unwrap_or(folder).display());
        let status = Command::new(&python).arg(script).arg(target).status().with_context(|| format!("running {}", python.display()))?;
        if !status.success() {
            bail!("{} failed ({status})", script.display());
        }
        if check && !same(scratch.path(), folder)? {
            differ.push(folder.display().to_string());
        }
    }
    if !differ.is_empty() {
        bail!("golden values differ from what their scripts make now: {}", differ.join(", "));
    }
    println!("{} golden folders {}", scripts.len(), if check { "agree" } else { "made" });
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

/// Whether every file made in `scratch` stands in `folder` with the same bytes.
fn same(scratch: &Path, folder: &Path) -> Result<bool> {
    for entry in std::fs::read_dir(scratch)? {
        let made = entry?.path();
        let name = made.file_name().unwrap_or_default();
        if std::fs::read(&made)? != std::fs::read(folder.join(name)).unwrap_or_default() {
            eprintln!("differs: {}", folder.join(name).display());
            return Ok(false);
        }
    }
    Ok(true)
}
