"""Times ONNX Runtime from Python, one turn at a time.

Arguments: MODEL THREADS NAME=SHAPE=FILE...   (f32 inputs, little endian, SHAPE as 64x1x28x28)
Then, for every line N on standard input, runs once untimed and N times timed, and prints the seconds that the N runs took.
"""

import sys
import time

import numpy as np
import onnxruntime as ort

options = ort.SessionOptions()
options.intra_op_num_threads = int(sys.argv[2])
options.inter_op_num_threads = 1
session = ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
feeds = {}
for argument in sys.argv[3:]:
    name, shape, path = argument.rsplit("=", 2)
    feeds[name] = np.fromfile(path, dtype="<f4").reshape([int(n) for n in shape.split("x")])
print("ready", ort.__version__, flush=True)
for line in sys.stdin:
    session.run(None, feeds)
    start = time.perf_counter()
    for _ in range(int(line)):
        session.run(None, feeds)
    print(time.perf_counter() - start, flush=True)
