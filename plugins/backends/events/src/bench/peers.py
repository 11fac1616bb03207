"""sinabs and SpikingJelly on the executor's network; reads peer names, prints `milliseconds-a-sample spikes`."""
import importlib.metadata
import json
import pathlib
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

torch.set_num_threads(int(sys.argv[2]))
torch.set_num_interop_threads(1)
folder = pathlib.Path(sys.argv[1])
case = json.loads((folder / "case.json").read_text())
batch, steps = case["batch"], case["steps"]


def load(name, shape):
    return torch.from_numpy(np.fromfile(folder / f"{name}.f32", np.float32).reshape(shape).copy())


shapes = {"conv0": (8, 2, 3, 3), "conv1": (16, 8, 3, 3), "conv2": (32, 16, 3, 3), "fc3": (256, 512), "fc4": (10, 256)}
weights = {name: load(name, shape) for name, shape in shapes.items()}
frames = load("frames", (batch, steps, 2, 34, 34))


def through(x, neurons):
    """x: [N, 2, 34, 34] with time and batch folded; neurons: one callable a layer; gives spikes by layer."""
    spikes = []
    for i, name in enumerate(shapes):
        if name.startswith("conv"):
            x = F.conv2d(x, weights[name], stride=2 if i == 0 else 1, padding=1)
        else:
            x = F.linear(x.flatten(1), weights[name])
        x = neurons[i](x)
        spikes.append(x)
        if name in ("conv1", "conv2"):
            x = F.avg_pool2d(x, 2) * 4
    return spikes


def sinabs_peer():
    from sinabs.layers import IAFSqueeze

    layers = [IAFSqueeze(batch_size=batch, spike_threshold=1.0, min_v_mem=None) for _ in shapes]
    x = frames.flatten(0, 1)

    def run():
        for layer in layers:
            layer.reset_states()
        return through(x, layers)

    return run


def spikingjelly_peer():
    from spikingjelly.activation_based import functional, neuron

    nodes = [neuron.IFNode(v_threshold=1.0, v_reset=None, step_mode="m") for _ in shapes]
    x = frames.transpose(0, 1).flatten(0, 1).contiguous()

    def fold(node):
        return lambda x: node(x.unflatten(0, (steps, batch))).flatten(0, 1)

    folded = [fold(node) for node in nodes]

    def run():
        for node in nodes:
            functional.reset_net(node)
        return through(x, folded)

    return run


with torch.no_grad():
    peers = {"sinabs": sinabs_peer(), "spikingjelly": spikingjelly_peer()}
    for run in peers.values():
        run()
    versions = {name: importlib.metadata.version(name) for name in ("torch", "sinabs", "spikingjelly")}
    print("ready", json.dumps({"python": sys.version.split()[0], **versions}), flush=True)
    for line in sys.stdin:
        name = line.strip()
        if name not in peers:
            break
        start = time.perf_counter()
        spikes = peers[name]()
        elapsed = time.perf_counter() - start
        total = sum(int(s.double().sum().item()) for s in spikes)
        print(elapsed * 1e3 / batch, total, flush=True)
