//! Graphs in half precision and in 8-bit integers: accepted by the checker, run by ONNX Runtime, and near the originals. The integer
//! form is held against ONNX Runtime's own static quantisation of the same graph on the same data.

use serde_json::Value as Json;
use std::path::Path;
use zoo_core::{Artifact, DType, Dim, Error, Tensor};
use zoo_formats::onnx::precision::{PRECISION, Ranges, observed, observed_values, to_f16, to_int8};
use zoo_formats::onnx::{Conv, Graph, Node, Pool, read_artifact};

/// Numbers that look drawn and are the same everywhere.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn weight(shape: &[usize], seed: u64) -> Tensor {
    let fan: usize = shape[1..].iter().product();
    let scale = (2.0 / fan.max(1) as f32).sqrt();
    Tensor::from_vec(shape, numbers(shape.iter().product(), seed).into_iter().map(|v| v * scale).collect()).unwrap()
}

/// Two convolutions, pooling, a sum, a linear layer and a softmax, whose exponentials stay in single precision.
fn network(opset: u32) -> Artifact {
    let mut g = Graph::with_opset("net", opset).unwrap();
    let x = g.input("x", DType::F32, [Dim::from("batch"), Dim::Fixed(2), Dim::Fixed(8), Dim::Fixed(8)]).unwrap();
    let (w, b) = (g.initializer("w1", &weight(&[6, 2, 3, 3], 1)).unwrap(), g.initializer("b1", &weight(&[6], 2)).unwrap());
    let h = g.conv(x, w, Some(b), &Conv::square(1, 1)).unwrap();
    let h = g.relu(h).unwrap();
    let h = g.max_pool(h, &Pool::square(2, 2)).unwrap();
    let w = g.initializer("w2", &weight(&[6, 6, 3, 3], 3)).unwrap();
    let r = g.conv(h, w, None, &Conv::square(1, 1)).unwrap();
    let h = g.add(h, r).unwrap();
    let h = g.flatten(h, 1).unwrap();
    let (w, b) = (g.initializer("w3", &weight(&[5, 96], 4)).unwrap(), g.initializer("b3", &weight(&[5], 5)).unwrap());
    let logits = g.insert(Node::new("Gemm").input(h).input(w).input(b).attr("transB", 1i64)).unwrap()[0];
    let likely = g.softmax(logits, 1).unwrap();
    g.output("logits", logits).unwrap();
    g.output("likely", likely).unwrap();
    g.metadata("paper", "none");
    g.finish().unwrap()
}

fn write(folder: &Path, artifact: &Artifact) -> String {
    let path = folder.join(&artifact.main().unwrap().name);
    std::fs::write(&path, &artifact.main().unwrap().bytes).unwrap();
    path.display().to_string()
}

fn no_python() -> bool {
    let absent = zoo_test_support::python().is_none();
    if absent {
        println!("skipped: no Python (set ZOO_TEST_PYTHON)");
    }
    absent
}

/// What every script begins with: inputs from a fixed seed, and running a file in ONNX Runtime.
const COMMON: &str = r#"
import json, sys, numpy as np, onnx, onnxruntime as ort
rng = np.random.default_rng(0)
data = [rng.standard_normal((16, 2, 8, 8)).astype(np.float32) for _ in range(8)]
def run(path, x):
    onnx.checker.check_model(path, full_check=True)
    options = ort.SessionOptions(); options.log_severity_level = 3
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, {"x": x})))
def gap(a, b):
    return float(np.abs(run(a, data[0])["logits"] - run(b, data[0])["logits"]).max())
"#;

fn python(script: &str, args: &[&str]) -> Json {
    let printed = zoo_test_support::run_python(&format!("{COMMON}{script}"), args).unwrap_or_else(|e| panic!("{e}"));
    serde_json::from_str(printed.lines().last().unwrap_or_default()).unwrap_or_else(|e| panic!("{e}: {printed}"))
}

#[test]
fn half_precision_keeps_its_borders_and_is_near() {
    if no_python() {
        return;
    }
    for opset in [13, 17, 20] {
        let folder = tempfile::tempdir().unwrap();
        let plain = network(opset);
        let half = to_f16(&plain).unwrap();
        assert_eq!(half.main().unwrap().name, "net_fp16.onnx");
        assert_eq!(half.metadata[PRECISION], "f16");
        assert!(half.main().unwrap().bytes.len() < plain.main().unwrap().bytes.len());
        let (model, before) = (read_artifact(&half).unwrap(), read_artifact(&plain).unwrap());
        assert_eq!((model.inputs().unwrap(), model.outputs().unwrap()), (before.inputs().unwrap(), before.outputs().unwrap()));
        let kinds: Vec<_> = model.initializers().unwrap().tensors.values().map(Tensor::dtype).collect();
        assert!(kinds.contains(&DType::F16) && !kinds.contains(&DType::F32), "{kinds:?}");
        let (plain, half) = (write(folder.path(), &plain), write(folder.path(), &half));
        let found = python("print(gap(sys.argv[1], sys.argv[2]))", &[&plain, &half]).as_f64().unwrap();
        assert!(found > 0.0 && found < 2e-2, "opset {opset}: {found}");
    }
}

