//! The command line's contract: exit status, what goes to stdout, errors that help.

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use std::path::Path;
use zoo_tests::{Digits, digits, root, xtask};

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
    for key in ["name", "plugin", "backends", "artifact_kinds"] {
        assert!(rows.iter().all(|row| !row[key].is_null()), "{key}");
    }
    // A model that is imported as a file may have no data set; what is not known is absent.
    assert!(rows.iter().all(|row| row.get("dataset").is_none_or(serde_json::Value::is_string)));
    assert!(rows.iter().any(|row| row.get("dataset").is_some()));
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

/// The commands of the chapter "Write a plugin", as they stand there, in a copy of what they need of a checkout.
#[test]
#[cfg(target_os = "linux")]
fn a_plugin_of_ones_own_is_evaluated_as_the_chapter_says() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (checkout, bin) = (folder.path().join("zoo"), folder.path().join("bin"));
    std::fs::create_dir_all(&checkout).expect("a folder");
    std::fs::create_dir_all(&bin).expect("a folder");
    std::fs::write(checkout.join("registry.toml"), "schema = 1\n").expect("a small file");
    for part in ["zoo-core", "Cargo.lock"] {
        std::os::unix::fs::symlink(root().join(part), checkout.join(part)).expect("a link");
    }
    // `cargo xtask` is the binary under test; the rest of cargo is cargo.
    let wrapper = format!(
        "#!/bin/sh\nif [ \"$1\" = xtask ]; then shift; exec {:?} \"$@\"; fi\nexec {:?} \"$@\"\n",
        xtask().get_program(),
        std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
    );
    let cargo = bin.join("cargo");
    std::fs::write(&cargo, wrapper).expect("a small file");
    assert!(std::process::Command::new("chmod").arg("+x").arg(&cargo).status().expect("chmod runs").success());
    let chapter = std::fs::read_to_string(root().join("docs/src/plugins.md")).expect("the chapter");
    let block = |fence: &str| {
        let body = chapter.split_once(&format!("```{fence}\n")).expect("the block").1;
        body.split_once("```").expect("its end").0.to_string()
    };
    let path = std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())));
    for commands in [block("sh"), block("sh,end-to-end")] {
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", &commands]).current_dir(&checkout).env("PATH", path.as_ref().expect("a path"));
        for name in ["CARGO_TARGET_DIR", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "ZOO_PLUGIN_PATH"] {
            shell.env_remove(name);
        }
        let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("authors");
        shell.env("ZOO_HOME", folder.path()).env("CARGO_NET_OFFLINE", "true").env("CARGO_BUILD_BUILD_DIR", shared);
        let said = shell.assert().success().get_output().stdout.clone();
        let said = String::from_utf8_lossy(&said).into_owned();
        if commands.contains("fetch-and-eval") {
            assert!(said.contains("my-model/linear") && said.contains("93.75 %"), "{said}");
        }
    }
}

/// A library that ends the process as soon as it is opened.
#[test]
#[cfg(target_os = "linux")]
fn a_library_that_ends_its_process_fails_verification() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, statement) in [("leaves", "_exit(0)"), ("crashes", "*(volatile int *)0 = 0")] {
        let source = folder.path().join(format!("{name}.c"));
        let library = folder.path().join(format!("lib{name}.so"));
        let code = format!(
            "#include <unistd.h>\nint zoo_plugin_table;\n__attribute__((constructor)) static void opened(void) {{ {statement}; }}\n"
        );
        std::fs::write(&source, code).expect("a small file");
        assert!(
            std::process::Command::new("cc")
                .args(["-shared", "-fPIC", "-o"])
                .arg(&library)
                .arg(&source)
                .status()
                .expect("cc runs")
                .success()
        );
        xtask().args(["plugin", "verify"]).arg(&library).assert().code(1).stdout(contains("ended the process it ran in"));
    }
}

