"""Makes the graphs of the backend conformance suite and what they must give.

Run with an environment that has onnx, numpy and safetensors:  python make.py [FOLDER]
Expected outputs come from onnx.reference, except those of `step`, which are written out in numpy. Every graph is checked
with onnx.checker. Inputs and outputs of a case are kept as NAME/CASE/in/TENSOR and NAME/CASE/out/TENSOR.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import onnx
import safetensors
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from safetensors.numpy import save_file

OPSET, IR = 17, 8
SEED = 20240501


def model(name, nodes, inputs, outputs, initializers=(), opsets=None, check=True):
    graph = h.make_graph(nodes, name, inputs, outputs, [numpy_helper.from_array(a, n) for n, a in initializers])
    opsets = opsets or [h.make_opsetid("", OPSET)]
    made = h.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="zoo-conformance")
    h.set_model_props(made, {"zoo.paper": "conformance", "zoo.graph": name})
    if check:
        onnx.checker.check_model(made, full_check=True)
    return made


def cnn(rng):
    """Convolution, batch normalisation, pooling and a linear layer, batch free."""

    def norm(channels):
        return [
            (0.5 + rng.random(channels)).astype(np.float32),
            rng.normal(size=channels).astype(np.float32),
            rng.normal(size=channels).astype(np.float32),
            (0.5 + rng.random(channels)).astype(np.float32),
        ]

    init = [("w1", (rng.normal(size=(6, 1, 3, 3)) / 3).astype(np.float32)), ("b1", rng.normal(size=6).astype(np.float32))]
    init += [("w2", (rng.normal(size=(10, 6, 3, 3)) / 7).astype(np.float32))]
    init += [(f"n1{k}", v) for k, v in zip("sbmv", norm(6))] + [(f"n2{k}", v) for k, v in zip("sbmv", norm(10))]
    init += [("wl", (rng.normal(size=(4, 10)) / 3).astype(np.float32)), ("bl", rng.normal(size=4).astype(np.float32))]
    nodes = [
        h.make_node("Conv", ["image", "w1", "b1"], ["c1"], "conv1", pads=[1, 1, 1, 1]),
        h.make_node("BatchNormalization", ["c1", "n1s", "n1b", "n1m", "n1v"], ["y1"], "norm1", epsilon=1e-5),
        h.make_node("Relu", ["y1"], ["r1"], "relu1"),
        h.make_node("AveragePool", ["r1"], ["p1"], "pool1", kernel_shape=[2, 2], strides=[2, 2]),
        h.make_node("Conv", ["p1", "w2"], ["c2"], "conv2", pads=[1, 1, 1, 1], strides=[2, 2]),
        h.make_node("BatchNormalization", ["c2", "n2s", "n2b", "n2m", "n2v"], ["y2"], "norm2", epsilon=1e-5),
        h.make_node("Relu", ["y2"], ["r2"], "relu2"),
        h.make_node("GlobalAveragePool", ["r2"], ["g"], "pool2"),
        h.make_node("Flatten", ["g"], ["f"], "flatten"),
        h.make_node("Gemm", ["f", "wl", "bl"], ["logits"], "linear", transB=1),
    ]
    made = model(
        "cnn",
        nodes,
        [h.make_tensor_value_info("image", T.FLOAT, ["batch", 1, 12, 12])],
        [h.make_tensor_value_info("logits", T.FLOAT, ["batch", 4])],
        init,
    )
    cases = {f"b{n}": {"image": rng.random((n, 1, 12, 12)).astype(np.float32)} for n in (1, 3, 8)}
    return made, cases, None


def step(rng):
    """One step of a current-based leaky integrate-and-fire layer: state goes in and comes out, reset by subtraction."""
    decay_i, decay_v, threshold = np.float32(0.75), np.float32(0.875), np.float32(1.0)
    weight = rng.normal(size=(5, 7)).astype(np.float32)
    init = [("w", weight), ("di", decay_i), ("dv", decay_v), ("th", threshold)]
    nodes = [
        h.make_node("MatMul", ["x", "w"], ["xw"], "project"),
        h.make_node("Mul", ["i", "di"], ["i0"], "decay-current"),
        h.make_node("Add", ["i0", "xw"], ["i_next"], "add-input"),
        h.make_node("Mul", ["v", "dv"], ["v0"], "decay-potential"),
        h.make_node("Add", ["v0", "i_next"], ["v1"], "integrate"),
        h.make_node("GreaterOrEqual", ["v1", "th"], ["fired"], "compare"),
        h.make_node("Cast", ["fired"], ["spikes"], "as-number", to=T.FLOAT),
        h.make_node("Mul", ["spikes", "th"], ["drop"], "scale"),
        h.make_node("Sub", ["v1", "drop"], ["v_next"], "reset"),
    ]
    state = lambda name: h.make_tensor_value_info(name, T.FLOAT, ["batch", 7])
    made = model("step", nodes, [h.make_tensor_value_info("x", T.FLOAT, ["batch", 5]), state("v"), state("i")], [state("spikes"), state("v_next"), state("i_next")], init)
    # Multiples of 1/8 keep the decays and comparisons exact in single precision; the projection is not at a threshold.
    eighths = lambda shape, low, high: (rng.integers(low, high, shape) / 8).astype(np.float32)
    cases = {f"b{n}": {"x": eighths((n, 5), -8, 9), "v": eighths((n, 7), -8, 9), "i": eighths((n, 7), -8, 9)} for n in (1, 4)}

    def numpy_step(feeds):
        i = feeds["i"] * decay_i + feeds["x"] @ weight
        v = feeds["v"] * decay_v + i
        assert np.abs(v - threshold).min() > 1e-3, "a potential too near the threshold to compare runtimes"
        spikes = (v >= threshold).astype(np.float32)
        return [spikes, v - spikes * threshold, i]

    return made, cases, numpy_step


def integers(rng):
    """64-bit integers and booleans, two free axes."""
    nodes = [
        h.make_node("Add", ["a", "b"], ["sum"], "add"),
        h.make_node("Sub", ["a", "b"], ["difference"], "sub"),
        h.make_node("Where", ["mask", "sum", "difference"], ["chosen"], "where"),
        h.make_node("Greater", ["a", "b"], ["greater"], "greater"),
        h.make_node("Or", ["greater", "mask"], ["either"], "or"),
        h.make_node("ArgMax", ["a"], ["best"], "argmax", axis=1, keepdims=0),
    ]
    value = lambda name, kind, dims=("rows", "columns"): h.make_tensor_value_info(name, kind, list(dims))
    made = model(
        "integers",
        nodes,
        [value("a", T.INT64), value("b", T.INT64), value("mask", T.BOOL)],
        [value("chosen", T.INT64), value("either", T.BOOL), value("best", T.INT64, ("rows",))],
    )

    def feeds(rows, columns):
        # Distinct along a row, so that the arg max is one; large enough to lose digits in a float.
        a = np.stack([rng.permutation(columns) for _ in range(rows)]).astype(np.int64) * (2**53 + 1)
        return {"a": a, "b": rng.integers(-(2**60), 2**60, (rows, columns)), "mask": rng.random((rows, columns)) < 0.5}

    return made, {"r2c3": feeds(2, 3), "r5c4": feeds(5, 4)}, None


def types(rng):
    """Other element types: halves and doubles through arithmetic, the rest passed on."""
    kinds = [("f16", T.FLOAT16, np.float16), ("f64", T.DOUBLE, np.float64)]
    passed = [("u8", T.UINT8, np.uint8), ("i8", T.INT8, np.int8), ("i32", T.INT32, np.int32), ("u16", T.UINT16, np.uint16)]
    nodes, inputs, outputs, feeds, init = [], [], [], {}, []
    for name, kind, dtype in kinds:
        init.append((f"{name}_two", dtype(2)))
        nodes.append(h.make_node("Mul", [f"{name}_in", f"{name}_two"], [f"{name}_out"], f"double-{name}"))
        feeds[f"{name}_in"] = rng.normal(size=(2, 3)).astype(dtype)
    for name, kind, dtype in passed:
        nodes.append(h.make_node("Transpose", [f"{name}_in"], [f"{name}_out"], f"turn-{name}", perm=[0, 1]))
        info = np.iinfo(dtype)
        feeds[f"{name}_in"] = rng.integers(info.min, info.max, (2, 3), dtype=dtype, endpoint=True)
    for name, kind, _ in kinds + passed:
        inputs.append(h.make_tensor_value_info(f"{name}_in", kind, [2, 3]))
        outputs.append(h.make_tensor_value_info(f"{name}_out", kind, [2, 3]))
    return model("types", nodes, inputs, outputs, init), {"fixed": feeds}, None


def external(rng):
    """A linear layer whose weight lies in a file of its own."""
    init = [("w", rng.normal(size=(5, 3)).astype(np.float32)), ("b", rng.normal(size=3).astype(np.float32))]
    nodes = [h.make_node("Gemm", ["x", "w", "b"], ["y"], "linear")]
    value = lambda name, width: h.make_tensor_value_info(name, T.FLOAT, ["batch", width])
    made = model("external", nodes, [value("x", 5)], [value("y", 3)], init)
    return made, {f"b{n}": {"x": rng.normal(size=(n, 5)).astype(np.float32)} for n in (1, 6)}, None


def unsupported():
    """An operator nobody has."""
    nodes = [
        h.make_node("Relu", ["x"], ["r"], "fine"),
        h.make_node("Frobnicate", ["r"], ["y"], "odd-one", domain="org.example"),
    ]
    value = lambda name: h.make_tensor_value_info(name, T.FLOAT, ["batch", 3])
    return model("unsupported", nodes, [value("x")], [value("y")], opsets=[h.make_opsetid("", OPSET), h.make_opsetid("org.example", 1)], check=False)


def main():
    folder = (Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for index, make in enumerate((cnn, step, integers, types, external)):
        made, cases, own = make(np.random.default_rng(SEED + index))
        names = [o.name for o in made.graph.output]
        for case, feeds in cases.items():
            want = own(feeds) if own else ReferenceEvaluator(made).run(None, feeds)
            for kind, pairs in (("in", feeds.items()), ("out", zip(names, want))):
                tensors.update({f"{make.__name__}/{case}/{kind}/{n}": np.ascontiguousarray(a) for n, a in pairs})
        if make is external:
            (folder / "external.bin").unlink(missing_ok=True)
            os.chdir(folder)  # the location below is looked for in the working folder
            onnx.external_data_helper.convert_model_to_external_data(made, location="external.bin", size_threshold=0)
            onnx.save(made, folder / "external.onnx")
        else:
            (folder / f"{make.__name__}.onnx").write_bytes(made.SerializeToString())
    (folder / "unsupported.onnx").write_bytes(unsupported().SerializeToString())
    save_file(tensors, folder / "cases.safetensors")
    versions = {"onnx": onnx.__version__, "numpy": np.__version__, "safetensors": safetensors.__version__, "opset": OPSET, "seed": SEED}
    (folder / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")


main()
