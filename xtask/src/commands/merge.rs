//! `merge`.

use super::write_result;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use zoo_core::Reporter;
use zoo_host::results::{Results, merge as join};
use zoo_host::zoo::Zoo;

pub(super) fn merge(zoo: &Zoo, files: &[PathBuf], out: Option<&Path>, reporter: &dyn Reporter) -> Result<()> {
    let parts = files.iter().map(|file| read(file)).collect::<Result<Vec<_>>>()?;
    let fresh = |name: &str| zoo.model(name, reporter).map(|m| m.model.metrics()).unwrap_or_default();
    let results = join(parts, fresh)?;
    write_result(out.unwrap_or(Path::new("-")), &format!("{}\n", serde_json::to_string(&results)?))
}

fn read(file: &Path) -> Result<Results> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not a result file of schema zoo.eval/1", file.display()))
}
