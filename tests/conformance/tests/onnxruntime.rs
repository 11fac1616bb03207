//! The ONNX Runtime backend against the suite.

use std::path::PathBuf;
use zoo_backend_onnxruntime::{OnnxRuntime, library_folder};
use zoo_core::{Availability, Backend, Device, Error, Options};

/// The backend with the library at `ZOO_TEST_ORT`, else in the per-user folder; `None` if there is neither.
fn backend() -> Option<OnnxRuntime> {
    if let Some(path) = std::env::var_os("ZOO_TEST_ORT") {
        return Some(OnnxRuntime::with_library(PathBuf::from(path)));
    }
    if library_folder().is_some_and(|folder| folder.is_dir()) {
        return Some(OnnxRuntime::default());
    }
    println!("skipped: ONNX Runtime is not installed; run `cargo xtask setup onnxruntime` or set ZOO_TEST_ORT to the library");
    None
}

#[test]
fn onnxruntime_conforms() {
    let Some(backend) = backend() else { return };
    let suite = zoo_conformance::onnx_suite().unwrap();
    let report = zoo_conformance::run(&backend, &suite);
    assert!(report.failures.is_empty() && report.skipped.is_empty(), "{report}");
}

#[test]
fn the_library_is_probed_and_the_placement_told() {
    let Some(backend) = backend() else { return };
    let Availability::Ready { version, devices } = backend.probe() else { panic!("{:?}", backend.probe()) };
    assert!(version.starts_with("onnxruntime 1."), "{version}");
    assert_eq!(devices[0], "cpu");
    let suite = zoo_conformance::onnx_suite().unwrap();
    for level in ["disable", "basic", "extended", "all"] {
        let extra = [("onnxruntime.graph-optimization".to_string(), level.to_string())].into();
        let options = Options { extra, ..Options::default() };
        let session = backend.compile(&suite.fixtures[0].artifact, &Device::Cpu, &options).unwrap();
        let placement = session.stats().placement;
        assert_eq!(placement.keys().collect::<Vec<_>>(), ["CPUExecutionProvider"]);
        // Ten nodes as written; optimisation fuses some of them.
        assert!((1..=10).contains(&placement["CPUExecutionProvider"]), "{placement:?}");
        assert_eq!(placement["CPUExecutionProvider"] == 10, level == "disable", "{level}: {placement:?}");
    }
}

#[test]
fn a_gpu_that_the_library_lacks_is_an_error_with_its_name() {
    let Some(backend) = backend() else { return };
    let Availability::Ready { devices, .. } = backend.probe() else { panic!("{:?}", backend.probe()) };
    if devices.len() > 1 {
        println!("skipped: this library was built for a GPU");
        return;
    }
    let artifact = &zoo_conformance::onnx_suite().unwrap().fixtures[0].artifact;
    for (providers, name) in [(None, "CUDA"), (Some("tensorrt,cuda,cpu"), "TensorRT")] {
        let extra = providers.map(|p| ("onnxruntime.providers".to_string(), p.to_string())).into_iter().collect();
        let error = backend.compile(artifact, &Device::Cuda(0), &Options { extra, ..Options::default() }).err().unwrap();
        let Error::Unavailable { what, why, mend } = &error else { panic!("{error}") };
        assert!(what.contains("cuda:0") && why.contains(name) && mend.contains("--gpu"), "{error}");
    }
}

#[test]
fn a_second_library_in_one_process_is_refused() {
    let Some(backend) = backend() else { return };
    let Availability::Ready { .. } = backend.probe() else { panic!("{:?}", backend.probe()) };
    let Some(path) = std::env::var_os("ZOO_TEST_ORT").map(PathBuf::from) else { return };
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("libonnxruntime.so.1");
    std::fs::copy(path, &copy).unwrap();
    let Availability::Unavailable { why, .. } = OnnxRuntime::with_library(&copy).probe() else { panic!("accepted") };
    assert!(why.contains("already uses"), "{why}");
}
