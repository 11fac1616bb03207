"""Saves a small HebbFF with PyTorch as its authors do, in both layouts of torch.save, and a file that would run code."""

import collections
import importlib.metadata
import json
import os
import pathlib
import pickle
import platform
import sys

import torch

folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
torch.manual_seed(5)
N, D = 6, 4


class HebbNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        # A transposed view: its strides are not those of its shape.
        self.w1 = torch.nn.Parameter(torch.randn(D, N).t() / 2)
        self.b1 = torch.nn.Parameter(torch.zeros(1) - 0.5)
        self.w2 = torch.nn.Parameter(torch.randn(1, N))
        self.b2 = torch.nn.Parameter(torch.randn(1))
        self._eta = torch.nn.Parameter(torch.tensor(-0.7))
        self._lam = torch.nn.Parameter(torch.tensor(0.95))
        self.g1 = torch.nn.Parameter(torch.tensor(float("nan")), requires_grad=False)
        self.register_buffer("A", torch.zeros(N, D))
        self.register_buffer("plastic", torch.tensor(True))
        self.register_buffer("forceAnti", torch.tensor(False))
        self.register_buffer("forceHebb", torch.tensor(False))
        self.register_buffer("reparamLam", torch.tensor(False))
        self.register_buffer("reparamLamTau", torch.tensor(False))
        self.register_buffer("groundTruthPlast", torch.tensor(False))


net = HebbNet()
state = net.state_dict()
state.update({"hist": {"epoch": 3, "iter": 70000, "train_loss": [0.5, 0.25], "increment_R": [(0, 1), (120, 2)]}})
torch.save(state, folder / "archive.pkl")
torch.save(state, folder / "sequence.pkl", _use_new_zipfile_serialization=False)


class Hostile:
    def __reduce__(self):
        return os.system, ("touch was-run",)


(folder / "hostile.pkl").write_bytes(pickle.dumps(collections.OrderedDict(w1=Hostile()), protocol=2))

x = torch.sign(torch.randn(7, D))
plastic, answers = torch.zeros(N, D), []
with torch.no_grad():
    for item in x:
        h = torch.sigmoid((net.w1 + plastic) @ item + net.b1)
        plastic = net._lam * plastic + net._eta * torch.outer(h, item)
        answers.append(float(torch.sigmoid(net.w2 @ h + net.b2)))
document = {"n": N, "d": D, "w1": net.w1.tolist(), "items": x.tolist(), "answers": answers}
(folder / "answers.json").write_text(json.dumps(document) + "\n")
versions = {"python": platform.python_version(), "torch": importlib.metadata.version("torch")}
(folder / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")
