//! Loading C plugins.
#![allow(dead_code, reason = "each test file uses a part")]

use std::path::Path;
use zoo_abi_tests::{Library, compile, include_dir};
use zoo_core::Plugin;
use zoo_host::plugins::{Pin, Prefer, Refusal, Search, discover, sha256_of};
use zoo_host::zoo::Door;

/// The C plugin of the tests, built to break the rules that the macros name.
pub fn c_plugin(macros: &[&str]) -> Library {
    compile(&Path::new(env!("CARGO_MANIFEST_DIR")).join("c/plugin.c"), &include_dir(), macros, &[])
}

/// A pin of a file as it is now, for any name.
pub fn pin(path: &Path) -> Pin {
    Pin { name: String::new(), sha256: sha256_of(path).unwrap(), path: path.into() }
}

/// Why a library is refused although it is trusted.
#[track_caller]
pub fn refusal(path: &Path) -> Refusal {
    let search = Search { trusted: vec![path.into()], ..Search::default() };
    discover(&search, &[], Prefer::Static).refused.pop().expect("it is refused").why
}

/// Loads a library.
#[track_caller]
pub fn load(path: &Path) -> Plugin {
    let search = Search { trusted: vec![path.into()], ..Search::default() };
    let mut found = discover(&search, &[], Prefer::Static);
    if let Some(refused) = found.refused.pop() {
        panic!("{}", refused.why);
    }
    let dynamic = found.plugins.into_iter().find(|loaded| matches!(loaded.door, Door::Dynamic { .. }));
    dynamic.expect("it is loaded").plugin
}
