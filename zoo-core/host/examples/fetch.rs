//! Fetches data sets of a registry and prints where their files are: `fetch REGISTRY NAME...`.

use std::path::Path;
use zoo_core::{Level, Reporter};
use zoo_host::Result;
use zoo_host::fetch::{FetchOptions, Fetcher};
use zoo_host::registry::Registry;

struct Plain;

impl Reporter for Plain {
    fn log(&self, level: Level, target: &str, message: &str) {
        eprintln!("{level:?} {target}: {message}");
    }

    fn progress(&self, _: &str, _: u64, _: Option<u64>, _: &str) {}

    fn cancelled(&self) -> bool {
        false
    }
}

fn run() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let registry = args.next().unwrap_or_else(|| "registry.toml".into());
    let registry = Registry::load(Path::new(&registry))?;
    let fetcher = Fetcher::new(FetchOptions::from_env()?)?;
    for name in args {
        let files = fetcher.dataset(registry.dataset(&name)?, &Plain)?;
        for (name, path) in &files.0 {
            println!("{name}\t{}", path.display());
        }
    }
    Ok(())
}

fn main() {
    if let Err(error) = run() {
        eprintln!("error: {error}");
        std::process::exit(3);
    }
}
