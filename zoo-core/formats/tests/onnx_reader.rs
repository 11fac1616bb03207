//! The ONNX reader: what it reads, what it refuses and how it says so.

use half::{bf16, f16};
use proptest::prelude::*;
use prost::Message;
use std::path::PathBuf;
use zoo_core::{Artifact, DType, Dim, Tensor};
use zoo_formats::Error;
use zoo_formats::onnx::proto::{ModelProto, TensorProto, tensor_proto::DataType};
use zoo_formats::onnx::{self, Graph, Limits};

fn sample() -> Graph {
    let mut g = Graph::new("sample");
    let fill = |g: &mut Graph| -> zoo_formats::Result<()> {
        let x = g.input("x", DType::F32, ["batch".into(), Dim::Fixed(3)])?;
        let w = g.initializer("w", &Tensor::from_vec([600, 3], (0..1800).map(|i| i as f32).collect())?)?;
        let b = g.initializer("b", &Tensor::from_vec([600], vec![0.5f32; 600])?)?;
        let y = g.linear(x, w, Some(b))?;
        g.output("y", y)
    };
    fill(&mut g).unwrap();
    g.metadata("paper", "10.0000/example");
    g.metadata("licence", "MIT");
    g
}

fn main_bytes(artifact: &Artifact) -> Vec<u8> {
    artifact.files[0].bytes.to_vec()
}

#[test]
fn a_written_model_is_read() {
    let model = onnx::read(&main_bytes(&sample().finish().unwrap())).unwrap();
    assert_eq!((model.ir_version(), model.opset(), model.producer().0), (8, Some(17), "zoo"));
    let inputs = model.inputs().unwrap();
    assert_eq!((inputs.len(), inputs[0].name.as_str(), inputs[0].shape_text().as_str()), (1, "x", "[batch, 3]"));
    assert_eq!(model.outputs().unwrap()[0].shape_text(), "[batch, 600]");
    assert_eq!(model.metadata().into_keys().collect::<Vec<_>>(), ["licence", "paper"]);
    assert_eq!(model.nodes().iter().map(|n| n.op_type()).collect::<Vec<_>>(), ["Gemm"]);
    assert_eq!(model.initializer("w").unwrap().as_slice::<f32>().unwrap()[1799], 1799.0);
    assert_eq!(model.initializers().unwrap().tensors.len(), 2);
    assert!(matches!(model.initializer("nothing"), Err(Error::Core(zoo_core::Error::Keys { .. }))));
}

#[test]
fn large_weights_move_to_a_file_of_their_own() {
    let inline = onnx::read_artifact(&sample().finish().unwrap()).unwrap();
    let mut g = sample();
    g.external_over(1000);
    let artifact = g.finish().unwrap();
    assert_eq!(artifact.files.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["sample.onnx", "sample.onnx.data"]);
    // 7200 bytes of `w`, then `b` on the next page.
    assert_eq!(artifact.files[1].bytes.len(), 8192 + 2400);
    let read = onnx::read_artifact(&artifact).unwrap();
    assert_eq!(read.initializers().unwrap(), inline.initializers().unwrap());

    let folder = tempfile::tempdir().unwrap();
    for file in &artifact.files {
        std::fs::write(folder.path().join(&file.name), &file.bytes).unwrap();
    }
    let path = folder.path().join("sample.onnx");
    let model = onnx::read_file(&path).unwrap();
    assert_eq!(model.initializers().unwrap(), inline.initializers().unwrap());
    assert!(onnx::read(&main_bytes(&artifact)).unwrap().initializer("w").unwrap_err().to_string().contains("from memory"));
    if zoo_test_support::python().is_none() {
        println!("skipped: no Python (set ZOO_TEST_PYTHON)");
        return;
    }
    let script = "import sys, onnx\nonnx.checker.check_model(sys.argv[1], full_check=True)\n\
        m = onnx.load(sys.argv[1])\nprint(onnx.numpy_helper.to_array(m.graph.initializer[0])[599, 2])";
    assert_eq!(zoo_test_support::run_python(script, &[path]).unwrap().trim(), "1799.0");
}

