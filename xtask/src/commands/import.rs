//! `import`.

use crate::cli::Names;
use crate::stdout::say;
use anyhow::Result;
use std::path::{Path, PathBuf};
use zoo_core::{Dialect, Reporter};
use zoo_host::zoo::Zoo;

pub(super) fn import(zoo: &Zoo, name: &str, file: &Path, names: Names, out: Option<PathBuf>, reporter: &dyn Reporter) -> Result<()> {
    let model = zoo.model(name, reporter)?;
    let dialect = match names {
        Names::Authors => Dialect::Authors,
        Names::Zoo => Dialect::Zoo,
    };
    let weights = model.model.import(&zoo_formats::safetensors::read(file)?, dialect, &model.config)?;
    let out = out.unwrap_or_else(|| PathBuf::from(format!("{}.safetensors", name.replace('/', "-"))));
    zoo_formats::safetensors::write_atomically(&out, &weights)?;
    say!("{} ({} tensors)", out.display(), weights.tensors.len());
    Ok(())
}
