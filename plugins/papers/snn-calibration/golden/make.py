"""Golden values for snn-calibration, from PyTorch (forward, autograd) and a simulator written here from the paper's
equations. Run in a Python with torch, numpy and safetensors; writes small.safetensors, vgg_mini.safetensors and
versions.json beside itself. Nothing here calls the Rust code."""

import json
import pathlib
import platform
import sys

import numpy as np
import safetensors
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).parent
torch.manual_seed(20220521)
torch.set_num_threads(1)

# (kind, input, residual, relu, args); -1 is the image.
NET = [
    ("conv", -1, None, True, dict(cin=1, cout=4, k=3, s=1, p=1, g=1)),
    ("pool", 0, None, False, dict(k=2)),
    ("conv", 1, None, True, dict(cin=4, cout=6, k=3, s=1, p=1, g=1)),
    ("conv", 1, None, False, dict(cin=4, cout=6, k=1, s=1, p=0, g=1)),
    ("conv", 2, 3, True, dict(cin=6, cout=6, k=3, s=1, p=1, g=1)),
    ("conv", 4, None, True, dict(cin=6, cout=6, k=3, s=2, p=1, g=6)),
    ("gap", 5, None, False, {}),
    ("linear", 6, None, False, dict(cin=6, cout=5)),
]


def linear_part(node, weight, bias, x):
    kind, _, _, _, a = node
    if kind == "conv":
        return F.conv2d(x, weight, bias, stride=a["s"], padding=a["p"], groups=a["g"])
    if kind == "pool":
        return F.avg_pool2d(x, a["k"])
    if kind == "gap":
        return F.adaptive_avg_pool2d(x, 1)
    return F.linear(x.flatten(1), weight, bias)


def channels(bias, x):
    return bias.view(1, -1, *([1] * (x.dim() - 2)))


def activations(net, params, x):
    """ReLU activations of every layer."""
    outs = []
    for n, node in enumerate(net):
        src = x if node[1] < 0 else outs[node[1]]
        w, b = params.get(n, (None, None))
        y = linear_part(node, w, b, src)
        if node[2] is not None:
            y = y + outs[node[2]]
        outs.append(torch.relu(y) if node[3] else y)
    return outs


def spikes(net, params, theta, v_init, x, steps, shift, until=None):
    """Clocked simulation: v += current + b + shift theta/(2T); spike of height theta where v >= theta; v -= spike.
    Returns the sum of every layer's output over the steps."""
    v = {n: (v_init[n].expand(x.shape[0], *v_init[n].shape[1:]).clone() if n in v_init else None) for n in theta}
    total = [None] * len(net)
    for _ in range(steps):
        outs = []
        for n, node in enumerate(net):
            src = x if node[1] < 0 else outs[node[1]]
            w, b = params.get(n, (None, None))
            y = linear_part(node, w, b, src)
            if node[2] is not None:
                y = y + outs[node[2]]
            if node[3]:
                t = channels(theta[n], y)
                if shift:
                    y = y + t * (0.5 / steps)
                v[n] = y if v[n] is None else v[n] + y
                s = torch.where(v[n] >= t, t.expand_as(v[n]), torch.zeros(()).to(y))
                v[n] = v[n] - s
                y = s
            outs.append(y)
            total[n] = y if total[n] is None else total[n] + y
            if until is not None and n == until:
                break
    return total


def fold(w, bn, eps=1e-5):
    scale = bn["weight"] / torch.sqrt(bn["running_var"] + eps)
    return w * scale.view(-1, 1, 1, 1), bn["bias"] - bn["running_mean"] * scale


