//! The benchmarks run and count what they say; no test looks at a speed.

use std::path::Path;
use zoo_backend_tract::Tract;
use zoo_bench::{HostCase, PythonCase, host, python_onnxruntime};
use zoo_core::{Artifact, ArtifactKind, Backend, DType, Device, Error, Options, Tensor};

fn model() -> Artifact {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conformance/golden/cnn.onnx");
    Artifact::single(ArtifactKind::Onnx, "cnn", "cnn.onnx", std::fs::read(path).unwrap())
}

#[test]
fn the_host_row_runs_both_loops_as_often() {
    let mut session = Tract.compile(&model(), &Device::Cpu, &Options::default()).unwrap();
    let batches = vec![vec![Tensor::zeros(DType::F32, [2, 1, 12, 12]).unwrap()]; 3];
    let case = HostCase { case: "host-b2".into(), batches: &batches, items: 6, rounds: 4 };
    let mut calls = 0;
    let row = host(&case, &mut *session, &mut |session| {
        calls += 1;
        batches.iter().try_for_each(|batch| session.run(batch).map(|_| ()))
    })
    .unwrap();
    assert_eq!(calls, 4);
    // Four rounds of two sides, each three batches and one untimed run.
    assert_eq!(session.stats().runs, 4 * 2 * (3 + 1));
    assert_eq!((row.bench.as_str(), row.case.as_str(), row.peer.as_str()), ("backends", "host-b2", "bare"));
    assert!(row.ours > 0.0 && row.peer_value > 0.0 && (row.ratio - row.ours / row.peer_value).abs() < 1e-12);
    let none = HostCase { rounds: 0, ..case };
    assert!(matches!(host(&none, &mut *session, &mut |_| Ok(())), Err(Error::Argument { .. })));
}

fn case<'a>(artifact: &'a Artifact, inputs: &'a [Tensor], python: &'a Path) -> PythonCase<'a> {
    PythonCase { case: "b3".into(), artifact, inputs, items: 3, threads: 1, runs: 2, rounds: 2, python, options: Options::default() }
}

#[test]
fn the_python_row_runs_beside_python() {
    let Some(python) = std::env::var_os("ZOO_TEST_PYTHON") else {
        println!("skipped: set ZOO_TEST_PYTHON to a Python with onnxruntime");
        return;
    };
    let (artifact, inputs) = (model(), [Tensor::zeros(DType::F32, [3, 1, 12, 12]).unwrap()]);
    let row = python_onnxruntime(&case(&artifact, &inputs, Path::new(&python)), &Tract).unwrap();
    assert_eq!((row.unit.as_str(), row.peer.as_str()), ("items/s", "python-onnxruntime"));
    assert!(row.ours > 0.0 && row.peer_value > 0.0);
}

#[test]
fn an_absent_python_and_other_types_are_errors() {
    let (artifact, inputs) = (model(), [Tensor::zeros(DType::F32, [3, 1, 12, 12]).unwrap()]);
    let error = python_onnxruntime(&case(&artifact, &inputs, Path::new("/nonexistent/python")), &Tract).unwrap_err();
    assert!(matches!(&error, Error::Unavailable { mend, .. } if mend.contains("setup peers")), "{error}");
    // `true` ends without a word, as a Python without the package does.
    let error = python_onnxruntime(&case(&artifact, &inputs, Path::new("true")), &Tract).unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    let doubles = [Tensor::zeros(DType::F64, [3, 1, 12, 12]).unwrap()];
    assert!(python_onnxruntime(&case(&artifact, &doubles, Path::new("true")), &Tract).is_err());
}
