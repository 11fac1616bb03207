//! Caches, registries and a listener for fetching from the loopback hub.
#![allow(unreachable_pub)]

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;
use zoo_core::{Level, Reporter};
use zoo_host::fetch::{FetchOptions, Fetcher, Token};
use zoo_host::registry::{DatasetEntry, Registry};
#[allow(unused_imports, reason = "each test takes what it needs")]
pub use zoo_test_support::hub::{REVISION, Reply, Request, Server, noise, sum};

/// Keeps what it is told; stops once `stop_at` bytes are there.
#[derive(Default)]
pub struct Heard {
    pub lines: Mutex<Vec<String>>,
    pub most: Mutex<u64>,
    pub stop_at: Option<u64>,
}

impl Reporter for Heard {
    fn log(&self, level: Level, _: &str, message: &str) {
        self.lines.lock().unwrap().push(format!("{level:?}: {message}"));
    }

    fn progress(&self, _: &str, done: u64, _: Option<u64>, _: &str) {
        let mut most = self.most.lock().unwrap();
        *most = done.max(*most);
    }

    fn cancelled(&self) -> bool {
        self.stop_at.is_some_and(|stop| *self.most.lock().unwrap() >= stop)
    }
}

/// Caches in a folder of their own, which goes with this.
pub struct Place {
    pub folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn options(&self, endpoint: &str) -> FetchOptions {
        FetchOptions {
            cache: self.path("cache"),
            data: Some(self.path("data")),
            hub_cache: Some(self.path("hub")),
            hub_endpoint: endpoint.into(),
            hub_token: None,
            timeout: Duration::from_secs(60),
            offline: false,
            full_check: false,
        }
    }

    pub fn fetcher(&self, endpoint: &str) -> Fetcher {
        Fetcher::new(self.options(endpoint)).unwrap()
    }

    pub fn with_token(&self, endpoint: &str, token: &str) -> Fetcher {
        Fetcher::new(FetchOptions { hub_token: Some(Token::new(token)), ..self.options(endpoint) }).unwrap()
    }

    /// Files in the cache of verified blobs, markers apart.
    pub fn blobs(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path("cache/blobs/sha256")) else { return Vec::new() };
        let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
        names.filter(|n| !n.ends_with(".ok")).collect()
    }
}

/// Text of a registry with one data set of one file from the hub: a Parquet file of an image data set.
pub fn hub_registry(content: &[u8]) -> String {
    format!(
        "schema = 1\n[[dataset]]\nname = \"pictures\"\nplugin = \"vision\"\nlicence = \"MIT\"\nfiles = [{{ name = \"test.parquet\", \
         bytes = {}, sha256 = \"{}\" }}]\nsources = [{{ hub = \"datasets/own/pictures\", revision = \"{REVISION}\", path = \"data\" }}]\n",
        content.len(),
        sum(content)
    )
}

pub fn entry(registry: &str) -> DatasetEntry {
    let registry = Registry::parse(registry, Path::new("registry.toml")).unwrap_or_else(|e| panic!("{e}"));
    registry.datasets()[0].clone()
}

/// The example `fetch`, which cargo builds beside the tests.
pub fn program() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let path = here.ancestors().nth(2).unwrap().join("examples/fetch");
    assert!(path.is_file(), "expected the example `fetch` at {}; build it with `cargo build --examples`", path.display());
    path
}