def small():
    out = {}
    x = torch.randn(6, 1, 8, 8)
    out["x"] = x
    # Unfused network in evaluation mode, by torch's own batch_norm.
    orig, outs = {}, []
    for n, node in enumerate(NET):
        a = node[4]
        src = x if node[1] < 0 else outs[node[1]]
        if node[0] == "conv":
            w = torch.randn(a["cout"], a["cin"] // a["g"], a["k"], a["k"]) * (2.0 / (a["cin"] // a["g"] * a["k"] ** 2)) ** 0.5
            bn = {
                "weight": torch.rand(a["cout"]) + 0.5, "bias": torch.randn(a["cout"]) * 0.1,
                "running_mean": torch.randn(a["cout"]) * 0.1, "running_var": torch.rand(a["cout"]) + 0.5,
            }
            orig[n] = (w, bn)
            out[f"orig.{n}.weight"] = w
            out.update({f"orig.{n}.bn.{k}": t for k, t in bn.items()})
            y = F.conv2d(src, w, None, stride=a["s"], padding=a["p"], groups=a["g"])
            y = F.batch_norm(y, bn["running_mean"], bn["running_var"], bn["weight"], bn["bias"], False, 0.0, 1e-5)
        elif node[0] == "linear":
            w, b = torch.randn(a["cout"], a["cin"]) * 0.5, torch.randn(a["cout"]) * 0.1
            out[f"orig.{n}.weight"], out[f"orig.{n}.bias"] = w, b
            y = F.linear(src.flatten(1), w, b)
        else:
            y = linear_part(node, None, None, src)
        if node[2] is not None:
            y = y + outs[node[2]]
        outs.append(torch.relu(y) if node[3] else y)
    for n, y in enumerate(outs):
        out[f"activation.{n}"] = y

    # The same shapes on a grid of 2^-6, where every sum is exact: spike sums must agree bit for bit.
    grid = lambda t, step=64: torch.round(t * step) / step
    params, theta, v_init = {}, {}, {}
    gx = grid(x, 16)
    out["grid.x"] = gx
    for n, node in enumerate(NET):
        a = node[4]
        if node[0] in ("conv", "linear"):
            w = grid(out[f"orig.{n}.weight"])
            b = grid(torch.randn(a["cout"]) * 0.2)
            params[n] = (w, b)
            out[f"grid.layers.{n}.weight"], out[f"grid.layers.{n}.bias"] = w, b
    acts = activations(NET, params, gx)
    for n, node in enumerate(NET):
        if node[3]:
            c = acts[n].shape[1]
            theta[n] = torch.clamp(grid(acts[n].amax() * (0.4 + 0.6 * torch.rand(c)), 4), min=0.25)
            v_init[n] = grid(torch.randn(1, *acts[n].shape[1:]) * 0.3)
            out[f"grid.theta.{n}"], out[f"grid.v_init.{n}"] = theta[n], v_init[n][0]
    for name, shift, start in [("plain", False, {}), ("full", True, v_init)]:
        total = spikes(NET, params, theta, start, gx, 8, shift)
        for n in range(len(NET)):
            out[f"grid.{name}.sum.{n}"] = total[n]

    # Light and potential calibration in double precision, layer by layer.
    d = lambda t: t.double()
    fp = {n: tuple(d(t) for t in fold(*orig[n])) for n in orig}
    fp[7] = (d(out["orig.7.weight"]), d(out["orig.7.bias"]))
    steps, xd = 4, d(x)
    target = activations(NET, fp, xd)
    layer_theta = {n: d(target[n].amax() * 0.8).expand(target[n].shape[1]) for n, node in enumerate(NET) if node[3]}
    light = dict(fp)
    potential = {}
    for n in layer_theta:
        out[f"calib.theta.{n}"] = layer_theta[n].float().clone()
        rate = spikes(NET, light, layer_theta, {}, xd, steps, True, until=n)[n] / steps
        error = (target[n] - rate).mean(dim=(0, 2, 3))
        light[n] = (light[n][0], light[n][1] + error)
        out[f"calib.bias.{n}"] = light[n][1].float()
        rate = spikes(NET, fp, layer_theta, potential, xd, steps, True, until=n)[n] / steps
        potential[n] = (steps * (target[n] - rate).mean(dim=0, keepdim=True))
        out[f"calib.v_init.{n}"] = potential[n][0].float()

    # Threshold search by brute force in double precision.
    acts = np.maximum(np.random.default_rng(3).normal(0.2, 1.0, 4000), 0).astype(np.float32)
    out["search.activations"] = torch.from_numpy(acts)
    found = []
    for steps in (2, 4, 8, 16, 32):
        a = acts.astype(np.float64)
        candidates = [a.max() * (1 - 0.01 * i) for i in range(95)]
        errors = [np.mean((a - np.floor(np.clip(a * steps / t, 0, steps)) * t / steps) ** 2) for t in candidates]
        found.append([steps, candidates[int(np.argmin(errors))]])
    out["search.best"] = torch.tensor(found, dtype=torch.float64).float()

    # Weight calibration: gradient by autograd with a straight-through floor.
    class Floor(torch.autograd.Function):
        @staticmethod
        def forward(ctx, t):
            return torch.floor(t)

        @staticmethod
        def backward(ctx, g):
            return g

    n, steps = 2, 4
    w = fp[n][0].clone().requires_grad_(True)
    src = torch.rand(6, 4, 4, 4, dtype=torch.float64) * (torch.rand(6, 4, 4, 4) > 0.4)
    t = layer_theta[n].view(1, -1, 1, 1)
    goal = torch.relu(F.conv2d(src, fp[n][0] * 1.1, fp[n][1], padding=1))
    z = F.conv2d(src, w, fp[n][1], padding=1)
    q = Floor.apply(torch.clamp(steps / t * z, 0, steps)) * t / steps
    loss = ((q - goal) ** 2).sum(1).mean()
    loss.backward()
    out["wc.input"], out["wc.target"] = src.float(), goal.float()
    out["wc.gradient"], out["wc.loss"] = w.grad.float(), loss.detach().float().reshape(1)
    save_file({k: v.contiguous().float() for k, v in out.items()}, HERE / "small.safetensors")


def vgg_mini():
    """Logits of the trained VGG-mini, unfused, and mean logits of its calibrated twin, from the committed weights."""
    weights = load_file(HERE / "../weights/vgg-mini-mnist-ann-seed1000.safetensors")
    calib = load_file(HERE / "../weights/vgg-mini-mnist-seed1000.safetensors")
    with safetensors.safe_open(HERE / "../weights/vgg-mini-mnist-seed1000.safetensors", "pt") as f:
        steps = int(f.metadata()["T"])
        shift = f.metadata()["shift"] == "true"
    net = []
    cin, at = 1, -1
    for block in ([16, 16], [32, 32], [48, 48, 48]):
        for cout in block:
            net.append(("conv", at, None, True, dict(cin=cin, cout=cout, k=3, s=1, p=1, g=1)))
            cin, at = cout, len(net) - 1
        if block[0] != 48:
            net.append(("pool", at, None, False, dict(k=2)))
            at = len(net) - 1
    net.append(("gap", at, None, False, {}))
    net.append(("linear", at + 1, None, False, {}))
    x = torch.randn(4, 1, 28, 28).clamp(-0.42, 2.8)
    y, params, theta, v_init = x, {}, {}, {}
    for n, node in enumerate(net):
        if node[0] == "conv":
            g = {k: weights[f"orig.{n}.bn.{k}"] for k in ("weight", "bias", "running_mean", "running_var")}
            y = F.conv2d(y, weights[f"orig.{n}.weight"], None, padding=1)
            y = torch.relu(F.batch_norm(y, g["running_mean"], g["running_var"], g["weight"], g["bias"], False, 0.0, 1e-5))
            params[n] = (calib[f"layers.{n}.weight"].double(), calib[f"calib.{n}.bias"].double())
            theta[n] = calib[f"calib.{n}.threshold"].double()
            if f"calib.{n}.v_init" in calib:
                v_init[n] = calib[f"calib.{n}.v_init"].double().unsqueeze(0)
        elif node[0] == "linear":
            y = F.linear(y.flatten(1), weights[f"orig.{n}.weight"], weights[f"orig.{n}.bias"])
            params[n] = (calib[f"layers.{n}.weight"].double(), calib[f"layers.{n}.bias"].double())
        else:
            y = linear_part(node, None, None, y)
    total = spikes(net, params, theta, v_init, x.double(), steps, shift)
    out = {"x": x, "logits": y, "snn.logits": (total[-1] / steps).float()}
    save_file({k: v.contiguous().float() for k, v in out.items()}, HERE / "vgg_mini.safetensors")


small()
vgg_mini()
versions = {"python": platform.python_version(), "torch": torch.__version__.split("+")[0], "numpy": np.__version__,
            "safetensors": safetensors.__version__, "seed": 20220521}
(HERE / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")
print("wrote golden values with", versions, file=sys.stderr)
