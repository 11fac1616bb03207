//! What each crate must not know, proven over `cargo tree`.

use std::collections::BTreeSet;
use std::process::Command;

/// Names of everything a package depends on, itself left out.
fn dependencies(package: &str, features: &[&str]) -> BTreeSet<String> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["tree", "--package", package, "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    // A shell may tell cargo to count the features that others ask for.
    command.env_remove("CARGO_RESOLVER_FEATURE_UNIFICATION");
    for feature in features {
        command.args(["--features", feature]);
    }
    let output = command.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("cargo prints UTF-8");
    text.lines().filter_map(|line| line.split(' ').next()).filter(|name| !name.is_empty() && *name != package).map(String::from).collect()
}

fn check(package: &str, forbidden: &[&str]) {
    let found = dependencies(package, &[]);
    let knows: Vec<_> = forbidden.iter().filter(|name| found.iter().any(|f| f == **name || f.starts_with(&format!("{name}-")))).collect();
    assert!(knows.is_empty(), "{package} must not know {knows:?}");
}

#[test]
fn the_core_knows_no_network_no_runtime_no_parser_of_arguments() {
    check(
        "zoo-core",
        &["ureq", "hf-hub", "clap", "toml", "ort", "tract", "burn", "prost", "zoo-formats", "zoo-host", "libloading", "tokio"],
    );
}

#[test]
fn the_core_is_light() {
    let direct = dependencies("zoo-core", &[]);
    assert!(direct.len() <= 40, "{} dependencies: {direct:?}", direct.len());
}

#[test]
fn formats_know_neither_the_host_nor_a_runtime() {
    check("zoo-formats", &["ureq", "hf-hub", "clap", "ort", "tract", "burn", "zoo-host", "libloading"]);
}

#[test]
fn the_host_knows_no_plugin_and_no_runtime() {
    check("zoo-host", &["clap", "ort", "tract", "burn", "zoo-train", "zoo-backend", "zoo-data", "zoo-snn"]);
}

#[test]
fn training_stays_out_of_the_first_build() {
    assert!(!dependencies("xtask", &[]).iter().any(|name| name.starts_with("burn")));
    assert!(dependencies("xtask", &["train"]).contains("burn"), "the feature brings the engine in");
}

/// Only the host fetches, and no plugin imports the host or another plugin's inside.
#[test]
fn plugins_know_neither_the_host_nor_each_other() {
    let plugins = plugin_packages();
    assert!(!plugins.is_empty());
    for plugin in &plugins {
        let found = dependencies(plugin, &[]);
        for other in plugins.iter().map(String::as_str).chain(["zoo-host", "hf-hub", "clap"]) {
            assert!(other == plugin || !found.contains(other), "{plugin} must not know {other}");
        }
    }
}

/// Packages under `plugins/`.
fn plugin_packages() -> Vec<String> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins");
    let mut names = Vec::new();
    for kind in std::fs::read_dir(root).expect("plugins/ is there").flatten() {
        for room in std::fs::read_dir(kind.path()).into_iter().flatten().flatten() {
            let Ok(manifest) = std::fs::read_to_string(room.path().join("Cargo.toml")) else { continue };
            let name = manifest.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
            names.extend(name.map(String::from));
        }
    }
    names.sort();
    names
}
