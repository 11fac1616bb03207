"""Makes the golden files of NIR: small nets exported by each framework, with an input and the spikes that the framework
itself gives for it.

All weights are multiples of 1/64, decays are 1/2 (or exp(-1/tau) for sinabs), thresholds powers of two: sums in f32 are
exact wherever the dynamics allow, so spikes must agree entry for entry.

Run: python make.py   (torch, nir, nirtorch, sinabs, snntorch, norse, spikingjelly; writes beside itself)
With nir 1.0.8 it makes everything; with nir 1.0.4, which knows no v_reset, only the net of sinabs, as `old_...`.
"""

import importlib.metadata
import json
import pathlib

import nir
import numpy as np
import torch
from torch import nn

HERE = pathlib.Path(__file__).parent
T = 24
OLD = importlib.metadata.version("nir") == "1.0.4"
torch.manual_seed(5)
golden = {"versions": {n: importlib.metadata.version(n) for n in ["torch", "nir", "nirtorch", "sinabs", "snntorch", "norse", "spikingjelly"]}}


def dyadic(module, scale):
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.round(torch.randn_like(p) * scale * 64) / 64)
    return module


def events(*shape):
    return (torch.rand(T, *shape) < 0.3).float()


def keep(name, graph, dialect, x, spikes, dt=None):
    if any(getattr(node, "input_shape", 0) is None for node in graph.nodes.values()) or "flatten" in str(graph.nodes).lower():
        graph.infer_types()  # fills shapes that the exporters leave open and the writer can't write
    name = f"old_{name}" if OLD else name
    nir.write(HERE / f"{name}.nir", graph)
    golden[name] = {
        "dialect": dialect,
        "input_shape": list(x.shape[1:]),
        "input": "".join(str(int(v)) for v in x.flatten()),
        "output_shape": list(spikes.shape[1:]),
        "output": [int(v) for v in spikes.flatten()],
        **({"dt": dt} if dt else {}),
    }
    print(name, "spikes", int(spikes.sum()), "of", spikes.numel())


def sinabs_nets():
    import sinabs.layers as sl
    from sinabs.nir import to_nir

    conv = dyadic(nn.Conv2d(2, 4, 3, stride=2, padding=1, bias=False), 0.4)
    fc = dyadic(nn.Linear(16, 5, bias=False), 0.4)
    # min_v_mem as sinabs' own importer sets it.
    iaf = lambda: sl.IAFSqueeze(batch_size=1, spike_threshold=torch.tensor(1.0), min_v_mem=torch.tensor(-1.0))
    net = nn.Sequential(conv, iaf(), sl.SumPool2d(2), nn.Flatten(), fc, iaf())
    x = events(2, 8, 8)
    with torch.no_grad():
        y = net(x)
    keep("sinabs_iaf", to_nir(net, x[:1]), "sinabs", x, y)

    fc1, fc2 = dyadic(nn.Linear(6, 8), 0.6), dyadic(nn.Linear(8, 4), 0.6)
    # One value for all neurons exports only with the older nir; the newer one checks shapes.
    lif = lambda tau, n: sl.LIFSqueeze(tau_mem=torch.full((n,), tau), batch_size=1, spike_threshold=torch.ones(n), norm_input=False)
    net = nn.Sequential(fc1, lif(4.0, 1 if OLD else 8), fc2, lif(8.0, 1 if OLD else 4))
    x = events(6)
    with torch.no_grad():
        y = net(x)
    keep("sinabs_lif", to_nir(net, x[:1]), "sinabs", x, y)


def snntorch_net():
    import snntorch as snn
    from snntorch import utils
    from snntorch.export_nir import export_to_nir

    # reset_mechanism and reset_delay as snnTorch's own importer sets them.
    def leaky(n, output=False):
        return snn.Leaky(beta=torch.full((n,), 0.5), threshold=torch.ones(n), reset_mechanism="zero", reset_delay=False, init_hidden=True, output=output)

    fc1, fc2 = dyadic(nn.Linear(6, 8), 0.7), dyadic(nn.Linear(8, 4, bias=False), 0.9)
    net = nn.Sequential(fc1, leaky(8), fc2, leaky(4, True))
    x = events(6)
    out = []
    with torch.no_grad():
        utils.reset(net)
        for t in range(T):
            y = net(x[t : t + 1])
            out.append((y[0] if isinstance(y, tuple) else y)[0])
        utils.reset(net)
        graph = export_to_nir(net, x[:1], ignore_dims=[0])
    keep("snntorch_leaky", graph, "snntorch", x, torch.stack(out))


