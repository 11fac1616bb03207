"""Opens exported files with one tool and compares what it finds with what the zoo found.

    python verify.py TOOL CASES.json [FROM]

CASES.json lists files with what must be found in them (zoo_host::export::verify writes it). Prints a JSON line a case: the
greatest absolute difference, or why the tool does not take the file. A file that takes longer than LIMIT seconds ends the
process, and the caller goes on with the next one.
"""

import faulthandler
import hashlib
import json
import sys
from importlib.metadata import version

LIMIT = 600


def arrays(checks, run, side):
    """Tensors of one side of one run, by name."""
    from safetensors.numpy import load_file

    prefix = f"{run}.{side}."
    every = load_file(checks["tensors"])
    return {name[len(prefix) :]: value for name, value in every.items() if name.startswith(prefix)}


def difference(found, wanted):
    """Greatest absolute difference, and greatest absolute value, of the output that is furthest off for its size."""
    import numpy as np

    worst = (0.0, 0.0)
    for name, ours in wanted.items():
        theirs = np.asarray(found[name])
        if theirs.shape != ours.shape:
            raise ValueError(f"output {name}: expected shape {ours.shape}, found {theirs.shape}")
        if ours.size == 0:
            continue
        ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
        # Equal values differ by nothing, infinite ones and what is no number among them.
        same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
        with np.errstate(invalid="ignore"):
            gap = np.where(same, 0.0, np.abs(ours - theirs))
        finite = np.abs(ours[np.isfinite(ours)])
        worst = further(worst, (float(np.max(gap)), float(finite.max()) if finite.size else 0.0))
    return worst


def further(one, other):
    """That of two (difference, size) which is further off for its size; what is no number is furthest."""
    ratio = lambda pair: pair[0] / (1 + pair[1]) if pair[0] == pair[0] else float("inf")
    return other if ratio(other) >= ratio(one) else one


def compared(checks, outputs):
    """Feeds every run to `outputs` and joins the differences."""
    if checks["kind"] == "onnx-form":
        return {"taken": "opened; none of the zoo's backends ran it: " + checks["why"]}
    worst = (0.0, 0.0)
    for run in range(checks["runs"]):
        worst = further(worst, difference(outputs(arrays(checks, run, "in")), arrays(checks, run, "out")))
    return {"max_abs": worst[0] if worst[0] == worst[0] else None, "scale": worst[1]}


def graph_names(path):
    """Names of inputs and outputs in the order of the file."""
    import onnx

    graph = onnx.load(path).graph
    fixed = {tensor.name for tensor in graph.initializer}
    return [value.name for value in graph.input if value.name not in fixed], [value.name for value in graph.output]


def by_onnxruntime(model):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(None, inputs)))


def checker(case, _):
    import onnx

    onnx.checker.check_model(case["path"], full_check=True)
    return {"taken": ""}


def onnxruntime(case, checks):
    return compared(checks, by_onnxruntime(case["path"]))


def openvino(case, checks):
    import openvino

    compiled = openvino.Core().compile_model(case["path"], "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    names = graph_names(case["path"])[1]

    def outputs(inputs):
        result = compiled(inputs)
        return {name: result[index] for index, name in enumerate(names)}

    return compared(checks, outputs)


def onnx2torch(case, checks):
    import onnx
    import onnx2torch
    import torch

    try:
        module = onnx2torch.convert(onnx.load(case["path"])).eval()
    except KeyError as error:
        raise NotImplementedError(f"takes {error} for a constant weight, which the graph computes from its input") from error
    given, names = graph_names(case["path"])

    def outputs(inputs):
        with torch.no_grad():
            result = module(*[torch.from_numpy(inputs[name].copy()) for name in given])
        values = result if isinstance(result, (tuple, list)) else [result]
        return {name: value.numpy() for name, value in zip(names, values)}

    return compared(checks, outputs)


def onnxslim(case, checks):
    import onnx
    import onnxslim

    slim = onnxslim.slim(onnx.load(case["path"]))
    onnx.checker.check_model(slim, full_check=True)
    return compared(checks, by_onnxruntime(slim.SerializeToString()))


def safetensors(case, checks):
    from safetensors import deserialize

    with open(case["path"], "rb") as file:
        found = {name: hashlib.sha256(tensor["data"]).hexdigest() for name, tensor in deserialize(file.read())}
    other = sorted(name for name in found.keys() | checks["sums"].keys() if found.get(name) != checks["sums"].get(name))
    if other:
        return {"refused": "other tensors than ours: " + ", ".join(other[:8])}
    return {"taken": f"{len(found)} tensors, byte for byte"}


def nir(case, checks):
    import h5py
    import nir as package

    with h5py.File(case["path"], "r") as file:
        keys = sorted(file.keys())
    graph = package.read(case["path"])
    found, wanted = (len(graph.nodes), len(graph.edges)), (checks["nodes"], checks["edges"])
    if found != wanted or "node" not in keys:
        return {"refused": f"expected {wanted[0]} nodes and {wanted[1]} edges, found {found[0]} and {found[1]}"}
    return {"taken": f"{found[0]} nodes, {found[1]} edges"}


TOOLS = {
    "onnx.checker": (checker, ["onnx"]),
    "onnxruntime": (onnxruntime, ["onnxruntime"]),
    "openvino": (openvino, ["openvino"]),
    "onnx2torch": (onnx2torch, ["onnx2torch", "torch"]),
    "onnxslim": (onnxslim, ["onnxslim"]),
    "safetensors": (safetensors, ["safetensors"]),
    "nir": (nir, ["nir", "h5py"]),
}


def say(line):
    print(json.dumps(line), flush=True)


def main():
    name, cases = sys.argv[1], json.load(open(sys.argv[2], encoding="utf-8"))
    start = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    tool, packages = TOOLS[name]
    say({"versions": {package: version(package) for package in packages}})
    for index, case in enumerate(cases[start:], start):
        faulthandler.dump_traceback_later(LIMIT, exit=True)
        try:
            answer = tool(case, case["checks"])
        except Exception as error:  # noqa: BLE001: whatever a tool says of a file is its answer
            said = f"{type(error).__name__}: {' '.join(str(error).split())}"
            answer = {"refused": said if len(said) <= 300 else said[:300] + " ..."}
        faulthandler.cancel_dump_traceback_later()
        say({"index": index, **answer})


if __name__ == "__main__":
    main()
