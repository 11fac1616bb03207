//! What an author does: a new crate of each kind, the examples, and the chapter of the book, command by command.

mod common;

use common::{load, pin};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use zoo_abi_tests::include_dir;
use zoo_core::{Batch, Config, DataFiles, Device, ExportRequest, Options, Tensor, Weights};
use zoo_host::plugins::{Kind, Prefer, Search, discover, scaffold};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The small command line of `examples/plugin_cli.rs`, which `cargo xtask test` builds before these tests.
fn cli() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("examples/plugin_cli")
}

/// Commands as an author runs them, but without the network and with one store of compiled dependencies for all tests.
fn author(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    for name in ["CARGO_TARGET_DIR", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "ZOO_PLUGIN_PATH", "ZOO_HOME"] {
        command.env_remove(name);
    }
    command.env("CARGO_NET_OFFLINE", "true").env("CARGO_BUILD_BUILD_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("authors"));
    command
}

#[track_caller]
fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}\n{}", text(&output.stdout), text(&output.stderr));
    output
}

/// Builds a crate and returns its library.
fn build(folder: &Path, target: &Path, name: &str) -> PathBuf {
    succeed(
        author(env!("CARGO"))
            .args(["build", "--release", "--manifest-path"])
            .arg(folder.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(target),
    );
    target.join("release").join(format!("{}{}{}", std::env::consts::DLL_PREFIX, name.replace('-', "_"), std::env::consts::DLL_SUFFIX))
}

/// Runs the conformance suite in a process of its own, where its leak checks see nobody else's memory.
fn verified(library: &Path) -> String {
    let output = succeed(author(cli()).args(["plugin", "verify"]).arg(library));
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(report.contains("no leak over 10000 calls") && report.contains(", 0 failed, "), "{report}");
    report
}

#[test]
fn a_new_crate_of_each_kind_builds_passes_and_is_discovered() {
    let folder = tempfile::tempdir().unwrap();
    let kinds =
        [("my-model", Kind::Model, "0 skipped"), ("my-data-2", Kind::Dataset, "0 skipped"), ("my-backend", Kind::Backend, "1 skipped")];
    let mut libraries = Vec::new();
    for (name, kind, skipped) in kinds {
        let dir = folder.path().join(name);
        let files = scaffold(kind, name, &dir).unwrap();
        assert!(files.iter().all(|file| file.is_file()));
        let source = std::fs::read_to_string(dir.join("src/lib.rs")).unwrap();
        assert!(!source.contains("unsafe") && !source.contains('@'), "{source}");
        let library = build(&dir, &dir.join("target"), name);
        let report = verified(&library);
        assert!(report.ends_with(&format!("{skipped}\n")), "{report}");
        libraries.push(library);
    }
    let pins: Vec<_> = libraries.iter().map(|library| pin(library)).collect();
    let found = discover(&Search { path: libraries, ..Search::default() }, &pins, Prefer::Static);
    let names: Vec<_> =
        found.plugins.iter().map(|loaded| loaded.plugin.info.name.as_str()).filter(|name| name.starts_with("my-")).collect();
    assert_eq!(names, ["my-backend", "my-data-2", "my-model"]);
}

#[test]
fn names_and_folders_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["", "-x", "x-", "X", "x y", "x--y", "9x", "x/y", "\u{e4}"] {
        assert!(scaffold(Kind::Model, name, &folder.path().join("new")).is_err(), "{name}");
    }
    std::fs::write(folder.path().join("mine.txt"), "").unwrap();
    assert!(scaffold(Kind::Model, "fine", folder.path()).unwrap_err().to_string().contains("one that does not exist or is empty"));
    assert!("modell".parse::<Kind>().is_err());
}

/// Exclusive or, by hand; the sessions of the C plugin and of Rust plugins are driven alike.
#[test]
fn the_example_backend_passes_and_computes_xor() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mlp-backend");
    let library = build(&root().join("examples/mlp-backend"), &target, "mlp-backend");
    let report = verified(&library);
    assert!(report.ends_with(" 0 failed, 0 skipped\n"), "{report}");
    let plugin = load(&library);
    let (model, backend) = (plugin.models[0].as_ref(), plugin.backends[0].as_ref());
    let artifact = model.export(&ExportRequest::new(model.artifact_kinds()[0]), &Weights::new(), &Config::default()).unwrap();
    let mut session = backend.compile(&artifact, &Device::Cpu, &Options::default()).unwrap();
    let x = Tensor::from_vec([4, 2], vec![0f32, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]).unwrap();
    let features: Arc<[_]> = model.card().inputs.clone().into();
    let prediction = model.predict(session.as_mut(), &Batch::new(features, vec![x], 0).unwrap()).unwrap();
    assert_eq!(prediction.get("y").unwrap().as_slice::<f32>().unwrap(), [0.0, 1.0, 1.0, 0.0]);
}

