//! Looking for plugins.

use super::library::{Inspected, inspect, sha256_of, table_of};
use super::loader;
use super::refusal::Refusal;
use crate::isolation::{self, Isolation};
use crate::zoo::{Door, Loaded};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use zoo_core::Plugin;

/// A library that somebody decided to trust, by its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Name the plugin gives itself; empty where any will do.
    pub name: String,
    /// SHA-256 of the library, in hex.
    pub sha256: String,
    /// The library file: absolute, or a bare file name.
    pub path: PathBuf,
}

/// Where to look, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Libraries that are trusted for this run, whatever the pins say (`--trust`).
    pub trusted: Vec<PathBuf>,
    /// Folders and libraries of `ZOO_PLUGIN_PATH`.
    pub path: Vec<PathBuf>,
    /// The workspace's build outputs, `target/{profile}`. What lies here was built here and needs no pin.
    pub workspace: Option<PathBuf>,
    /// The per-user folder.
    pub home: Option<PathBuf>,
    /// Which libraries run in processes of their own.
    pub isolate: Isolate,
}

/// Which libraries run in processes of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Isolate {
    /// None.
    #[default]
    Nothing,
    /// Those that the workspace did not build.
    Foreign(Isolation),
    /// All.
    Everything(Isolation),
}

impl Isolate {
    /// How a library that the workspace built, or did not build, is isolated.
    pub fn of(&self, foreign: bool) -> Option<&Isolation> {
        match self {
            Self::Nothing => None,
            Self::Foreign(isolation) => Some(isolation).filter(|_| foreign),
            Self::Everything(isolation) => Some(isolation),
        }
    }
}

impl Search {
    /// The search path of the environment: `ZOO_PLUGIN_PATH`, `workspace`, and `$ZOO_HOME/plugins`, where `ZOO_HOME` is
    /// `~/.local/share/zoo` if it is not set.
    pub fn from_env(workspace: Option<PathBuf>) -> Self {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let path = set("ZOO_PLUGIN_PATH").map(|list| std::env::split_paths(&list).filter(|p| !p.as_os_str().is_empty()).collect());
        let home = set("ZOO_HOME").map(PathBuf::from).or_else(|| set("HOME").map(|home| Path::new(&home).join(".local/share/zoo")));
        Self {
            trusted: Vec::new(),
            path: path.unwrap_or_default(),
            workspace,
            home: home.map(|home| home.join("plugins")),
            isolate: Isolate::Nothing,
        }
    }
}

/// Which door in-tree plugins come through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefer {
    /// Linked in; build outputs of the workspace are not looked at.
    #[default]
    Static,
    /// Opened from the workspace's build outputs, where there is one of that name.
    Dynamic,
}

/// A library that was found and not loaded.
#[derive(Debug)]
pub struct Refused {
    /// The library.
    pub path: PathBuf,
    /// Why.
    pub why: Refusal,
}

/// What was found.
#[derive(Default)]
pub struct PluginSet {
    /// Loaded plugins, sorted by name.
    pub plugins: Vec<Loaded>,
    /// Libraries that were refused, in the order of the search.
    pub refused: Vec<Refused>,
}

/// Finds plugins: the linked ones, and libraries on the search path that `pins` or the search itself trust.
///
/// One library that is refused does not keep others from being loaded; whether that matters is the caller's to decide.
pub fn discover(search: &Search, pins: &[Pin], prefer: Prefer) -> PluginSet {
    let mut found = Found::default();
    let linked = zoo_core::plugin::linked().into_iter().map(|plugin| Loaded { plugin, door: Door::Static });
    match prefer {
        Prefer::Static => linked.for_each(|loaded| found.admit(loaded)),
        Prefer::Dynamic => {
            for library in search.workspace.iter().flat_map(|folder| build_outputs(folder)) {
                found.try_load(&library, search.isolate.of(false), |_| Ok(None));
            }
            for loaded in linked {
                found.names.entry(loaded.plugin.info.name.clone()).or_insert_with(|| {
                    found.set.plugins.push(loaded);
                    LINKED.into()
                });
            }
        }
    }
    for library in &search.trusted {
        found.try_load(library, search.isolate.of(true), |_| Ok(None));
    }
    let explicit = search.path.iter().filter(|place| !place.is_dir()).cloned();
    let folders = search.path.iter().chain(&search.home).filter(|place| place.is_dir());
    let libraries: Vec<_> = explicit.chain(folders.flat_map(|folder| libraries_in(folder))).collect();
    for library in libraries {
        found.try_load(&library, search.isolate.of(true), |file| pinned(file, pins).map(Some));
    }
    found.set.plugins.sort_by(|a, b| a.plugin.info.name.cmp(&b.plugin.info.name));
    found.set
}

const LINKED: &str = "the program itself (linked in)";

