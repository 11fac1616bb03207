//! What a registry holds.

use super::digest::Sha256;
use super::problem::Location;
use std::path::PathBuf;
use zoo_core::Config;

/// `[[dataset]]`: files, their sums, and where to get them.
#[derive(Clone, Debug, PartialEq)]
pub struct DatasetEntry {
    /// Name, unique among data sets.
    pub name: String,
    /// Plugin whose factory opens it.
    pub plugin: String,
    /// SPDX expression, or a sentence.
    pub licence: String,
    /// What is known of the data's genuineness; empty if nothing is said.
    pub provenance: String,
    /// How a person gets data that no source may hand out.
    pub obtain: Option<String>,
    /// Files the plugin needs.
    pub files: Vec<FileEntry>,
    /// Sources in the order they are tried.
    pub sources: Vec<Source>,
    /// Options handed to the plugin when it opens the data.
    pub config: Config,
    /// Where the entry stands.
    pub at: Location,
}

impl DatasetEntry {
    /// Whether any file carries no sum, so that its content can't be vouched for.
    pub fn is_unverified(&self) -> bool {
        self.files.iter().any(|f| f.sha256.is_none())
    }
}

/// One file of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct FileEntry {
    /// Name the plugin asks for; also the default path inside a source.
    pub name: String,
    /// Sum of the file as the plugin sees it (unpacked). Absent only where every source is a local folder.
    pub sha256: Option<Sha256>,
    /// Size of the file as the plugin sees it, in bytes.
    pub bytes: u64,
    /// Path inside a source, where it is not `name` (plus `.gz` if packed).
    pub path: Option<String>,
    /// How the source packs this single file.
    pub unpack: Option<Packing>,
}

impl FileEntry {
    /// Path of the file inside a source with the given path prefix.
    pub fn path_in(&self, prefix: Option<&str>) -> String {
        let own = self.path.clone().unwrap_or_else(|| match self.unpack {
            Some(Packing::Gz) => format!("{}.gz", self.name),
            None => self.name.clone(),
        });
        match prefix.map(|p| p.trim_end_matches('/')).filter(|p| !p.is_empty()) {
            Some(prefix) => format!("{prefix}/{own}"),
            None => own,
        }
    }
}

/// How a single file is packed inside its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// gzip.
    Gz,
}

/// Where files come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A repository on the Hugging Face hub.
    Hub {
        /// The repository.
        repo: HubRepo,
        /// Full commit hash.
        revision: String,
        /// Folder inside the repository.
        path: Option<String>,
    },
    /// A package of an ordinary client.
    Package {
        /// Which client.
        client: Client,
        /// Package name.
        name: String,
        /// Exact version.
        version: String,
        /// Folder inside the package.
        path: Option<String>,
        /// Sum of the package file itself.
        sha256: Option<Sha256>,
    },
    /// A folder under `ZOO_DATA`.
    Dir(String),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hub { repo, revision, .. } => write!(f, "hub {repo} at {revision}"),
            Self::Package { client, name, version, .. } => write!(f, "{} package {name} {version}", client.key()),
            Self::Dir(dir) => write!(f, "folder {dir}"),
        }
    }
}

/// Package clients that are known to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// `npm pack`.
    Npm,
    /// `pip download`.
    Pip,
    /// `apt-get download`.
    Apt,
}

impl Client {
    /// Its key in the registry.
    pub fn key(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pip => "pip",
            Self::Apt => "apt",
        }
    }
}

/// Kinds of repository on the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HubKind {
    /// `owner/name`.
    Model,
    /// `datasets/owner/name`.
    Dataset,
}

/// A repository on the hub.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HubRepo {
    /// Its kind.
    pub kind: HubKind,
    /// `owner/name`.
    pub id: String,
}

impl std::fmt::Display for HubRepo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            HubKind::Model => f.write_str(&self.id),
            HubKind::Dataset => write!(f, "datasets/{}", self.id),
        }
    }
}

/// `[[model]]`: a configuration of a plugin's model family with its weights and what is claimed of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelEntry {
    /// Name, unique among models and their aliases.
    pub name: String,
    /// Plugin that implements it.
    pub plugin: String,
    /// Model family inside the plugin; the plugin's first one if absent.
    pub family: Option<String>,
    /// Configuration.
    pub config: ConfigSource,
    /// Trained runs, the default one first; empty if the model has nothing to train.
    pub weights: Vec<WeightsEntry>,
    /// An ONNX file that is the whole model, with what belongs to it.
    pub onnx: Option<OnnxEntry>,
    /// Data set it is measured on.
    pub dataset: Option<String>,
    /// Split it is measured on.
    pub split: String,
    /// Backends it is known to work on, the preferred one first.
    pub backends: Vec<String>,
    /// Free words to choose by; `tour` puts a model into the default tour.
    pub tags: Vec<String>,
    /// What the paper claims, and our bars.
    pub claims: Vec<ClaimEntry>,
    /// Old names.
    pub aliases: Vec<String>,
    /// Where the entry stands.
    pub at: Location,
}

