//! Plugins in processes of their own: the same as in this one, and no fault of theirs is ours.

#![cfg(target_os = "linux")]

mod common;

use common::c_plugin;
use std::path::Path;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;
use zoo_abi_tests::{fixture, transcript};
use zoo_core::serde_json::json;
use zoo_core::{
    Artifact, ArtifactKind, Batch, Config, DataFiles, Dataset, Device, Error, Level, Options, Plugin, Reporter, Session, Tensor,
};
use zoo_host::isolation::{Isolation, Limits};
use zoo_host::plugins::{Isolate, Prefer, Search, discover, inspect, open, set_reporter, trust};
use zoo_host::zoo::Door;

fn isolation(limits: Limits) -> Isolation {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| assert!(set_reporter(Box::new(Lines), Level::Trace)));
    Isolation { program: env!("CARGO_BIN_EXE_zoo-isolated").into(), arguments: Vec::new(), limits }
}

#[track_caller]
fn isolated_within(path: &Path, limits: Limits) -> Plugin {
    open(&inspect(path).unwrap(), Some(&isolation(limits))).unwrap_or_else(|why| panic!("{why}"))
}

#[track_caller]
fn isolated(path: &Path) -> Plugin {
    isolated_within(path, Limits::default())
}

fn compile(plugin: &Plugin, fault: &str) -> Box<dyn Session> {
    let artifact = Artifact::single(ArtifactKind::Safetensors, fault, "m.bin", &b"any"[..]);
    plugin.backends[0].compile(&artifact, &Device::Cpu, &Options::default()).unwrap()
}

fn data(plugin: &Plugin, fault: &str) -> Box<dyn Dataset> {
    let config = Config::new(json!({"fault": fault}));
    plugin.datasets[0].open("faulty-points", "test", &DataFiles::default(), &config).unwrap()
}

fn pair() -> Tensor {
    Tensor::from_vec([1, 2], vec![0.25f32, -1.0]).unwrap()
}

/// What a backend that commits `fault` says in the run of a session, after which the plugin serves again.
#[track_caller]
fn run_of(fault: &str, limits: Limits) -> String {
    let plugin = isolated_within(&fixture("faulty"), limits);
    let (mut doomed, mut other) = (compile(&plugin, fault), compile(&plugin, ""));
    assert_eq!(other.run(&[pair()]).unwrap(), [pair()]);
    let error = doomed.run(&[pair()]).unwrap_err();
    assert!(matches!(error, Error::Plugin { .. }), "{error:?}");
    // What lived in the process is gone with it, and says so; what is asked of the plugin anew starts a new one.
    let gone = other.run(&[pair()]).unwrap_err().to_string();
    assert!(gone.contains("run of a session: after an earlier call"), "{gone}");
    assert_eq!(compile(&plugin, "").run(&[pair()]).unwrap(), [pair()]);
    error.to_string()
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    parts.iter().for_each(|part| assert!(text.contains(part), "`{part}` is not in: {text}"));
}