def norse_nets():
    import norse.torch as norse
    from norse.torch.functional.iaf import IAFParameters
    from norse.torch.functional.lif_box import LIFBoxParameters
    from norse.torch.module.iaf import IAFCell
    from norse.torch.utils.export_nir import to_nir

    def run(net, x):
        state, out = None, []
        with torch.no_grad():
            for t in range(T):
                y, state = net(x[t : t + 1], state)
                out.append(y[0])
        return torch.stack(out)

    x = events(6)
    # tau_mem_inv = 500 at dt = 1 ms is a decay of 1/2.
    def lif(n):
        full = lambda value: torch.full((n,), value)
        return norse.LIFBoxCell(LIFBoxParameters(tau_mem_inv=full(500.0), v_leak=full(0.0), v_th=full(0.25), v_reset=full(0.0)))

    net = norse.SequentialState(dyadic(nn.Linear(6, 8), 0.7), lif(8), dyadic(nn.Linear(8, 4), 0.9), lif(4))
    keep("norse_lif", to_nir(net, x[0]), "norse", x, run(net, x), dt=1e-6)
    iaf = lambda n: IAFCell(IAFParameters(v_th=torch.ones(n)))
    net = norse.SequentialState(dyadic(nn.Linear(6, 8), 0.5), iaf(8), dyadic(nn.Linear(8, 4), 0.7), iaf(4))
    keep("norse_iaf", to_nir(net, x[0]), "norse", x, run(net, x))


def spikingjelly_nets():
    from spikingjelly.activation_based import functional, layer, neuron
    from spikingjelly.activation_based.nir_exchange import export_to_nir

    def run(net, x):
        functional.reset_net(net)
        with torch.no_grad():
            out = torch.stack([net(x[t : t + 1])[0] for t in range(T)])
        functional.reset_net(net)
        return out

    conv, fc = dyadic(layer.Conv2d(2, 4, 3, padding=1), 0.3), dyadic(layer.Linear(64, 5), 0.3)
    net = nn.Sequential(conv, neuron.IFNode(v_threshold=1.0, v_reset=0.0), layer.AvgPool2d(2), layer.Flatten(), fc,
                        neuron.LIFNode(tau=2.0, decay_input=False, v_threshold=1.0, v_reset=0.0))
    x = events(2, 8, 8)
    keep("spikingjelly_if_lif", export_to_nir(net, x[:1]), "spikingjelly", x, run(net, x))

    fc1, fc2 = dyadic(layer.Linear(6, 8), 0.9), dyadic(layer.Linear(8, 4), 0.9)
    net = nn.Sequential(fc1, neuron.CUBALIFNode(c_decay=0.5, v_decay=0.5, v_threshold=1.0, v_reset=0.0), fc2,
                        neuron.LIFNode(tau=2.0, decay_input=True, v_threshold=0.5, v_reset=-0.25))
    x = events(6)
    keep("spikingjelly_cuba", export_to_nir(net, x[:1]), "spikingjelly", x, run(net, x))


for make in (sinabs_nets,) if OLD else (sinabs_nets, snntorch_net, norse_nets, spikingjelly_nets):
    make()
if OLD:
    (HERE / "golden_old.json").write_text(json.dumps(golden) + "\n")
    raise SystemExit

# What files may also hold: every kind of node, gzip-compressed chunks, a nested loop, padding by name, 32-bit integers.
n = np.full(3, 1.0, np.float32)
every = nir.NIRGraph(
    nodes={
        "input": nir.Input(np.array([1, 6, 6])),
        "conv": nir.Conv2d((6, 6), np.ones((2, 1, 3, 3), np.float32), 1, "same", 1, 1, np.zeros(2, np.float32)),
        "sum": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "avg": nir.AvgPool2d(np.array([3, 3]), np.array([3, 3]), np.array([0, 0])),
        "flatten": nir.Flatten({"input": np.array([2, 1, 1])}, 0, -1),
        "affine": nir.Affine(np.ones((3, 2), np.float32), n),
        "linear": nir.Linear(np.ones((3, 3), np.float32)),
        "scale": nir.Scale(n * 2),
        "threshold": nir.Threshold(n),
        "delay": nir.Delay(n * 3e-4),
        "i": nir.I(n),
        "if": nir.IF(n * 1e4, n),
        "li": nir.LI(n * 2e-4, n, n * 0),
        "lif": nir.LIF(n * 2e-4, n, n * 0, n),
        "cubalif": nir.CubaLIF(n * 2e-4, n * 4e-4, n, n * 0, n),
        "output": nir.Output(np.array([3])),
    },
    edges=[],
    type_check=False,
)
names = list(every.nodes)
every.edges = list(zip(names, names[1:]))
nir.write(HERE / "every_node.nir", every)

import h5py

with h5py.File(HERE / "every_node.nir", "r") as a, h5py.File(HERE / "compressed.nir", "w") as b:
    def copy(name, item):
        if isinstance(item, h5py.Dataset):
            packed = item.shape and item.dtype.kind in "fi"
            b.create_dataset(name, data=item[()], dtype=item.dtype, **({"chunks": True, "compression": "gzip", "shuffle": True} if packed else {}))
        else:
            b.require_group(name)
    a.visititems(copy)

loop = nir.NIRGraph(
    nodes={
        "input": nir.Input(np.array([3])),
        "rec": nir.NIRGraph(
            nodes={
                "input": nir.Input(np.array([3])),
                "lif": nir.LIF(n * 2e-4, n * 2, n * 0, n),
                "w_rec": nir.Linear(np.eye(3, dtype=np.float32) * 0.5),
                "output": nir.Output(np.array([3])),
            },
            edges=[("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")],
            type_check=False,
        ),
        "output": nir.Output(np.array([3])),
    },
    edges=[("input", "rec"), ("rec", "output")],
    type_check=False,
)
nir.write(HERE / "loop.nir", loop)

(HERE / "golden.json").write_text(json.dumps(golden) + "\n")