impl ModelEntry {
    /// The trained run of a seed, or the default one.
    pub fn weights_for(&self, seed: Option<u64>) -> Option<&WeightsEntry> {
        match seed {
            None => self.weights.first(),
            Some(_) => self.weights.iter().find(|w| w.seed == seed),
        }
    }

    /// Seeds of the trained runs that state one.
    pub fn seeds(&self) -> Vec<u64> {
        self.weights.iter().filter_map(|w| w.seed).collect()
    }
}

/// `onnx`, `labels` and `tokenizer` of a model that is somebody's ONNX file.
#[derive(Clone, Debug, PartialEq)]
pub struct OnnxEntry {
    /// The ONNX file.
    pub file: WeightsEntry,
    /// The file with the names of its classes.
    pub labels: Option<WeightsEntry>,
    /// The file that says how text becomes tokens, as the crate and Python package `tokenizers` write it.
    pub tokenizer: Option<WeightsEntry>,
}

impl OnnxEntry {
    /// Plugin that runs such models.
    pub const PLUGIN: &str = "onnx-file";

    /// The files by the names under which the plugin finds them.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &WeightsEntry)> {
        let others = self.labels.iter().map(|labels| ("labels", labels)).chain(self.tokenizer.iter().map(|file| ("tokenizer", file)));
        std::iter::once(("onnx", &self.file)).chain(others)
    }
}

/// Where a configuration stands.
#[derive(Clone, Debug, PartialEq)]
pub enum ConfigSource {
    /// A TOML file, relative to the registry's folder.
    Path(PathBuf),
    /// In the registry itself.
    Inline(Config),
}

/// One trained run.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightsEntry {
    /// Seed it was trained with, where that is stated.
    pub seed: Option<u64>,
    /// Where the file is.
    pub source: WeightsSource,
    /// Sum of the file.
    pub sha256: Sha256,
}

/// Where weights are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WeightsSource {
    /// A file, relative to the registry's folder.
    Path(PathBuf),
    /// A file on the hub.
    Hub {
        /// The repository.
        repo: HubRepo,
        /// Full commit hash.
        revision: String,
        /// Path inside the repository.
        file: String,
        /// Size in bytes.
        bytes: u64,
    },
    /// A file inside a package of an ordinary client, or in a folder of local data of the package's name.
    Package {
        /// Which client.
        client: Client,
        /// Package name.
        name: String,
        /// Exact version.
        version: String,
        /// Path inside the package.
        file: String,
        /// Size in bytes.
        bytes: u64,
    },
}

/// `[[model.claim]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimEntry {
    /// Identifier, unique within the model.
    pub id: String,
    /// The claim, in our words.
    pub text: String,
    /// The published value; absent where it could not be read.
    pub published: Option<Published>,
    /// Our bar.
    pub bar: String,
    /// The bar in numbers, where it is about a metric of an ordinary evaluation of the whole split.
    pub metric: Option<MetricBar>,
    /// Whether a missed bar fails the run.
    pub gating: bool,
    /// Where the claim stands.
    pub at: Location,
}

/// A bar on a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricBar {
    /// Name of the metric.
    pub name: String,
    /// The limit, in the metric's unit.
    pub limit: Limit,
}

impl MetricBar {
    /// Whether a measured value meets the bar.
    pub fn holds(&self, measured: f64) -> bool {
        match self.limit {
            Limit::AtLeast(low) => measured >= low,
            Limit::AtMost(high) => measured <= high,
        }
    }
}

/// Which side of a number is good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// Greater is better.
    AtLeast(f64),
    /// Smaller is better.
    AtMost(f64),
}

/// A published value.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// The number.
    pub value: f64,
    /// Its unit; empty for a plain number.
    pub unit: String,
    /// Table, figure or sentence of the paper.
    pub source: String,
}

/// `[[plugin]]`: a dynamic plugin that is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginEntry {
    /// Name the plugin gives itself.
    pub name: String,
    /// Library file: relative to the registry's folder, or a bare file name looked for on the plugin path.
    pub path: PathBuf,
    /// Sum of the library file.
    pub sha256: Sha256,
    /// Where the entry stands.
    pub at: Location,
}
