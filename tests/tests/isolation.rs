//! The command line with a plugin that crashes, exits, hangs and takes all memory.

use assert_cmd::Command;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);

fn folder() -> PathBuf {
    std::env::current_exe().expect("a test has a path").ancestors().nth(2).expect("target/release/deps").to_path_buf()
}

/// The library of the bad plugin, which a build of the workspace leaves beside this test.
fn library() -> Option<PathBuf> {
    let found =
        ["deps/libfixture_faulty.so", "libfixture_faulty.so"].map(|file| folder().join(file)).into_iter().find(|path| path.is_file());
    if found.is_none() {
        println!("skipped: no libfixture_faulty.so (build the workspace)");
    }
    found
}

/// A folder with an empty registry, and the arguments that evaluate models of the bad plugin by it.
fn arguments(library: &Path, models: &[&str]) -> (tempfile::TempDir, Vec<String>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = folder.path().join("registry.toml");
    std::fs::write(&registry, "schema = 1\n").expect("a small file");
    let text = |path: &Path| path.display().to_string();
    let mut arguments = vec!["fetch-and-eval".to_string()];
    arguments.extend(models.iter().map(|model| format!("faulty/{model}")));
    arguments.extend(["--json".into(), "-".into(), "--trust".into(), text(library), "--registry".into(), text(&registry)]);
    (folder, arguments)
}

#[test]
fn each_fault_ends_its_own_run_and_the_others_are_measured() {
    let Some(library) = library() else { return };
    let (folder, arguments) = arguments(&library, &["segfault", "fine", "abort", "exit", "loop", "memory", "prints"]);
    let mut command = Command::new(self::folder().join("xtask"));
    command.args(arguments).env("ZOO_CACHE", folder.path()).env("ZOO_PLUGIN_SECONDS", "1").env_remove("ZOO_PLUGIN_MEMORY");
    let output = command.assert().code(3).get_output().clone();
    let said = String::from_utf8_lossy(&output.stderr);
    for (model, fault) in [
        ("segfault", "signal 11 (SIGSEGV"),
        ("abort", "signal 6 (SIGABRT"),
        ("exit", "exited with status 0"),
        ("loop", "for 1 s and was ended"),
        ("memory", "memory limit of 8GiB"),
    ] {
        let line =
            said.lines().find(|line| line.starts_with(&format!("warning: faulty/{model} on faulty: "))).unwrap_or_else(|| panic!("{said}"));
        assert!(line.contains("plugin fixture-faulty: prediction: ") && line.contains(fault), "{line}");
    }
    assert!(said.contains("5 of 7 runs failed"), "{said}");
    // What the plugin prints is no part of the result.
    assert!(said.contains("not the result"), "{said}");
    let results: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON and nothing else");
    let runs = results["runs"].as_array().expect("runs");
    let found: Vec<_> = runs.iter().map(|run| (run["model"].as_str(), run["metrics"]["accuracy"]["value"].as_f64())).collect();
    assert_eq!(found, [(Some("faulty/fine"), Some(100.0)), (Some("faulty/prints"), Some(100.0))]);
    assert!(runs.iter().all(|run| run["plugin"]["door"] == "dynamic" && run["plugin"]["isolated"] == true), "{results}");
}

#[test]
fn isolation_can_be_switched_off_and_limits_are_checked() {
    let Some(library) = library() else { return };
    let (folder, mut arguments) = arguments(&library, &["fine"]);
    let here = |more: &[String]| {
        let mut command = Command::new(self::folder().join("xtask"));
        command.args(more).env("ZOO_CACHE", folder.path());
        command
    };
    let wrong = here(&arguments).env("ZOO_PLUGIN_MEMORY", "8").assert().code(2).get_output().stderr.clone();
    assert!(String::from_utf8_lossy(&wrong).contains("ZOO_PLUGIN_MEMORY: expected a size"), "{wrong:?}");
    // A small limit is enough for a small plugin, whatever this program holds itself.
    here(&arguments).env("ZOO_PLUGIN_MEMORY", "64MiB").assert().success();
    arguments.push("--no-isolate".into());
    let output = here(&arguments).assert().success().get_output().stdout.clone();
    let results: serde_json::Value = serde_json::from_slice(&output).expect("JSON");
    assert_eq!(results["runs"][0]["plugin"]["isolated"], false);
}

/// The command, looping in the plugin, and the process of the plugin.
fn looping(library: &Path) -> (tempfile::TempDir, Child, u32) {
    let (folder, arguments) = arguments(library, &["loop"]);
    let mut command = std::process::Command::new(self::folder().join("xtask"));
    command.args(arguments).env("ZOO_CACHE", folder.path()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut host = command.spawn().expect("it starts");
    let stderr = BufReader::new(host.stderr.take().expect("a pipe"));
    let started = stderr.lines().map_while(Result::ok).find(|line| line.contains("faulty/loop on faulty"));
    assert!(started.is_some(), "the run begins");
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", host.id())).expect("children are listed");
    let child = children.split_whitespace().next().expect("the plugin has a process").parse().expect("a number");
    (folder, host, child)
}

fn signal(name: &str, process: u32) {
    assert!(std::process::Command::new("kill").args([name, &process.to_string()]).status().expect("kill runs").success());
}

fn ended(host: &mut Child) -> ExitStatus {
    host.wait().expect("it ends")
}

/// Waits until a process is gone, or dead and left for whoever adopted it.
fn gone(process: u32) {
    let since = Instant::now();
    loop {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        if status.is_empty() || status.contains("State:\tZ") {
            return;
        }
        assert!(since.elapsed() < PATIENCE, "process {process} lives on: {status}");
        std::thread::yield_now();
    }
}

#[test]
fn the_process_of_a_plugin_dies_with_a_killed_host() {
    let Some(library) = library() else { return };
    let (_folder, mut host, child) = looping(&library);
    signal("-KILL", host.id());
    ended(&mut host);
    gone(child);
}

#[test]
fn ctrl_c_ends_a_plugin_that_does_not_listen() {
    let Some(library) = library() else { return };
    let (_folder, mut host, child) = looping(&library);
    signal("-INT", host.id());
    assert_eq!(ended(&mut host).code(), Some(130));
    gone(child);
}
