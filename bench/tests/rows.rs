//! The benchmarks run and count what they say; no test looks at a speed.

use std::path::Path;
use zoo_backend_tract::Tract;
use zoo_bench::{HostCase, IsolationCase, PythonCase, host, isolation, python_onnxruntime};
use zoo_core::{
    Artifact, ArtifactKind, Backend, Batch, Config, DType, Device, Dialect, Error, ExportRequest, Model, ModelCard, Options, TaskKind,
    Tensor, TensorSpec, Weights,
};

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

/// A model that hands its first input to the session.
struct Plain(ModelCard);

impl Model for Plain {
    fn card(&self) -> &ModelCard {
        &self.0
    }

    fn artifact_kinds(&self) -> &[ArtifactKind] {
        &[ArtifactKind::Onnx]
    }

    fn export(&self, _: &ExportRequest, _: &Weights, _: &Config) -> zoo_core::Result<Artifact> {
        Ok(model())
    }

    fn import(&self, file: &Weights, _: Dialect, _: &Config) -> zoo_core::Result<Weights> {
        Ok(file.clone())
    }
}

#[test]
fn isolation_compares_the_same_calls_of_both_doors() {
    let mut session = Tract.compile(&model(), &Device::Cpu, &Options::default()).unwrap();
    let input = TensorSpec { name: "x".into(), ..session.inputs()[0].clone() };
    let text = String::new;
    let card = ModelCard {
        name: "plain".into(),
        title: text(),
        description: text(),
        paper: text(),
        upstream: text(),
        code_licence: text(),
        weights_licence: text(),
        task: TaskKind::Own,
        inputs: vec![input.clone()],
        outputs: Vec::new(),
        preprocessing: text(),
        limitations: Vec::new(),
    };
    let plain = Plain(card);
    let batch = |items: usize| Batch::new([input.clone()].into(), vec![Tensor::zeros(DType::F32, [items, 1, 12, 12])?], 0);
    let case = IsolationCase { direct: &plain, isolated: &plain, one: batch(1).unwrap(), batch: &batch, rounds: 1 };
    let (rows, goals) = isolation(&case, &mut *session).unwrap();
    let cases: Vec<_> = rows.iter().map(|row| (row.bench.as_str(), row.unit.as_str(), row.peer.as_str())).collect();
    assert_eq!(
        cases,
        [("isolation", "us", "direct"), ("isolation", "us", "direct"), ("isolation", "us", "direct"), ("isolation", "ms", "direct")]
    );
    assert!(rows[3].case.starts_with("predict-10ms (b"), "{}", rows[3].case);
    assert_eq!(goals[0].measured, Some(rows[0].ours - rows[0].peer_value));
    assert!(matches!(isolation(&IsolationCase { rounds: 0, ..case }, &mut *session), Err(Error::Argument { .. })));
}