/// Values of the sine by hand: sample 9 of clip 1 is `0.8 sin(2 pi 440 9 / 16000)`.
#[test]
fn the_example_data_set_in_c_passes() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["tones.c", "Makefile"] {
        std::fs::copy(root().join("examples/tones").join(file), folder.path().join(file)).unwrap();
    }
    let core = include_dir().parent().unwrap().canonicalize().unwrap();
    succeed(
        author("make")
            .arg("-C")
            .arg(folder.path())
            .arg(format!("CORE={}", core.display()))
            .arg("CFLAGS=-O2 -Wall -Wextra -Werror -Wno-unused-parameter"),
    );
    let library = folder.path().join("libtones.so");
    let report = verified(&library);
    assert!(report.ends_with(" 0 failed, 0 skipped\n"), "{report}");
    let plugin = load(&library);
    let dataset = plugin.datasets[0].open("tones", "test", &DataFiles::default(), &Config::default()).unwrap();
    let sine = dataset.get(1).unwrap();
    let expected = (0.8 * (std::f64::consts::TAU * 440.0 * 9.0 / 16000.0).sin()) as f32;
    assert!((sine[0].as_slice::<f32>().unwrap()[9] - expected).abs() < 1e-6);
    assert_eq!(dataset.batch(0..16).unwrap()[1].as_slice::<i64>().unwrap(), [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
}

/// Blocks of the chapter by what stands after the fence.
fn blocks(fence: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("docs/src/plugins.md")).unwrap();
    let opening = format!("```{fence}\n");
    let bodies = text.match_indices(&opening).map(|(at, _)| &text[at + opening.len()..]);
    bodies.map(|body| body[..body.find("```").expect("a block ends")].to_string()).collect()
}

#[test]
fn the_listing_of_the_chapter_builds_and_passes() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("src")).unwrap();
    let core = root().join("zoo-core/api");
    let manifest = blocks("toml,file=Cargo.toml").remove(0).replace("@CORE@", core.to_str().unwrap());
    std::fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    std::fs::write(folder.path().join("src/lib.rs"), blocks("rust,file=src/lib.rs").remove(0)).unwrap();
    std::fs::copy(root().join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
    let report = verified(&build(folder.path(), &folder.path().join("target"), "ramp"));
    assert!(report.ends_with(" 0 failed, 0 skipped\n"), "{report}");
}

/// Runs every `sh` block of the chapter in a folder that stands for a checkout, with `cargo xtask` led to the small command
/// line above. What needs the whole command line is marked `end-to-end` and run by the tests of the command line.
#[test]
#[cfg(target_os = "linux")]
fn the_commands_of_the_chapter_run() {
    let folder = tempfile::tempdir().unwrap();
    let (checkout, bin) = (folder.path().join("zoo"), folder.path().join("bin"));
    std::fs::create_dir_all(checkout.join("examples/tones")).unwrap();
    std::fs::create_dir(&bin).unwrap();
    for file in ["tones.c", "Makefile"] {
        std::fs::copy(root().join("examples/tones").join(file), checkout.join("examples/tones").join(file)).unwrap();
    }
    let include = checkout.join("zoo-core/api/include");
    std::fs::create_dir_all(&include).unwrap();
    std::fs::copy(include_dir().join("zoo_plugin.h"), include.join("zoo_plugin.h")).unwrap();
    std::fs::write(checkout.join("registry.toml"), "schema = 1\n").unwrap();
    let wrapper = format!("#!/bin/sh\nif [ \"$1\" = xtask ]; then shift; exec {:?} \"$@\"; fi\nexec {:?} \"$@\"\n", cli(), env!("CARGO"));
    std::fs::write(bin.join("cargo"), wrapper).unwrap();
    succeed(Command::new("chmod").arg("+x").arg(bin.join("cargo")));
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut said = String::new();
    for block in blocks("sh") {
        let output =
            succeed(author("sh").args(["-e", "-c", &block]).current_dir(&checkout).env("PATH", &path).env("ZOO_HOME", folder.path()));
        said.push_str(&String::from_utf8(output.stdout).unwrap());
    }
    assert!(said.contains("\nmy-model 0.1.0 dynamic "), "{said}");
    assert!(!said.contains("refused") && !said.contains("FAILED"), "{said}");
}

/// Needs PyPI, so it runs only with `ZOO_NETWORK=1`.
#[test]
fn the_example_model_wraps_silero_vad() {
    if std::env::var_os("ZOO_NETWORK").is_none() {
        eprintln!("not run: set ZOO_NETWORK=1 to fetch silero-vad from PyPI");
        return;
    }
    let folder = root().join("examples/silero-vad");
    succeed(author("sh").arg(folder.join("fetch.sh")));
    let library = build(&folder, &Path::new(env!("CARGO_TARGET_TMPDIR")).join("silero-vad"), "silero-vad");
    let report = verified(&library);
    // The suite has no session that knows this graph, so it can't go through a prediction; everything else is checked.
    assert!(report.contains("16 passed, 0 failed, 1 skipped") && report.contains("ok      exports onnx, the same bytes"), "{report}");
}