#[derive(Default)]
struct Found {
    set: PluginSet,
    /// Who has a name: a path, or the program itself.
    names: BTreeMap<String, String>,
    /// Files that were dealt with, so that one on several paths counts once.
    seen: Vec<PathBuf>,
}

impl Found {
    fn admit(&mut self, loaded: Loaded) {
        let owner = match &loaded.door {
            Door::Static => LINKED.to_string(),
            Door::Dynamic { path, .. } => path.display().to_string(),
        };
        self.names.insert(loaded.plugin.info.name.clone(), owner);
        self.set.plugins.push(loaded);
    }

    /// Loads a library that `trust` lets pass; it returns the name the pin gives, if there is a pin.
    fn try_load(&mut self, path: &Path, isolation: Option<&Isolation>, trust: impl FnOnce(&Inspected) -> Result<Option<String>, Refusal>) {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        if self.seen.contains(&real) {
            return;
        }
        self.seen.push(real);
        match self.load(path, isolation, trust) {
            Ok(loaded) => self.admit(loaded),
            Err(why) => self.set.refused.push(Refused { path: path.to_path_buf(), why }),
        }
    }

    fn load(
        &self,
        path: &Path,
        isolation: Option<&Isolation>,
        trust: impl FnOnce(&Inspected) -> Result<Option<String>, Refusal>,
    ) -> Result<Loaded, Refusal> {
        let library = inspect(path)?;
        let expected = trust(&library)?.filter(|name| !name.is_empty());
        let plugin = open(&library, isolation)?;
        let name = &plugin.info.name;
        if let Some(expected) = expected.filter(|expected| expected != name) {
            return Err(Refusal::OtherName { expected, found: name.clone() });
        }
        if let Some(first) = self.names.get(name) {
            return Err(Refusal::Duplicate { name: name.clone(), first: first.clone(), path: library.path });
        }
        Ok(Loaded { plugin, door: Door::Dynamic { path: library.path, sha256: library.sha256, isolated: isolation.is_some() } })
    }
}

/// Opens a library that the caller decided to trust, in a process of its own if `isolation` says how.
///
/// # Errors
/// [`Refusal`] saying why it can't be opened.
pub fn open(library: &Inspected, isolation: Option<&Isolation>) -> Result<Plugin, Refusal> {
    match isolation {
        Some(isolation) => isolation::open(isolation, library),
        None => loader::open(library),
    }
}

/// The name under which a library is pinned.
fn pinned(library: &Inspected, pins: &[Pin]) -> Result<String, Refusal> {
    if let Some(pin) = pins.iter().find(|pin| pin.sha256.eq_ignore_ascii_case(&library.sha256)) {
        return Ok(pin.name.clone());
    }
    let (path, found) = (library.path.clone(), library.sha256.clone());
    match pins.iter().find(|pin| same_file(&pin.path, &library.path)) {
        Some(pin) => Err(Refusal::Changed { path, expected: pin.sha256.clone(), found }),
        None => Err(Refusal::Unpinned { path, found }),
    }
}

fn same_file(pinned: &Path, found: &Path) -> bool {
    if pinned.parent() == Some(Path::new("")) {
        return pinned.file_name() == found.file_name();
    }
    pinned.canonicalize().is_ok_and(|pinned| pinned == found)
}

fn is_library(path: &Path) -> bool {
    path.extension() == Some(OsStr::new(std::env::consts::DLL_EXTENSION)) && path.is_file()
}

/// Libraries directly inside a folder, sorted, so that no order of the file system matters.
fn libraries_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut libraries: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_library(path)).collect();
    libraries.sort();
    libraries
}

/// Plugins among the workspace's build outputs: crates named `zoo-*`, the newest file of each. Cargo leaves those it
/// builds as dependencies in `deps`; macro crates and what else lies there is passed over without a word.
fn build_outputs(folder: &Path) -> Vec<PathBuf> {
    let prefix = format!("{}zoo_", std::env::consts::DLL_PREFIX);
    let mut newest: BTreeMap<String, (std::time::SystemTime, PathBuf)> = BTreeMap::new();
    for library in [folder.to_path_buf(), folder.join("deps")].iter().flat_map(|folder| libraries_in(folder)) {
        let Some(name) = library.file_name().and_then(OsStr::to_str).filter(|name| name.starts_with(&prefix)) else { continue };
        let Ok(built) = library.metadata().and_then(|facts| facts.modified()) else { continue };
        if table_of(&library).is_err() || newest.get(name).is_some_and(|(known, _)| *known >= built) {
            continue;
        }
        newest.insert(name.into(), (built, library));
    }
    newest.into_values().map(|(_, path)| path).collect()
}

/// The pin of a library as it is now.
pub(super) fn pin_of(name: &str, path: &Path) -> std::io::Result<Pin> {
    Ok(Pin { name: name.into(), sha256: sha256_of(path)?, path: path.to_path_buf() })
}
