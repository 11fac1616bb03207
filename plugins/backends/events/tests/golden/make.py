"""Spikes of sinabs and SpikingJelly on small networks with dyadic weights.

Run with an interpreter that has torch, sinabs, spikingjelly and safetensors:  python make.py
Writes NAME.safetensors (weights, input frames, spikes of each layer as [T, ...]) and versions.json beside this script.
"""
import json
import pathlib

import sinabs
import sinabs.layers as sl
import spikingjelly
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from spikingjelly.activation_based import functional, neuron

HERE = pathlib.Path(__file__).parent
T = 12
torch.manual_seed(20260)


def dyadic(*shape, size=1.0, low=-0.8):
    return torch.round((torch.rand(*shape) * (2.0 - 0.2) + low) * size * 256) / 256


def frames(channels, side, rate, most=1):
    counts = torch.randint(1, most + 1, (T, channels, side, side)).float()
    return (torch.rand(T, channels, side, side) < rate).float() * counts


def sinabs_if():
    return sl.IAF(spike_threshold=1.0, min_v_mem=-1.0)


def sinabs_lif(decay):
    tau = -1.0 / torch.log(torch.tensor(decay, dtype=torch.float64)).item()
    return sl.LIF(tau_mem=tau, spike_threshold=1.0, min_v_mem=None, norm_input=False)


def steps_sinabs(layer):
    return lambda x: layer(x.unsqueeze(0)).squeeze(0)


def steps_jelly(layer):
    layer.step_mode = "m"
    return lambda x: layer(x)


def jelly_if():
    return neuron.IFNode(v_threshold=1.0, v_reset=None)


def jelly_lif(reset):
    # tau = 2, decay_input: v = v - (v - v_reset) / 2 + x / 2, exact on dyadic numbers.
    return neuron.LIFNode(tau=2.0, decay_input=True, v_threshold=1.0, v_reset=reset)


def conv_net(make, bias, strength=1.0):
    w = {
        "conv0.weight": dyadic(6, 2, 3, 3, size=0.7 * strength),
        "conv1.weight": dyadic(5, 6, 3, 3, size=0.5 * strength),
        "fc.weight": dyadic(7, 5 * 3 * 3, size=0.6 * strength),
    }
    if bias:
        w |= {"conv0.bias": dyadic(6, size=0.2), "conv1.bias": dyadic(5, size=0.2), "fc.bias": dyadic(7, size=0.2)}
    x = frames(2, 13, 0.15, most=2)
    layers = {}
    y = layers["n0"] = make()(F.conv2d(x, w["conv0.weight"], w.get("conv0.bias"), stride=2, padding=1))
    y = layers["n1"] = make()(F.conv2d(y, w["conv1.weight"], w.get("conv1.bias"), padding=1))
    y = F.avg_pool2d(y, 2) * 4
    layers["n2"] = make()(F.linear(y.flatten(1), w["fc.weight"], w.get("fc.bias")))
    return x, w, layers


def residual_net(make, strength=1.0):
    w = {"conv0.weight": dyadic(4, 2, 3, 3, size=0.7 * strength), "conv1.weight": dyadic(4, 4, 3, 3, size=0.4 * strength), "fc.weight": dyadic(6, 4 * 64, size=0.2 * strength)}
    x = frames(2, 8, 0.2)
    layers = {}
    a = layers["n0"] = make()(F.conv2d(x, w["conv0.weight"], padding=1))
    b = layers["n1"] = make()(F.conv2d(a, w["conv1.weight"], padding=1) + a)
    layers["n2"] = make()(F.linear(b.flatten(1), w["fc.weight"]))
    return x, w, layers


CASES = {
    "sinabs_if": lambda: conv_net(lambda: steps_sinabs(sinabs_if()), False),
    "sinabs_if_bias": lambda: conv_net(lambda: steps_sinabs(sinabs_if()), True),
    "sinabs_if_residual": lambda: residual_net(lambda: steps_sinabs(sinabs_if())),
    "sinabs_lif": lambda: conv_net(lambda: steps_sinabs(sinabs_lif(0.5)), False),
    "jelly_if": lambda: conv_net(lambda: steps_jelly(jelly_if()), False),
    "jelly_if_bias": lambda: conv_net(lambda: steps_jelly(jelly_if()), True),
    "jelly_if_residual": lambda: residual_net(lambda: steps_jelly(jelly_if())),
    "jelly_lif_soft": lambda: conv_net(lambda: steps_jelly(jelly_lif(None)), False, 3.0),
    "jelly_lif_hard": lambda: conv_net(lambda: steps_jelly(jelly_lif(0.0)), True, 3.0),
    "jelly_lif_residual": lambda: residual_net(lambda: steps_jelly(jelly_lif(0.0)), 4.0),
}

with torch.no_grad():
    for name, case in CASES.items():
        x, weights, layers = case()
        if name == "sinabs_lif":
            # What exp(-1 / tau) really is in float32.
            weights["decay"] = sinabs_lif(0.5).alpha_mem_calculated.reshape(1)
        tensors = {"x": x, **weights, **{f"spikes.{k}": v for k, v in layers.items()}}
        save_file({k: v.contiguous() for k, v in sorted(tensors.items())}, HERE / f"{name}.safetensors")
        print(name, {k: int(v.sum()) for k, v in layers.items()})
versions = {"torch": torch.__version__, "sinabs": sinabs.__version__, "spikingjelly": getattr(spikingjelly, "__version__", "")}
if not versions["spikingjelly"]:
    import importlib.metadata

    versions["spikingjelly"] = importlib.metadata.version("spikingjelly")
(HERE / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")
