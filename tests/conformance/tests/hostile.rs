//! ONNX files that mean harm, on both ONNX backends: each must be refused with an error when it is compiled, and none may panic.

use prost::Message;
use std::path::PathBuf;
use zoo_backend_onnxruntime::{OnnxRuntime, library_folder};
use zoo_backend_tract::Tract;
use zoo_core::{Artifact, ArtifactKind, Backend, Device, Error, Options, Tensor};
use zoo_formats::onnx::proto::{
    AttributeProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto, attribute_proto::AttributeType,
};

/// A sound model with one thing made wrong.
fn spoilt(spoil: impl FnOnce(&mut ModelProto)) -> Artifact {
    let sound = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/golden/cnn.onnx")).unwrap();
    let mut model = ModelProto::decode(sound.as_slice()).unwrap();
    spoil(&mut model);
    Artifact::single(ArtifactKind::Onnx, "model", "model.onnx", model.encode_to_vec())
}

/// A file of the right length that a model has no business with, in a folder that is also the current one of this test.
fn secret() -> &'static std::path::Path {
    static SECRET: std::sync::LazyLock<PathBuf> = std::sync::LazyLock::new(|| {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("secret.bin");
        std::fs::write(&path, vec![0; 1 << 20]).unwrap();
        path
    });
    &SECRET
}

fn outside(tensor: &mut TensorProto, location: &str) {
    tensor.raw_data = None;
    tensor.float_data.clear();
    tensor.data_location = Some(1);
    let length = tensor.dims.iter().product::<i64>() * 4;
    let entry = |key: &str, value: String| StringStringEntryProto { key: Some(key.into()), value: Some(value) };
    tensor.external_data = vec![entry("location", location.into()), entry("length", length.to_string())];
}

fn external(model: &mut ModelProto, location: &str) {
    outside(&mut model.graph.as_mut().unwrap().initializer[0], location);
}

/// Adds a node before the others; what it makes is an output of the graph, so that no runtime leaves it out.
fn with_node(model: &mut ModelProto, node: NodeProto) {
    let graph = model.graph.as_mut().unwrap();
    let mut output = graph.output[0].clone();
    output.name = Some(node.output[0].clone());
    graph.output.push(output);
    graph.node.insert(0, node);
}

/// A node that makes as many elements as a constant of the graph says.
fn sized(model: &mut ModelProto, op: &str, inputs: &[&str], lengths: &[i64]) {
    let lengths = Tensor::from_vec([lengths.len()], lengths.to_vec()).unwrap();
    let graph = model.graph.as_mut().unwrap();
    graph.initializer.push(zoo_formats::onnx::tensor_to_proto("lengths", &lengths));
    graph.initializer.push(zoo_formats::onnx::tensor_to_proto("one", &Tensor::from_vec([1], vec![1f32]).unwrap()));
    let input = inputs.iter().map(ToString::to_string).collect();
    with_node(model, NodeProto { op_type: Some(op.into()), input, output: vec!["large".into()], ..NodeProto::default() });
}

/// A constant whose elements are outside.
fn external_constant(model: &mut ModelProto, location: &str) {
    let mut tensor = zoo_formats::onnx::tensor_to_proto("c", &Tensor::from_vec([4], vec![0f32; 4]).unwrap());
    outside(&mut tensor, location);
    let attribute = AttributeProto {
        name: Some("value".into()),
        r#type: Some(AttributeType::Tensor as i32),
        t: Some(tensor),
        ..AttributeProto::default()
    };
    let op_type = Some("Constant".into());
    with_node(model, NodeProto { op_type, output: vec!["c".into()], attribute: vec![attribute], ..NodeProto::default() });
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
        ("a huge constant", spoilt(|model| sized(model, "ConstantOfShape", &["lengths"], &[1 << 20, 1 << 20]))),
        ("a huge repetition", spoilt(|model| sized(model, "Expand", &["one", "lengths"], &[i64::MAX, i64::MAX]))),
        ("external data above the folder", spoilt(|model| external(model, "../../secret.bin"))),
        ("external data at an absolute path", spoilt(|model| external(model, secret().to_str().unwrap()))),
        ("external data in the current folder", spoilt(|model| external(model, "secret.bin"))),
        ("external data of a constant", spoilt(|model| external_constant(model, secret().to_str().unwrap()))),
        ("external data that is not there", spoilt(|model| external(model, "absent.bin"))),
        ("an operator set from the future", spoilt(|model| model.opset_import[0].version = Some(9999))),
        ("an operator set from the past", spoilt(|model| model.opset_import[0].version = Some(-1))),
        ("no graph", spoilt(|model| model.graph = None)),
    ]
}

fn refuses(backend: &dyn Backend) {
    std::env::set_current_dir(secret().parent().unwrap()).unwrap();
    for (what, artifact) in hostile() {
        let error = backend.compile(&artifact, &Device::Cpu, &Options::default()).err();
        let error = error.unwrap_or_else(|| panic!("{} takes a model with {what}", backend.name()));
        let typed = matches!(error, Error::Artifact { .. } | Error::Runtime { .. } | Error::UnsupportedOperator { .. });
        assert!(typed && !error.to_string().contains("panick"), "{}, {what}: {error}", backend.name());
        println!("{}, {what}: {error}", backend.name());
    }
}

#[test]
fn tract_refuses_hostile_models() {
    refuses(&Tract);
}

#[test]
fn onnxruntime_refuses_hostile_models() {
    if let Some(path) = std::env::var_os("ZOO_TEST_ORT") {
        return refuses(&OnnxRuntime::with_library(PathBuf::from(path)));
    }
    if library_folder().is_some_and(|folder| folder.is_dir()) {
        return refuses(&OnnxRuntime::default());
    }
    println!("skipped: ONNX Runtime is not installed; run `cargo xtask setup onnxruntime` or set ZOO_TEST_ORT to the library");
}
