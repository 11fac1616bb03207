//! ONNX files that mean harm, on both ONNX backends: each must be refused with an error, at the latest when it is run, and none may panic.

use prost::Message;
use std::path::PathBuf;
use zoo_backend_onnxruntime::{OnnxRuntime, library_folder};
use zoo_backend_tract::Tract;
use zoo_core::{Artifact, ArtifactKind, Backend, Device, Error, Options, Tensor, TensorSpec};
use zoo_formats::onnx::proto::{ModelProto, StringStringEntryProto};

/// A sound model with one thing made wrong.
fn spoilt(spoil: impl FnOnce(&mut ModelProto)) -> Artifact {
    let sound = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/golden/cnn.onnx")).unwrap();
    let mut model = ModelProto::decode(sound.as_slice()).unwrap();
    spoil(&mut model);
    Artifact::single(ArtifactKind::Onnx, "model", "model.onnx", model.encode_to_vec())
}

fn external(model: &mut ModelProto, location: &str) {
    let tensor = &mut model.graph.as_mut().unwrap().initializer[0];
    tensor.raw_data = None;
    tensor.float_data.clear();
    tensor.data_location = Some(1);
    let entry = StringStringEntryProto { key: Some("location".into()), value: Some(location.into()) };
    tensor.external_data.push(entry);
}

fn hostile() -> Vec<(&'static str, Artifact)> {
    let cyclic = spoilt(|model| {
        let nodes = &mut model.graph.as_mut().unwrap().node;
        let last = nodes.last().unwrap().output[0].clone();
        nodes[0].input[0] = last;
    });
    let huge = |dims: &[i64]| spoilt(|model| model.graph.as_mut().unwrap().initializer[0].dims = dims.to_vec());
    vec![
        ("cyclic", cyclic),
        ("huge axes", huge(&[i64::MAX, i64::MAX])),
        ("more elements than bytes", huge(&[1 << 40])),
        ("a negative axis", huge(&[-1, 4])),
        ("external data above the folder", spoilt(|model| external(model, "../../secret.bin"))),
        ("external data at an absolute path", spoilt(|model| external(model, "/secret.bin"))),
        ("external data that is not there", spoilt(|model| external(model, "absent.bin"))),
        ("an operator set from the future", spoilt(|model| model.opset_import[0].version = Some(9999))),
        ("no graph", spoilt(|model| model.graph = None)),
    ]
}

fn refuses(backend: &dyn Backend, takes: &[&str]) {
    for (what, artifact) in hostile().into_iter().filter(|(what, _)| !takes.contains(what)) {
        let error = backend.compile(&artifact, &Device::Cpu, &Options::default()).and_then(|mut session| {
            let shape = |spec: &TensorSpec| spec.shape.iter().map(|d| d.fixed().unwrap_or(1)).collect::<Vec<_>>();
            let zeros = session.inputs().iter().map(|spec| Tensor::zeros(spec.dtype, shape(spec)));
            let zeros = zeros.collect::<zoo_core::Result<Vec<_>>>()?;
            session.run(&zeros)
        });
        let error = error.err();
        let error = error.unwrap_or_else(|| panic!("{} takes a model with {what}", backend.name()));
        let typed = matches!(error, Error::Artifact { .. } | Error::Runtime { .. } | Error::UnsupportedOperator { .. });
        assert!(typed && !error.to_string().contains("panick"), "{}, {what}: {error}", backend.name());
        println!("{}, {what}: {error}", backend.name());
    }
}

#[test]
fn tract_refuses_hostile_models() {
    // tract reads an operator set it does not know as the newest that it knows; whether it should is still open.
    refuses(&Tract, &["an operator set from the future"]);
}

#[test]
fn onnxruntime_refuses_hostile_models() {
    if let Some(path) = std::env::var_os("ZOO_TEST_ORT") {
        return refuses(&OnnxRuntime::with_library(PathBuf::from(path)), &[]);
    }
    if library_folder().is_some_and(|folder| folder.is_dir()) {
        return refuses(&OnnxRuntime::default(), &[]);
    }
    println!("skipped: ONNX Runtime is not installed; run `cargo xtask setup onnxruntime` or set ZOO_TEST_ORT to the library");
}