#[test]
fn a_script_of_calls_gives_the_same_from_another_process() {
    let (apart, direct) = (transcript(&isolated(&fixture("good"))), transcript(&fixture_good::zoo_plugin()));
    for (found, expected) in apart.lines().zip(direct.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(apart.lines().count(), direct.lines().count());
}

#[test]
fn a_memory_error() {
    says(&run_of("segfault", Limits::default()), &["plugin fixture-faulty: run of a session: ", "signal 11 (SIGSEGV"]);
}

#[test]
fn an_abort() {
    says(&run_of("abort", Limits::default()), &["run of a session", "signal 6 (SIGABRT"]);
}

#[test]
fn an_exit() {
    says(&run_of("exit", Limits::default()), &["run of a session", "exited with status 0 instead of answering"]);
}

#[test]
fn an_endless_loop() {
    let limits = Limits { silence: Duration::from_secs(1), ..Limits::default() };
    says(&run_of("loop", limits), &["run of a session", "neither answered nor called back for 1 s", "ZOO_PLUGIN_SECONDS=2"]);
}

#[test]
fn more_memory_than_allowed() {
    says(
        &run_of("memory", Limits::default()),
        &["run of a session", "memory limit of 8GiB", "10737418240 bytes", "ZOO_PLUGIN_MEMORY=16GiB"],
    );
}

#[test]
fn nonsense_on_the_hosts_sockets() {
    says(&run_of("babbles", Limits::default()), &["run of a session", "broke the protocol"]);
}

#[test]
fn a_data_set_and_a_model_end_as_typed_errors_too() {
    let plugin = isolated(&fixture("faulty"));
    says(&data(&plugin, "segfault").get(0).unwrap_err().to_string(), &["item of a data set", "SIGSEGV"]);
    says(&data(&plugin, "exit").batch(0..2).unwrap_err().to_string(), &["batch of a data set", "exited with status 0"]);
    let fine = data(&plugin, "");
    let features: Arc<[_]> = fine.info().features.clone().into();
    let batch = Batch::read(fine.as_ref(), &features, 0..4).unwrap();
    let direct = open(&inspect(&fixture("faulty")).unwrap(), None).unwrap_or_else(|why| panic!("{why}"));
    for model in &plugin.models {
        // The session is one of this process: the plugin runs it over its own lane.
        let mut session = compile(&direct, "");
        let predicted = match model.card().name.as_str() {
            "fine" | "prints" => {
                model.predict(session.as_mut(), &batch).map(|prediction| assert_eq!(prediction.outputs[0].1, batch.fields()[0]))
            }
            "segfault" | "abort" | "exit" => {
                says(&model.predict(session.as_mut(), &batch).unwrap_err().to_string(), &["prediction", "process"]);
                Ok(())
            }
            _ => Ok(()),
        };
        predicted.unwrap();
    }
}

#[test]
fn what_a_crashing_plugin_started_ends_with_it() {
    let error = run_of("leaves a child", Limits::default());
    let pid: u32 = error.split("child ").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    // Killed; whoever adopted it may not have collected it yet.
    assert!(status.is_empty() || status.contains("State:\tZ") || status.contains("State:\tX"), "{status}");
}

/// Keeps log lines.
struct Lines;

static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl Reporter for Lines {
    fn log(&self, level: Level, target: &str, message: &str) {
        SAID.lock().unwrap().push(format!("{level:?} {target}: {message}"));
    }

    fn progress(&self, _: &str, _: u64, _: Option<u64>, _: &str) {}

    fn cancelled(&self) -> bool {
        false
    }
}

#[test]
fn what_a_plugin_prints_and_logs_reaches_the_log() {
    let plugin = isolated(&fixture("faulty"));
    let mut session = compile(&plugin, "prints");
    session.run(&[pair()]).unwrap();
    // Log lines come with the call; what is printed goes another way, whose end is the process's.
    assert!(
        SAID.lock().unwrap().iter().any(|line| line.starts_with("Warn fixture_faulty") && line.ends_with("in the log")),
        "{:?}",
        SAID.lock()
    );
    let doomed = compile(&plugin, "abort").run(&[pair()]).unwrap_err().to_string();
    says(&doomed, &["its last words: {\"schema\":\"not the result\"} / on stderr"]);
}

#[test]
fn a_c_plugin_and_threads() {
    let plugin = isolated(&c_plugin(&["ONE_THREAD"]).path);
    let dataset = plugin.datasets[0].open("numbers", "test", &DataFiles::default(), &Config::default()).unwrap();
    assert_eq!(dataset.get(3).unwrap(), [Tensor::from_vec([2], vec![3.0f32, 1.0]).unwrap()]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..200).for_each(|i| drop(dataset.get(i % 4).unwrap())));
        }
    });
}

#[test]
fn tensors_larger_than_the_first_arena_cross_both_ways() {
    let plugin = isolated(&fixture("faulty"));
    let mut session = compile(&plugin, "");
    for rows in [1, 1_000_003, 3, 0] {
        let values: Vec<f32> = (0..rows * 2).map(|i| i as f32).collect();
        let tensor = Tensor::from_vec([rows, 2], values).unwrap();
        assert_eq!(session.run(std::slice::from_ref(&tensor)).unwrap(), [tensor]);
    }
}

#[test]
fn a_library_that_is_no_plugin_or_does_not_start_is_refused() {
    let why = open(&inspect(&c_plugin(&["BAD_MAGIC"]).path).unwrap(), Some(&isolation(Limits::default()))).err().unwrap();
    assert!(why.to_string().contains("wrong magic number"), "{why}");
    let nobody = Isolation { program: "/no/such/program".into(), ..isolation(Limits::default()) };
    let why = open(&inspect(&fixture("good")).unwrap(), Some(&nobody)).err().unwrap();
    assert!(why.to_string().contains("/no/such/program"), "{why}");
    // A program that does not speak the protocol is as good as one that crashes.
    let other = Isolation { program: "/bin/true".into(), ..nobody };
    let why = open(&inspect(&fixture("good")).unwrap(), Some(&other)).err().unwrap();
    says(&why.to_string(), &["opening the library", "exited with status 0"]);
}

#[test]
fn discovery_and_trust_isolate_what_the_workspace_did_not_build() {
    let path = fixture("faulty");
    let search = |isolate| Search { trusted: vec![path.clone()], isolate, ..Search::default() };
    let doors = |isolate| {
        let found = discover(&search(isolate), &[], Prefer::Static).plugins;
        let dynamic = found.into_iter().find(|loaded| matches!(loaded.door, Door::Dynamic { .. }));
        dynamic.map(|loaded| matches!(loaded.door, Door::Dynamic { isolated: true, .. }))
    };
    assert_eq!(doors(Isolate::Foreign(isolation(Limits::default()))), Some(true));
    assert_eq!(doors(Isolate::Nothing), Some(false));
    assert!(Isolate::Foreign(isolation(Limits::default())).of(false).is_none());
    assert!(Isolate::Everything(isolation(Limits::default())).of(false).is_some());
    let folder = tempfile::tempdir().unwrap();
    let pin = trust(&path, &folder.path().join("registry.toml"), Some(&isolation(Limits::default()))).unwrap();
    assert_eq!(pin.name, "fixture-faulty");
}
