//! `registry.toml`: the one list of plugins, models, weights, data sets and claims. Data, not code.
//!
//! Every mistake in the file is reported at once, each with its line and column, what was expected, what was found and
//! the nearest known name ([`RegistryError`]). Paths are relative to the file's folder and can't leave it.

mod check;
mod decode;
mod digest;
mod entry;
mod problem;
mod reader;
mod suggest;
#[cfg(test)]
mod tests;

pub use digest::{DigestError, Sha256};
pub use entry::{
    ClaimEntry, Client, ConfigSource, DatasetEntry, FileEntry, HubKind, HubRepo, Limit, MetricBar, ModelEntry, OnnxEntry, Packing,
    PluginEntry, Published, Source, WeightsEntry, WeightsSource,
};
pub use problem::{Location, Problem, RegistryError};
pub use suggest::{hint, nearest};

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use zoo_core::{Config, Level, Reporter};

/// The version of the schema this code reads.
pub const SCHEMA: u64 = 1;

/// A registry that was read and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Registry {
    path: PathBuf,
    models: Vec<ModelEntry>,
    datasets: Vec<DatasetEntry>,
    plugins: Vec<PluginEntry>,
}

impl Registry {
    /// Reads and checks a registry, including that every configuration and weights file it names is there.
    ///
    /// # Errors
    /// [`Error::Io`] if the file can't be read, [`Error::Registry`] with every mistake in it.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        Ok(decode::registry(&text, path, true)?)
    }

    /// Checks the text of a registry; `path` is the file it would stand in. Files it names are not looked for.
    ///
    /// # Errors
    /// [`RegistryError`] with every mistake in it.
    pub fn parse(text: &str, path: &Path) -> Result<Self, RegistryError> {
        decode::registry(text, path, false)
    }

    /// This registry and the tables of another text, which may name this one's data sets; `path` is where the text comes
    /// from. Its relative paths start from this registry's folder.
    ///
    /// # Errors
    /// [`RegistryError`] with every mistake in the text, among them names that are taken.
    pub fn with(self, text: &str, path: &Path) -> Result<Self, RegistryError> {
        decode::extended(self, text, path, false)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that relative paths start from.
    pub fn root(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    /// Models in the order of the file.
    pub fn models(&self) -> &[ModelEntry] {
        &self.models
    }

    /// Data sets in the order of the file.
    pub fn datasets(&self) -> &[DatasetEntry] {
        &self.datasets
    }

    /// Pinned dynamic plugins in the order of the file.
    pub fn plugins(&self) -> &[PluginEntry] {
        &self.plugins
    }

    /// The model of a name or an old name; an old name draws a warning.
    ///
    /// # Errors
    /// [`zoo_core::Error::Unknown`] with the nearest name.
    pub fn model(&self, name: &str, reporter: &dyn Reporter) -> zoo_core::Result<&ModelEntry> {
        if let Some(entry) = self.models.iter().find(|m| m.name == name) {
            return Ok(entry);
        }
        if let Some(entry) = self.models.iter().find(|m| m.aliases.iter().any(|a| a == name)) {
            reporter.log(Level::Warn, "registry", &format!("model `{name}` is now called `{}`; use the new name", entry.name));
            return Ok(entry);
        }
        Err(unknown("model", name, self.models.iter().map(|m| m.name.as_str())))
    }

    /// The data set of a name.
    ///
    /// # Errors
    /// [`zoo_core::Error::Unknown`] with the nearest name.
    pub fn dataset(&self, name: &str) -> zoo_core::Result<&DatasetEntry> {
        let known = || self.datasets.iter().map(|d| d.name.as_str());
        self.datasets.iter().find(|d| d.name == name).ok_or_else(|| unknown("dataset", name, known()))
    }

    /// The pin of a dynamic plugin, if there is one.
    pub fn plugin(&self, name: &str) -> Option<&PluginEntry> {
        self.plugins.iter().find(|p| p.name == name)
    }

    /// The configuration of a model, read from its TOML file where it is not in the registry itself.
    ///
    /// # Errors
    /// [`Error::Io`] if the file can't be read, [`Error::Registry`] with line and column if it is not valid TOML.
    pub fn config(&self, model: &ModelEntry) -> Result<Config> {
        match &model.config {
            ConfigSource::Inline(config) => Ok(config.clone()),
            ConfigSource::Path(path) => {
                let path = self.root().join(path);
                let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
                Ok(decode::config(&text, &path)?)
            }
        }
    }
}

/// An unknown name, with the nearest known one.
pub fn unknown<'a>(kind: &'static str, name: &str, known: impl IntoIterator<Item = &'a str>) -> zoo_core::Error {
    zoo_core::Error::Unknown { kind, name: name.into(), hint: hint(name, known) }
}