#[test]
fn external_data_stays_in_its_folder_and_file() {
    let mut g = sample();
    g.external_over(1000);
    let artifact = g.finish().unwrap();
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("model");
    std::fs::create_dir(&folder).unwrap();
    let (path, data) = (folder.join("sample.onnx"), outer.path().join("data"));
    std::fs::write(&data, &artifact.files[1].bytes).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&data, folder.join("link")).unwrap();
    std::fs::write(folder.join("short"), [0u8; 100]).unwrap();
    let check = |location: &str, offset: &str, part: &str| {
        let mut proto = ModelProto::decode(artifact.files[0].bytes.as_ref()).unwrap();
        let entries = &mut proto.graph.as_mut().unwrap().initializer[0].external_data;
        entries[0].value = Some(location.into());
        entries[1].value = Some(offset.into());
        std::fs::write(&path, proto.encode_to_vec()).unwrap();
        let message = onnx::read_file(&path).unwrap().initializer("w").unwrap_err().to_string();
        assert!(message.contains(part) && message.contains("`w`"), "{location}: {message}");
    };
    check("../data", "0", "inside the model's folder");
    check(data.to_str().unwrap(), "0", "inside the model's folder");
    check("a\\..\\..\\data", "0", "inside the model's folder");
    check("", "0", "inside the model's folder");
    check("gone", "0", "gone");
    check("short", "0", "within the 100 bytes");
    check("short", "18446744073709551615", "within the 100 bytes");
    check("short", "-1", "expected a number");
    if cfg!(unix) {
        check("link", "0", "leads out of it");
    }
}

#[test]
fn typed_fields_are_decoded() {
    #[track_caller]
    fn check(data_type: DataType, fill: impl FnOnce(&mut TensorProto), expected: &Tensor) {
        let mut proto = TensorProto { dims: vec![2], data_type: Some(data_type as i32), ..TensorProto::default() };
        fill(&mut proto);
        assert_eq!(&onnx::tensor_from_proto("test", &proto).unwrap(), expected);
        // And in the raw form that the writer uses.
        assert_eq!(&onnx::tensor_from_proto("test", &onnx::tensor_to_proto("t", expected)).unwrap(), expected);
    }
    fn tensor<T: zoo_core::Element>(values: [T; 2]) -> Tensor {
        Tensor::from_vec([2], values.to_vec()).unwrap()
    }
    check(DataType::Float, |p| p.float_data = vec![1.5, -2.0], &tensor([1.5f32, -2.0]));
    check(DataType::Double, |p| p.double_data = vec![1.5, -2.0], &tensor([1.5f64, -2.0]));
    check(DataType::Int64, |p| p.int64_data = vec![-1, 2], &tensor([-1i64, 2]));
    check(DataType::Uint64, |p| p.uint64_data = vec![u64::MAX, 2], &tensor([u64::MAX, 2]));
    check(DataType::Uint32, |p| p.uint64_data = vec![7, 2], &tensor([7u32, 2]));
    check(DataType::Int32, |p| p.int32_data = vec![-7, 2], &tensor([-7i32, 2]));
    check(DataType::Int16, |p| p.int32_data = vec![-7, 2], &tensor([-7i16, 2]));
    check(DataType::Uint16, |p| p.int32_data = vec![7, 65535], &tensor([7u16, 65535]));
    check(DataType::Int8, |p| p.int32_data = vec![-7, 2], &tensor([-7i8, 2]));
    check(DataType::Uint8, |p| p.int32_data = vec![255, 2], &tensor([255u8, 2]));
    check(DataType::Bool, |p| p.int32_data = vec![1, 0], &Tensor::from_bytes(DType::Bool, [2], &[1, 0]).unwrap());
    // 0x3c00 is 1.0 in half precision, 0x3f80 in brain floats.
    check(DataType::Float16, |p| p.int32_data = vec![0x3c00, 0xc000], &tensor([f16::ONE, f16::from_f32(-2.0)]));
    check(DataType::Bfloat16, |p| p.int32_data = vec![0x3f80, 0xc000], &tensor([bf16::ONE, bf16::from_f32(-2.0)]));
}