#[test]
fn every_door_gives_the_same_results() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = digits(folder.path(), Digits::Spiking);
    let mut results = Vec::new();
    for (door, isolate) in [("static", None), ("dynamic", None), ("dynamic", Some("--isolate"))] {
        let mut command = xtask();
        command
            .args(["fetch-and-eval", "paper/digits", "--backend", "all", "--json", "-", "--door", door])
            .args(isolate)
            .arg("--registry")
            .arg(&registry);
        let output = command.env("ZOO_DATA", folder.path()).env("ZOO_CACHE", folder.path().join("cache")).assert().success();
        let mut found: serde_json::Value = serde_json::from_slice(&output.get_output().stdout).expect("JSON on stdout");
        for run in found["runs"].as_array_mut().expect("runs") {
            assert_eq!(run["plugin"]["door"], door, "cargo builds the plugins' libraries beside the tests");
            assert_eq!(
                run["plugin"].get("isolated").and_then(serde_json::Value::as_bool),
                (door == "dynamic").then_some(isolate.is_some())
            );
            let fields = run.as_object_mut().expect("a run");
            fields.remove("plugin");
            fields.remove("timing");
        }
        results.push(found["runs"].take());
    }
    assert_eq!(results[0].as_array().map(Vec::len), Some(2));
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2], "a process of its own changes no bit");
}

#[test]
fn events_are_json_lines_that_count_to_their_total() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = digits(folder.path(), Digits::Spiking);
    let mut command = xtask();
    command.args(["fetch-and-eval", "paper/digits", "--backend", "tract", "--json", "-", "--events", "--registry"]).arg(&registry);
    let output = command.env("ZOO_DATA", folder.path()).env("ZOO_CACHE", folder.path().join("cache")).assert().success();
    let said = String::from_utf8(output.get_output().stderr.clone()).expect("text");
    let events: Vec<serde_json::Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect();
    assert!(events.iter().any(|e| e["event"] == "log" && e["message"].as_str().is_some_and(|m| m.contains("paper/digits"))), "{said}");
    let evaluated: Vec<_> = events.iter().filter(|e| e["event"] == "progress" && e["task"] == "evaluate").collect();
    let last = evaluated.last().expect("progress of the evaluation");
    assert_eq!((&last["done"], &last["total"]), (&40.into(), &40.into()), "{said}");
    assert!(evaluated.is_sorted_by_key(|e| e["done"].as_u64()), "{said}");
}

#[test]
fn the_tasks_of_a_slurm_array_join_to_the_single_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = digits(folder.path(), Digits::Spiking);
    let evaluate = ["fetch-and-eval", "paper/digits", "--backend", "events", "--registry"];
    let here = |command: &mut Command| {
        command.env("ZOO_DATA", folder.path()).env("ZOO_CACHE", folder.path().join("cache")).assert().success().get_output().stdout.clone()
    };
    let whole = here(xtask().args(evaluate).arg(&registry).args(["--json", "-"]));
    let script = root().join("deploy/slurm-array.sh");
    let mut shards = Vec::new();
    // The array 5-7: shards are counted from the first task.
    for task in 5..=7 {
        let mut command = Command::new("bash");
        command.current_dir(root()).arg(&script).arg("paper/digits").args(["--backend", "events", "--registry"]).arg(&registry);
        command.env("ZOO", xtask().get_program()).env("RESULTS", folder.path().join("results"));
        command.envs([("SLURM_ARRAY_TASK_ID", task.to_string()), ("SLURM_ARRAY_TASK_COUNT", 3.to_string())]);
        here(command.env("SLURM_ARRAY_TASK_MIN", "5"));
        shards.push(folder.path().join(format!("results/shard-{}.json", task - 4)));
    }
    let joined = here(xtask().arg("merge").args(&shards).arg("--registry").arg(&registry));
    let of = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).expect("JSON")["runs"][0].clone();
    let (whole, mut joined) = (of(&whole), of(&joined));
    assert_eq!(joined["n"], 40);
    // What is joined keeps its counts, so that it can be joined again.
    let state = joined["metrics"]["accuracy"].as_object_mut().and_then(|metric| metric.remove("state"));
    assert_eq!(state, Some(serde_json::json!([4, 40])));
    assert_eq!(joined["metrics"], whole["metrics"]);
    Command::new("bash").arg(&script).env_remove("SLURM_ARRAY_TASK_ID").assert().failure().stderr(contains("--array=1-N"));
}

#[test]
fn the_book_has_every_command_as_it_is() {
    let output = xtask().arg("reference").output().expect("it runs");
    assert!(output.status.success());
    let written = std::fs::read_to_string(root().join("docs/src/commands.md")).expect("docs/src/commands.md");
    let now = String::from_utf8(output.stdout).expect("text");
    assert!(now == written, "docs/src/commands.md is old: cargo xtask reference > docs/src/commands.md");
}
