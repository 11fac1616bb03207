"""Operations of five small nets as NeuroBench counts them: `python make.py` writes neurobench.json.

IF neurons of threshold 1 with reset by subtraction, one spike a step at most, weights multiples of 1/16. Each weight
layer's input of each step goes through NeuroBench's `single_layer_MACs`, effective and total.
"""
import json
import pathlib
import sys
from importlib.metadata import version

import torch
from neurobench.metrics.utils.layers import single_layer_MACs

STEPS = 6
# Input shape, then layers: channels out, kernel, stride, padding, groups; or the number of outputs of a linear layer.
NETS = [
    ([1, 7, 7], [(4, 3, 1, 1, 1), 5]),
    ([2, 9, 8], [(6, 3, 2, 1, 1), (4, 3, 1, 0, 2), 3]),
    ([4, 6, 6], [(8, 2, 2, 0, 4), 10, 4]),
    ([3, 5, 5], [(2, 5, 1, 2, 1), (3, 1, 1, 0, 1), 2]),
    ([12], [16, 16, 3]),
]


def net(seed, shape, layers):
    torch.manual_seed(seed)
    x = (torch.rand(STEPS, *shape) < 0.3).float()
    modules, out = [], {"shape": shape, "input": "".join(str(int(v)) for v in x.flatten()), "layers": []}
    width = shape
    for spec in layers:
        if isinstance(spec, tuple):
            channels, kernel, stride, padding, groups = spec
            module = torch.nn.Conv2d(width[0], channels, kernel, stride, padding, groups=groups, bias=False)
        else:
            flat = 1
            for d in width:
                flat *= d
            module = torch.nn.Linear(flat, spec, bias=False)
        # Some weights are 0: effective operations leave them out.
        weight = torch.randint(-6, 12, module.weight.shape).float() / 16
        module.weight.data = torch.where(torch.rand(weight.shape) < 0.2, torch.zeros(()), weight)
        modules.append(module)
        probe = torch.zeros(1, *width) if isinstance(spec, tuple) else torch.zeros(1, flat)
        width = list(module(probe).shape[1:])
        out["layers"].append({"spec": spec, "weight": module.weight.data.flatten().tolist(), "effective": 0, "dense": 0, "spikes": 0})
    states = [None] * len(modules)
    for step in range(STEPS):
        signal = x[step : step + 1]
        for i, module in enumerate(modules):
            if isinstance(module, torch.nn.Linear):
                signal = signal.flatten(1)
            record = out["layers"][i]
            effective, spiking = single_layer_MACs(signal, module)
            dense, _ = single_layer_MACs(signal, module, total=True)
            assert spiking or signal.sum() == 0
            record["effective"] += int(effective)
            record["dense"] += int(dense)
            v = module(signal) + (states[i] if states[i] is not None else 0)
            signal = (v >= 1).float()
            states[i] = v - signal
            record["spikes"] += int(signal.sum())
    return out


with torch.no_grad():
    nets = [net(seed, *spec) for seed, spec in enumerate(NETS)]
versions = {"python": sys.version.split()[0], **{name: version(name) for name in ("neurobench", "torch")}}
path = pathlib.Path(__file__).with_name("neurobench.json")
path.write_text(json.dumps({"versions": versions, "steps": STEPS, "nets": nets}) + "\n")
print([[(layer["effective"], layer["dense"], layer["spikes"]) for layer in net["layers"]] for net in nets])
