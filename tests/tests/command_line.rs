//! The command line's contract: exit status, what goes to stdout, errors that help.

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_path_buf()
}

/// The binary that `cargo xtask` runs; built by the same command that built this test.
fn xtask() -> Command {
    let binary = std::env::current_exe().expect("a test has a path").ancestors().nth(2).expect("target/release/deps").join("xtask");
    let mut command = Command::new(binary);
    command.current_dir(root());
    command
}

#[test]
fn wrong_use_ends_with_2() {
    xtask().arg("no-such-command").assert().code(2).stdout("");
    xtask().args(["fetch-and-eval", "--shard", "3/2"]).assert().code(2).stderr(contains("I/N"));
    xtask().args(["fetch-and-eval", "--device", "tpu"]).assert().code(2).stderr(contains("cpu, cuda or cuda:N"));
}

#[test]
fn an_unknown_model_suggests_the_nearest_name() {
    xtask().args(["info", "snn-calibration/vgg-mini-mnits"]).assert().code(2).stderr(contains("snn-calibration/vgg-mini-mnist"));
}

#[test]
fn an_unknown_backend_suggests_the_nearest_name() {
    let arguments = ["fetch-and-eval", "snn-calibration/vgg-mini-mnist", "--backend", "trakt"];
    xtask().args(arguments).assert().code(2).stdout("").stderr(contains("tract"));
}

#[test]
fn a_folder_without_a_registry_is_named() {
    let empty = tempfile::tempdir().expect("a temporary folder");
    xtask().current_dir(empty.path()).arg("list").assert().code(2).stderr(contains("registry.toml"));
}

#[test]
fn a_malformed_registry_is_shown_with_line_and_column() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("registry.toml");
    std::fs::write(&path, "schema = 1\n[[model]]\nname = 7\n").expect("a small file");
    xtask().arg("list").arg("--registry").arg(&path).assert().code(2).stderr(contains("registry.toml").and(contains("3")));
}

#[test]
fn lists_are_json_arrays_on_request() {
    for what in ["models", "datasets", "backends", "plugins"] {
        let output = xtask().args(["list", what, "--json"]).output().expect("it runs");
        let rows: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert!(rows.iter().all(|row| row["name"].is_string()), "{what}: {rows:?}");
    }
    let output = xtask().args(["list", "models", "--json"]).output().expect("it runs");
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).expect("an array");
    for key in ["name", "plugin", "dataset", "backends", "artifact_kinds"] {
        assert!(rows.iter().all(|row| !row[key].is_null()), "{key}");
    }
}

#[test]
fn offline_without_a_cache_ends_with_3_and_says_what_to_do() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let mut command = xtask();
    command.env("ZOO_CACHE", cache.path()).env("ZOO_DATA", cache.path().join("none"));
    command.args(["fetch-and-eval", "snn-calibration/vgg-mini-mnist-ann", "--offline"]);
    command.assert().code(3).stdout("").stderr(contains("t10k-images-idx3-ubyte"));
}

#[test]
fn help_teaches() {
    xtask().args(["fetch-and-eval", "--help"]).assert().success().stdout(contains("Examples").and(contains("--claims")));
}
