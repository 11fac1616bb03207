"""Writes the node tests of the ONNX package as files: a folder a case with fed.onnx, constant.onnx and tensors.

Usage: make_cases.py FOLDER. Prints how many cases were written and how many hold values that are no plain tensors.
"""

import copy
import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.loader import load_node_model_tests

PLAIN = {
    TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.BOOL, TensorProto.INT8,
    TensorProto.UINT8, TensorProto.INT16, TensorProto.UINT16, TensorProto.INT32, TensorProto.UINT32, TensorProto.INT64,
    TensorProto.UINT64,
}


def raw(value, kind):
    """A tensor of the declared type with its data as raw bytes, or None for other values and types."""
    if kind.WhichOneof("value") != "tensor_type" or kind.tensor_type.elem_type not in PLAIN:
        return None
    if isinstance(value, TensorProto):
        value = numpy_helper.to_array(value)
    value = np.asarray(value, order="C")  # ascontiguousarray would make a scalar a list
    return helper.make_tensor("t", kind.tensor_type.elem_type, value.shape, value.tobytes(), raw=True)


def write(case, folder):
    graph = case.model.graph
    inputs, outputs = case.data_sets[0]
    packed = [[raw(v, p.type) for v, p in zip(values, ports)] for values, ports in ((inputs, graph.input), (outputs, graph.output))]
    if any(t is None for part in packed for t in part) or len(inputs) != len(graph.input) or len(outputs) != len(graph.output):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in zip(("input", "output"), packed):
        for index, tensor in enumerate(part):
            (folder / f"{name}_{index}.pb").write_bytes(tensor.SerializeToString())
    (folder / "fed.onnx").write_bytes(case.model.SerializeToString())
    # Exporters store all arguments but the data as constants.
    constant = copy.deepcopy(case.model)
    for tensor, port in zip(packed[0][1:], graph.input[1:]):
        tensor.name = port.name
        constant.graph.initializer.append(tensor)
    del constant.graph.input[1:]
    (folder / "constant.onnx").write_bytes(constant.SerializeToString())
    ops = sorted({n.op_type for n in graph.node})
    (folder / "case.json").write_text(json.dumps({"ops": ops, "rtol": case.rtol, "atol": case.atol}))
    return True


cases = load_node_model_tests()
kept = sum(write(case, Path(sys.argv[1]) / case.name) for case in cases)
print(json.dumps({"onnx": onnx.__version__, "cases": len(cases), "written": kept, "other": len(cases) - kept}))