#[test]
fn tensors_that_do_not_add_up_are_refused() {
    #[track_caller]
    fn check(dims: &[i64], data_type: i32, fill: impl FnOnce(&mut TensorProto), part: &str) {
        let mut proto = TensorProto { dims: dims.to_vec(), data_type: Some(data_type), name: Some("t".into()), ..TensorProto::default() };
        fill(&mut proto);
        let message = onnx::tensor_from_proto("m.onnx", &proto).unwrap_err().to_string();
        assert!(message.starts_with("m.onnx: at tensor `t`") && message.contains(part), "{message}");
    }
    let float = DataType::Float as i32;
    check(&[2], float, |p| p.raw_data = Some(vec![0; 7]), "expected 8 bytes");
    check(&[1 << 40, 1 << 40], float, |p| p.raw_data = Some(vec![0; 8]), "more than memory holds");
    check(&[1 << 40], float, |_| (), "found 0");
    check(&[-1], float, |_| (), "at least 0");
    check(&[1], DataType::String as i32, |_| (), "data type 8");
    check(&[1], DataType::Int8 as i32, |p| p.int32_data = vec![300], "out of the type's range");
    check(&[2], DataType::Bool as i32, |p| p.raw_data = Some(vec![1, 2]), "booleans of 0 and 1");
}

