"""PyTorch's side of the training benchmark: the networks of src/bench/models.rs, timed step by step on request.

Usage: peer.py THREADS. Reads lines `CASE STEPS`, answers each with a JSON list of seconds.
"""

import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


class Fire(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u):
        ctx.save_for_backward(u)
        return (u > 1).to(u)

    @staticmethod
    def backward(ctx, grad):
        (u,) = ctx.saved_tensors
        return grad * (1 - (u - 1).abs()).clamp(min=0)


def lif(x, steps):
    u, out = 0, []
    for current in x.chunk(steps):
        u = 0.5 * u + current
        s = Fire.apply(u)
        u = (1 - s) * u
        out.append(s)
    return torch.cat(out)


class VggSnn(nn.Module):
    steps, batch = 4, 64
    plan = [(16, False), (16, True), (32, False), (32, True), (48, False), (48, False), (48, False)]

    def __init__(self):
        super().__init__()
        widths = [1] + [c for c, _ in self.plan]
        self.convs = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1, bias=False) for i, o in zip(widths, widths[1:]))
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for c in widths[1:])
        self.fc = nn.Linear(48 * 49, 10)
        self.x = torch.rand(self.batch, 1, 28, 28)
        self.y = torch.arange(self.batch) % 10

    def loss(self):
        x = self.x.repeat(self.steps, 1, 1, 1)
        for conv, norm, (_, pool) in zip(self.convs, self.norms, self.plan):
            x = lif(norm(conv(x)), self.steps)
            if pool:
                x = F.avg_pool2d(x, 2)
        x = self.fc(x.flatten(1)).reshape(self.steps, self.batch, 10).mean(0)
        return F.cross_entropy(x, self.y)


def level(i, o):
    return nn.Sequential(*(m for c in (i, o) for m in (nn.Conv2d(c, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU())))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.d, self.e = level(1, 16), level(16, 32), level(32, 64), level(96, 32), level(48, 16)
        self.head = nn.Conv2d(16, 1, 1)
        self.x = torch.rand(4, 1, 128, 128)

    def loss(self):
        up = lambda x: F.interpolate(x, scale_factor=2, mode="nearest")
        a = self.a(self.x)
        b = self.b(F.max_pool2d(a, 2))
        c = self.c(F.max_pool2d(b, 2))
        d = self.d(torch.cat([up(c), b], 1))
        e = self.e(torch.cat([up(d), a], 1))
        return F.mse_loss(self.head(e), self.x)


def main():
    torch.set_num_threads(int(sys.argv[1]))
    torch.manual_seed(1)
    nets = {"vgg-snn": VggSnn(), "unet": UNet()}
    optimisers = {name: torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9) for name, net in nets.items()}
    print(json.dumps(torch.__version__), flush=True)
    for line in sys.stdin:
        case, steps = line.split()
        times = []
        for _ in range(int(steps)):
            start = time.perf_counter()
            optimisers[case].zero_grad()
            nets[case].loss().backward()
            optimisers[case].step()
            times.append(time.perf_counter() - start)
        print(json.dumps(times), flush=True)


main()
