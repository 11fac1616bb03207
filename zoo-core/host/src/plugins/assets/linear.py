"""Writes linear.onnx: logits = [-(x0 + x1), x0 + x1] of a row of four numbers. Made with onnx 1.x, opset 17."""

import sys

import onnx
from onnx import TensorProto, helper, numpy_helper
import numpy as np

weight = np.array([[-1, 1], [-1, 1], [0, 0], [0, 0]], dtype=np.float32)
graph = helper.make_graph(
    [helper.make_node("MatMul", ["x", "weight"], ["logits"], name="linear")],
    "linear",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
    [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
    [numpy_helper.from_array(weight, "weight")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="zoo")
onnx.checker.check_model(model, full_check=True)
onnx.save(model, sys.argv[1] if len(sys.argv) > 1 else "linear.onnx")
