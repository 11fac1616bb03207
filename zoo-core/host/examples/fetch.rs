//! Fetches data sets of a registry and prints where their files are: `fetch [--progress] REGISTRY NAME...`.

use std::path::Path;
use zoo_core::{Level, Reporter};
use zoo_host::Result;
use zoo_host::fetch::{FetchOptions, Fetcher};
use zoo_host::registry::Registry;

struct Plain {
    progress: bool,
}

impl Reporter for Plain {
    fn log(&self, level: Level, target: &str, message: &str) {
        eprintln!("{level:?} {target}: {message}");
    }

    fn progress(&self, task: &str, done: u64, total: Option<u64>, unit: &str) {
        if self.progress {
            let total = total.map_or_else(|| "?".into(), |t| t.to_string());
            eprintln!("progress {done}/{total} {unit} {task}");
        }
    }

    fn cancelled(&self) -> bool {
        false
    }
}

fn run() -> Result<()> {
    let mut args = std::env::args().skip(1).peekable();
    let reporter = Plain { progress: args.next_if(|a| a == "--progress").is_some() };
    let registry = args.next().unwrap_or_else(|| "registry.toml".into());
    let registry = Registry::load(Path::new(&registry))?;
    let fetcher = Fetcher::new(FetchOptions::from_env()?)?;
    for name in args {
        let files = fetcher.dataset(registry.dataset(&name)?, &reporter)?;
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
