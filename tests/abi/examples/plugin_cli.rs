//! `plugin new|verify|trust|list` on the host's library alone, for tests that must not wait for the whole command line.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use zoo_core::{Error, Result};
use zoo_host::plugins::{Kind, Pin, Prefer, Search, discover, scaffold, trust, verify};
use zoo_host::registry::Registry;
use zoo_host::zoo::Door;

const REGISTRY: &str = "registry.toml";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[&str]) -> Result<bool> {
    match arguments {
        ["plugin", "new", name, "--kind", kind] => {
            for file in scaffold(kind.parse::<Kind>()?, name, &Path::new("..").join(name))? {
                println!("{}", file.display());
            }
            Ok(true)
        }
        ["plugin", "verify", path] => {
            let report = verify(Path::new(path));
            println!("{report}");
            Ok(report.passed())
        }
        ["plugin", "trust", path] => {
            let pin = trust(Path::new(path), Path::new(REGISTRY), None)?;
            println!("{} {}", pin.name, pin.sha256);
            Ok(true)
        }
        ["plugin", "list"] => {
            list()?;
            Ok(true)
        }
        other => Err(Error::argument("arguments", "plugin new|verify|trust|list", format!("{other:?}"))),
    }
}

fn list() -> Result<()> {
    let text = std::fs::read_to_string(REGISTRY).map_err(Error::io(REGISTRY))?;
    let registry = Registry::parse(&text, Path::new(REGISTRY)).map_err(|e| Error::argument("registry", "a registry", e))?;
    let pin = |entry: &zoo_host::registry::PluginEntry| Pin {
        name: entry.name.clone(),
        sha256: entry.sha256.to_string(),
        path: PathBuf::from(&entry.path),
    };
    let found = discover(&Search::from_env(None), &registry.plugins().iter().map(pin).collect::<Vec<_>>(), Prefer::Static);
    for loaded in found.plugins {
        if let Door::Dynamic { path, sha256, .. } = loaded.door {
            println!("{} {} dynamic {sha256} {}", loaded.plugin.info.name, loaded.plugin.info.version, path.display());
        }
    }
    for refused in found.refused {
        println!("refused {}: {}", refused.path.display(), refused.why);
    }
    Ok(())
}