#[test]
fn files_of_other_kinds_are_named() {
    #[track_caller]
    fn check(bytes: &[u8], part: &str) {
        let error = onnx::read(bytes).unwrap_err();
        assert!(matches!(error, Error::NotOnnx { .. }), "{error}");
        assert!(error.to_string().contains(part), "{error}");
        assert!(matches!(zoo_core::Error::from(error), zoo_core::Error::Data { .. }));
    }
    check(b"", "an empty file");
    check(b"<!DOCTYPE html><title>404</title>", "HTML");
    check(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n", "git-LFS pointer");
    check(b"PK\x03\x04\x00\x00\x08\x08archive/data.pkl", "ZIP");
    check(b"\x80\x02}q\x00X\x01", "pickle");
    check(b"\x89HDF\r\n\x1a\n", "HDF5");
    check(&[0x10, 1], "without an IR version");
    check(&[0xff; 40], "no protobuf message from offset 0");
    let truncated = main_bytes(&sample().finish().unwrap());
    check(&truncated[..truncated.len() / 2], "no protobuf message");
}

#[test]
fn versions_and_required_parts_come_first() {
    let bytes = |change: fn(&mut ModelProto)| {
        let mut proto = ModelProto::decode(main_bytes(&sample().finish().unwrap()).as_slice()).unwrap();
        change(&mut proto);
        onnx::read(&proto.encode_to_vec()).unwrap_err()
    };
    assert!(matches!(bytes(|p| p.ir_version = Some(99)), Error::Version { what: "IR version", found: 99, .. }));
    assert!(matches!(bytes(|p| p.ir_version = Some(-1)), Error::Version { found: -1, .. }));
    assert!(matches!(bytes(|p| p.graph = None), Error::Malformed { .. }));
    assert!(matches!(bytes(|p| p.opset_import.clear()), Error::Malformed { .. }));
}

#[test]
fn small_files_can_not_ask_for_much_memory() {
    // A graph of empty nodes: two bytes of file for a message of some hundred bytes each.
    let nodes = 200_000;
    let mut graph = Vec::new();
    (0..nodes).for_each(|_| graph.extend_from_slice(&[0x0a, 0]));
    let mut bytes = vec![0x08, 8, 0x42, 2, 0x10, 17, 0x3a];
    prost::encoding::encode_varint(graph.len() as u64, &mut bytes);
    bytes.extend_from_slice(&graph);
    assert_eq!(onnx::read(&bytes).unwrap().nodes().len(), nodes);
    let limits = Limits { messages: 1 << 20, ..Limits::default() };
    assert!(matches!(onnx::read_within(&bytes, &limits), Err(Error::Limit { .. })));
    assert!(matches!(onnx::read_within(&bytes, &Limits { bytes: 1000, ..limits }), Err(Error::Limit { what: "bytes", .. })));

    // Graphs in attributes of nodes of graphs.
    let mut nested = Vec::new();
    for _ in 0..200 {
        for tag in [0x32, 0x2a, 0x0a] {
            let mut outer = vec![tag];
            prost::encoding::encode_varint(nested.len() as u64, &mut outer);
            outer.append(&mut nested);
            nested = outer;
        }
    }
    let mut bytes = vec![0x08, 8, 0x42, 2, 0x10, 17, 0x3a];
    prost::encoding::encode_varint(nested.len() as u64, &mut bytes);
    bytes.append(&mut nested);
    assert!(matches!(onnx::read(&bytes), Err(Error::Limit { what: "nested messages", .. })));
}

/// Models of other writers, decoded and encoded again: Python must find the same message.
#[test]
fn real_models_survive_a_round_trip() {
    if zoo_test_support::python().is_none() {
        println!("skipped: no Python (set ZOO_TEST_PYTHON)");
        return;
    }
    const FIND: &str = "import importlib.util, pathlib, onnx\n\
        found = sorted(pathlib.Path(onnx.__path__[0]).glob('backend/test/data/light/*.onnx'))\n\
        found += sorted(pathlib.Path(onnx.__path__[0]).glob('backend/test/data/simple/*/model.onnx'))[:40]\n\
        silero = importlib.util.find_spec('silero_vad')\n\
        if silero: found.append(pathlib.Path(silero.submodule_search_locations[0]) / 'data/silero_vad_16k_op15.onnx')\n\
        print(*found, sep='\\n')";
    const COMPARE: &str = "import sys, onnx, pathlib\n\
        for a, b in zip(sys.argv[1::2], sys.argv[2::2]):\n    assert onnx.load(a, load_external_data=False) == onnx.load(b), a\nprint('equal')";
    let found: Vec<PathBuf> = zoo_test_support::run_python::<&str>(FIND, &[]).unwrap().lines().map(PathBuf::from).collect();
    if found.is_empty() {
        println!("skipped: the installed onnx package has no models");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut pairs = Vec::new();
    for (index, path) in found.into_iter().enumerate() {
        let model = onnx::read_file(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(!model.nodes().is_empty() && model.opset().is_some(), "{}", path.display());
        model.initializers().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let copy = folder.path().join(format!("{index}.onnx"));
        std::fs::write(&copy, model.encode()).unwrap();
        pairs.extend([path, copy]);
    }
    assert_eq!(zoo_test_support::run_python(COMPARE, &pairs).unwrap().trim(), "equal");
}

proptest! {
    #[test]
    fn random_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = onnx::read(&bytes);
    }

    /// A model with a few bytes changed is read or refused; whatever is read can be asked for everything.
    #[test]
    fn mutated_models_do_not_panic(edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = main_bytes(&sample().finish().unwrap());
        // Mostly the part that is no weights.
        for (at, value) in edits {
            let at = at.index(bytes.len().min(300));
            bytes[at] = value;
        }
        if let Ok(model) = onnx::read(&bytes) {
            let _ = (model.inputs(), model.outputs(), model.metadata(), model.initializers(), model.opsets());
            prop_assert!(onnx::read(&model.encode()).is_ok());
        }
    }
}