#[test]
fn integers_are_as_near_as_the_runtimes_own_quantisation() {
    if no_python() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let plain = network(17);
    let values = observed_values(&plain).unwrap();
    let wider = observed(&plain).unwrap();
    let (path, seen) = (write(folder.path(), &plain), folder.path().join("wider"));
    std::fs::create_dir(&seen).unwrap();
    let seen = write(&seen, &wider);
    let script = "ranges = {}\nfor x in data:\n    for name, v in {**run(sys.argv[1], x), 'x': x}.items():\n        \
                  low, high = ranges.get(name, (0.0, 0.0))\n        ranges[name] = (min(low, float(v.min())), max(high, float(v.max())))\n\
                  print(json.dumps(ranges))";
    let found = python(script, &[&seen]);
    let bound = |name: &str, side: usize| found[name][side].as_f64().unwrap_or_else(|| panic!("{name} was not seen")) as f32;
    let ranges: Ranges = values.iter().map(|name| (name.clone(), [bound(name, 0), bound(name, 1)])).collect();
    let quantized = to_int8(&plain, &ranges).unwrap();
    assert_eq!(quantized.main().unwrap().name, "net_int8.onnx");
    let model = read_artifact(&quantized).unwrap();
    let count = |op: &str| model.nodes().iter().filter(|node| node.op_type() == op).count();
    // Pairs around x, both convolutions and the linear layer's input; three weights and two biases.
    assert_eq!((count("QuantizeLinear"), count("DequantizeLinear")), (5, 10));
    let ours = write(folder.path(), &quantized);
    let script = r#"
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
class Reader(CalibrationDataReader):
    def __init__(self): self.items = iter(data)
    def get_next(self):
        x = next(self.items, None)
        return None if x is None else {"x": x}
theirs = sys.argv[1].replace(".onnx", ".ort.onnx")
quantize_static(sys.argv[1], theirs, Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
print(json.dumps([gap(sys.argv[1], sys.argv[2]), gap(sys.argv[1], theirs)]))
"#;
    let gaps = match zoo_test_support::run_python(&format!("{COMMON}{script}"), &[&path, &ours]) {
        Err(e) if e.to_string().contains("No module named") => {
            println!("skipped: this Python lacks what onnxruntime.quantization imports");
            return;
        }
        printed => printed.unwrap(),
    };
    let [ours, theirs]: [f64; 2] = serde_json::from_str(gaps.lines().last().unwrap()).unwrap();
    assert!(ours > 0.0 && ours <= 1.5 * theirs, "ours {ours}, theirs {theirs}");
}

#[test]
fn what_can_not_be_converted_is_refused_with_its_place() {
    let plain = network(17);
    let half = to_f16(&plain).unwrap();
    let told = |result: zoo_formats::Result<Artifact>| Error::from(result.unwrap_err()).to_string();
    assert!(told(to_f16(&half)).contains("converted to f16"));
    assert!(told(to_int8(&half, &Ranges::new())).contains("converted to f16"));
    assert!(told(to_int8(&plain, &Ranges::new())).contains("range from calibration"));
    let infinite = observed_values(&plain).unwrap().into_iter().map(|name| (name, [0.0, f32::INFINITY])).collect();
    assert!(told(to_int8(&plain, &infinite)).contains("finite range"));
    let mut g = Graph::new("none");
    let x = g.input("x", DType::F32, [Dim::from("batch")]).unwrap();
    let y = g.relu(x).unwrap();
    g.output("y", y).unwrap();
    let none = g.finish().unwrap();
    assert!(told(to_int8(&none, &Ranges::new())).contains("found none"));
    to_f16(&none).unwrap();
}

#[test]
fn the_same_graph_gives_the_same_bytes() {
    let plain = network(17);
    assert_eq!(to_f16(&plain).unwrap(), to_f16(&plain).unwrap());
    let ranges: Ranges = observed_values(&plain).unwrap().into_iter().map(|name| (name, [-1.0, 1.0])).collect();
    assert_eq!(to_int8(&plain, &ranges).unwrap(), to_int8(&plain, &ranges).unwrap());
}
