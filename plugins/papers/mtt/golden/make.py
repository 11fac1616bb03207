"""Golden values of mtt: the 6,160-weight network under mixed times, forward and backward, in PyTorch.

Run in an environment with the versions of versions.json; writes golden.safetensors and versions.json beside itself.
"""
import json
import platform
from pathlib import Path

import safetensors
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

SEED = 20250317
HERE = Path(__file__).parent
V_MIN, WIDTH = -1.0, 0.5


class Count(torch.autograd.Function):
    """Several spikes a step; single exponential surrogate on the membrane before the reset."""

    @staticmethod
    def forward(ctx, v):
        ctx.save_for_backward(v)
        return torch.where(v > 0, torch.trunc(v), torch.zeros_like(v))

    @staticmethod
    def backward(ctx, grad):
        (v,) = ctx.saved_tensors
        return grad * torch.exp(-(v - 1.0).abs() / WIDTH) / WIDTH


class Step(torch.autograd.Function):
    """One spike a step above the threshold; triangular surrogate."""

    @staticmethod
    def forward(ctx, u):
        ctx.save_for_backward(u)
        return (u > 1.0).float()

    @staticmethod
    def backward(ctx, grad):
        (u,) = ctx.saved_tensors
        return grad * torch.clamp(1.0 - (u - 1.0).abs(), min=0.0)


def integrate(frames):
    v, out = torch.zeros_like(frames[0]), []
    for x in frames:
        v = v + x
        n = Count.apply(v)
        # As sinabs clamps: no gradient at the floor itself.
        v = F.relu(v - n - V_MIN) + V_MIN
        out.append(n)
    return out


def leaky(frames):
    u, out = torch.zeros_like(frames[0]), []
    for x in frames:
        u = 0.5 * u + x
        s = Step.apply(u)
        u = (1 - s) * u
        out.append(s)
    return out


def transform(frames, after):
    """Slices and sums, or copies, by the boundaries round(i m / f - 1e-5)."""
    before = len(frames)
    f, m = min(before, after), max(before, after)
    bounds = [max(round(i * m / f - 1e-5), 0) for i in range(f + 1)]
    if before > after:
        return [sum(frames[bounds[i] : bounds[i + 1]][1:], frames[bounds[i]]) for i in range(after)]
    return [frames[i] for i in range(before) for _ in range(bounds[i + 1] - bounds[i])]


def network(frames, weights, times):
    x = transform(frames, times[0])
    x = integrate([F.conv2d(f, weights[0], padding=1) for f in x])
    x = [F.avg_pool2d(f, 2) for f in transform(x, times[1])]
    x = integrate([F.conv2d(f, weights[1], padding=1) for f in x])
    x = [F.avg_pool2d(f, 2) for f in transform(x, times[2])]
    x = integrate([F.conv2d(f, weights[2], padding=1, stride=2) for f in x])
    return torch.stack([f.flatten(1) @ weights[3].T for f in transform(x, times[3])])


def main():
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    names = ["stages.0.conv1.weight", "stages.1.conv1.weight", "stages.2.conv1.weight", "head.weight"]
    shapes = [(8, 2, 3, 3), (16, 8, 3, 3), (16, 16, 3, 3), (10, 64)]
    gains = [0.5, 0.5, 0.35, 0.3]
    # On the grid of 2^-8, so that forward sums are exact whatever their order.
    weights = [(torch.randn(s) * g * 256).round() / 256 for s, g in zip(shapes, gains)]
    frames = torch.poisson(torch.full((6, 3, 2, 12, 12), 0.35))
    labels = torch.tensor([3, 0, 7])
    out = {f"w.{n}": w.clone() for n, w in zip(names, weights)}
    out["frames"] = frames.transpose(0, 1).contiguous()
    out["labels"] = labels
    total = [torch.zeros_like(w) for w in weights]
    for tag, times in {"fixed": [6, 6, 6, 6], "mixed": [3, 5, 2, 4], "short": [1, 2, 1, 1]}.items():
        leaves = [w.clone().requires_grad_() for w in weights]
        logits = network(list(frames), leaves, times)
        loss = F.cross_entropy(logits.mean(0), labels)
        loss.backward()
        out[f"{tag}.logits"] = logits.detach()
        out[f"{tag}.loss"] = loss.detach().reshape(1)
        for name, leaf, sum_ in zip(names, leaves, total):
            out[f"{tag}.grad.{name}"] = leaf.grad
            sum_ += leaf.grad
    for name, sum_ in zip(names, total):
        out[f"sum.grad.{name}"] = sum_
    x = (torch.randn(5, 4) * 1.2).requires_grad_()
    weight = torch.randn(5, 4)
    (torch.stack(leaky(list(x))) * weight).sum().backward()
    out |= {"lif.x": x.detach(), "lif.g": weight, "lif.grad": x.grad}
    save_file({k: v.contiguous() for k, v in out.items()}, HERE / "golden.safetensors")
    versions = {"python": platform.python_version(), "torch": torch.__version__.split("+")[0], "safetensors": safetensors.__version__, "seed": SEED}
    (HERE / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")


main()
