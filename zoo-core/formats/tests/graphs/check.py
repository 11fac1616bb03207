"""Check the graphs in a folder: `check.py reference|run|free FOLDER`.

Each graph passes the checker, has the shapes that strict inference finds, and runs in ONNX Runtime with outputs of the
declared type and shape. `reference` compares the outputs with `reference.py`, too. `free` allows for graphs that the
length chosen for a free axis does not fit, as long as at least half of them run.
"""

import pathlib
import sys

import numpy as np
import onnx
import onnx.checker
import onnx.numpy_helper
import onnx.shape_inference
import onnxruntime as ort
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument

import reference

FREE = {"batch": 2, "height": 7, "width": 6}


def dims(info):
    return [d.dim_value if d.HasField("dim_value") else d.dim_param or "unk__" for d in info.type.tensor_type.shape.dim]


def described(model):
    infos = [*model.graph.value_info, *model.graph.output]
    shaped = {i.name: i.type.tensor_type.HasField("shape") for i in infos}
    return {i.name: (i.type.tensor_type.elem_type, dims(i) if shaped[i.name] else None) for i in infos}


def check_shapes(model):
    """Strict inference from inputs and weights alone must find what the writer wrote, or less."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.graph.value_info[:]
    for info in bare.graph.output:
        info.type.tensor_type.ClearField("shape")
    inferred = described(onnx.shape_inference.infer_shapes(bare, check_type=True, strict_mode=True, data_prop=True))
    ours = described(model)
    assert ours.keys() == inferred.keys(), f"values differ: {sorted(ours.keys() ^ inferred.keys())}"
    for name, (dtype, shape) in inferred.items():
        assert ours[name][0] == dtype, f"{name}: type {ours[name][0]}, inferred {dtype}"
        mine = ours[name][1]
        if shape is None:  # older opsets follow fewer computed shapes
            continue
        assert len(mine) == len(shape), f"{name}: shape {mine}, inferred {shape}"
        for a, b in zip(mine, shape):
            unknown = isinstance(b, str) and b.startswith("unk__")
            assert unknown or a == b, f"{name}: shape {mine}, inferred {shape}"


def make_inputs(model, rng):
    weights = {w.name for w in model.graph.initializer}
    inputs = {}
    for info in model.graph.input:
        if info.name not in weights:
            shape = [d if isinstance(d, int) else FREE[d] for d in dims(info)]
            dtype = onnx.helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
            inputs[info.name] = rng.uniform(-1.2, 1.2, shape).astype(dtype)
    return inputs


def run(model, path, inputs):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    outputs = dict(zip(names, session.run(names, inputs)))
    # Each free name stands for one length.
    lengths = dict(FREE)
    for info in model.graph.output:
        value = outputs[info.name]
        assert value.dtype == onnx.helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type), info.name
        declared = dims(info)
        assert len(declared) == value.ndim, f"{info.name}: declared {declared}, found {value.shape}"
        for want, have in zip(declared, value.shape):
            want = lengths.setdefault(want, have) if isinstance(want, str) else want
            assert want == have, f"{info.name}: declared {declared}, found {value.shape}"
    return outputs


def compare(case, inputs, weights, outputs):
    expected = getattr(reference, case)(inputs, weights)
    assert expected.keys() == outputs.keys(), f"outputs differ: {sorted(expected.keys() ^ outputs.keys())}"
    for name, want in expected.items():
        have = outputs[name]
        assert have.shape == want.shape, f"{name}: shape {have.shape}, expected {want.shape}"
        if have.dtype.kind == "f":
            tolerance = 2e-3 if have.dtype == np.float16 else 2e-5
            np.testing.assert_allclose(have, want, rtol=tolerance, atol=tolerance, err_msg=name)
        else:
            np.testing.assert_array_equal(have, want, err_msg=name)


def main():
    mode, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    failures = []
    misfits = 0
    paths = sorted(folder.glob("*/*.onnx"))
    for path in paths:
        rng = np.random.default_rng(7)
        try:
            onnx.checker.check_model(str(path), full_check=True)
            model = onnx.load(path)
            check_shapes(model)
            inputs = make_inputs(model, rng)
            try:
                outputs = run(model, path, inputs)
            except (Fail, InvalidArgument):
                if mode != "free":
                    raise
                misfits += 1
            if mode == "reference":
                weights = {w.name: onnx.numpy_helper.to_array(w) for w in model.graph.initializer}
                compare(model.graph.name, inputs, weights, outputs)
        except Exception as error:  # every failure is collected, so that one run shows them all
            failures.append(f"{path.parent.name}: {type(error).__name__}: {error}")
    if misfits > len(paths) // 2:
        failures.append(f"{misfits} of {len(paths)} graphs do not run")
    if failures:
        sys.exit("\n".join(failures))
    print(f"{len(paths)} graphs agree")


main()
