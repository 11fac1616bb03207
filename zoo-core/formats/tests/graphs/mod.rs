//! Exported graphs against Python: `onnx.checker`, strict shape inference, and outputs in ONNX Runtime beside numpy.

mod cases;
mod random;

use std::path::Path;
use zoo_core::Artifact;
use zoo_formats::onnx::{self, OPSETS};

fn write(folder: &Path, name: &str, artifact: &Artifact) {
    let folder = folder.join(name);
    std::fs::create_dir(&folder).unwrap();
    for file in &artifact.files {
        std::fs::write(folder.join(&file.name), &file.bytes).unwrap();
    }
}

/// Runs `check.py` over the graphs in a folder and returns its last line.
fn check(folder: &Path, mode: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/graphs/check.py");
    let folder = folder.to_str().unwrap();
    match zoo_test_support::run_python(script.to_str().unwrap(), &[mode, folder]) {
        Ok(printed) => printed.lines().last().unwrap_or_default().to_string(),
        Err(error) => panic!("{error}"),
    }
}

fn no_python() -> bool {
    let absent = zoo_test_support::python().is_none();
    if absent {
        println!("skipped: no Python (set ZOO_TEST_PYTHON)");
    }
    absent
}

#[test]
fn graphs_agree_with_numpy_in_every_opset() {
    if no_python() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut count = 0;
    for opset in OPSETS {
        for case in cases::all().iter().filter(|case| case.since <= opset) {
            let name = format!("{}.{opset}", case.name);
            let artifact = cases::build(case, opset).unwrap_or_else(|error| panic!("{name}: {error}"));
            write(folder.path(), &name, &artifact);
            count += 1;
        }
    }
    assert_eq!(check(folder.path(), "reference"), format!("{count} graphs agree"));
}

#[test]
fn random_graphs_are_accepted_and_run_with_the_inferred_shapes() {
    const GRAPHS: usize = 100;
    if no_python() {
        return;
    }
    for (free, mode) in [(false, "run"), (true, "free")] {
        let folder = tempfile::tempdir().unwrap();
        for (index, artifact) in random::graphs(GRAPHS, free).iter().enumerate() {
            write(folder.path(), &format!("random.{index}"), artifact);
        }
        assert_eq!(check(folder.path(), mode), format!("{GRAPHS} graphs agree"));
    }
}

#[test]
fn the_same_calls_give_the_same_bytes_and_survive_the_reader() {
    for case in cases::all() {
        let opset = case.since.max(17);
        let (first, second) = (cases::build(&case, opset).unwrap(), cases::build(&case, opset).unwrap());
        assert_eq!(first, second, "{}", case.name);
        let model = onnx::read_artifact(&first).unwrap();
        assert_eq!(model.encode(), first.files[0].bytes.to_vec(), "{}", case.name);
        assert_eq!(model.opset(), Some(opset.into()));
    }
}

#[test]
fn signatures_are_those_of_the_installed_onnx() {
    if no_python() {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = root.join("generate/signatures.py");
    let printed = zoo_test_support::run_python::<&str>(script.to_str().unwrap(), &[]).unwrap();
    let checked_in = std::fs::read_to_string(root.join("src/onnx/signatures.txt")).unwrap();
    assert_eq!(printed, checked_in);
}
