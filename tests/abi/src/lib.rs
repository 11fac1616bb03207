//! Support for the tests of the plugin ABI: the generated header, C plugins, and something to drive plugins with.

mod bench;
mod cc;
mod header;
mod script;

pub use bench::TestBench;
pub use cc::{Library, compile};
pub use header::{generate, include_dir};
pub use script::transcript;

use std::path::PathBuf;

/// The library of a fixture crate, which Cargo builds beside the running test or example.
///
/// # Panics
/// If it is not there.
pub fn fixture(name: &str) -> PathBuf {
    let me = std::env::current_exe().expect("the running program has a path");
    let file = format!("{}fixture_{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let places: Vec<_> = me.ancestors().skip(1).take(2).flat_map(|dir| [dir.join(&file), dir.join("deps").join(&file)]).collect();
    places.iter().find(|path| path.is_file()).unwrap_or_else(|| panic!("{file} is in none of {places:?}")).clone()
}
