"""Reference values for zoo-train, computed by PyTorch in double precision and stored as float32.

Run:  python make.py [--check]

Writes layers, neurons, optim, snn and registration (.safetensors) beside this file, and
versions.json with the versions that made them. With --check nothing is written: the values are computed again and
compared with the stored ones (relative error at most 1e-6).

Inputs are rounded to float32 first, so that both sides start from the same numbers.
"""

import json
import math
import pathlib
import sys

import numpy
import safetensors
import safetensors.torch
import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).parent
torch.set_num_threads(1)
torch.manual_seed(20240607)


def draw(*shape, scale=1.0):
    return (torch.randn(*shape) * scale).double().requires_grad_(True)


def leaf(x):
    return x.detach().float().double().requires_grad_(True)


def record(store, name, out, inputs):
    """Forward value, a random output gradient, and the gradients of all inputs."""
    grad = torch.randn(out.shape).double()
    grads = torch.autograd.grad(out, list(inputs.values()), grad)
    for key, value in inputs.items():
        store[f"{name}/in/{key}"] = value
    store[f"{name}/out"] = out
    store[f"{name}/grad_out"] = grad
    for key, value in zip(inputs, grads):
        store[f"{name}/grad/{key}"] = value


def layers():
    store, meta = {}, {}
    # name: (n, c_in, h, w), c_out, kernel, stride, padding, dilation, groups, bias
    convs = {
        "plain": ((2, 3, 7, 6), 4, (3, 3), (1, 1), (1, 1), (1, 1), 1, True),
        "no_padding": ((2, 2, 6, 5), 3, (3, 2), (1, 1), (0, 0), (1, 1), 1, False),
        "stride2_even": ((2, 3, 8, 8), 4, (3, 3), (2, 2), (1, 1), (1, 1), 1, True),
        "stride2_odd": ((3, 3, 9, 7), 4, (3, 3), (2, 2), (1, 1), (1, 1), 1, False),
        "groups2": ((2, 4, 7, 7), 6, (3, 3), (1, 1), (1, 1), (1, 1), 2, True),
        "depthwise": ((2, 5, 8, 9), 5, (3, 3), (1, 1), (1, 1), (1, 1), 5, True),
        "depthwise_stride2_times2": ((2, 3, 9, 8), 6, (3, 3), (2, 2), (1, 1), (1, 1), 3, False),
        "dilated": ((2, 3, 11, 10), 4, (3, 3), (1, 2), (2, 1), (2, 2), 1, True),
        "pointwise": ((3, 6, 5, 4), 7, (1, 1), (1, 1), (0, 0), (1, 1), 1, True),
        "five": ((2, 2, 13, 12), 3, (5, 5), (3, 2), (2, 2), (1, 1), 1, False),
        "vgg_first": ((2, 1, 28, 28), 16, (3, 3), (1, 1), (1, 1), (1, 1), 1, False),
        "vgg_deep": ((3, 48, 7, 7), 48, (3, 3), (1, 1), (1, 1), (1, 1), 1, False),
        "wide": ((2, 17, 16, 16), 33, (3, 3), (1, 1), (1, 1), (1, 1), 1, False),
    }
    for name, (shape, c_out, kernel, stride, padding, dilation, groups, bias) in convs.items():
        x = leaf(draw(*shape))
        w = leaf(draw(c_out, shape[1] // groups, *kernel, scale=0.3))
        inputs = {"x": x, "weight": w}
        if bias:
            inputs["bias"] = leaf(draw(c_out))
        out = F.conv2d(x, w, inputs.get("bias"), stride, padding, dilation, groups)
        record(store, f"conv2d/{name}", out, inputs)
        meta[f"conv2d/{name}"] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    # name: shape, kernel, stride, padding, count_include_pad
    pools = {
        "halve": ((2, 3, 8, 6), (2, 2), (2, 2), (0, 0), True),
        "halve_odd": ((2, 3, 7, 9), (2, 2), (2, 2), (0, 0), True),
        "overlap": ((2, 2, 9, 8), (3, 3), (2, 2), (0, 0), True),
        "padded": ((2, 2, 8, 9), (3, 3), (2, 2), (1, 1), True),
        "padded_excluded": ((2, 2, 8, 9), (3, 2), (1, 2), (1, 1), False),
        "gaps": ((1, 2, 11, 10), (2, 3), (4, 3), (0, 1), True),
    }
    for name, (shape, kernel, stride, padding, include) in pools.items():
        x = leaf(draw(*shape))
        record(store, f"avg_pool2d/{name}", F.avg_pool2d(x, kernel, stride, padding, count_include_pad=include), {"x": x})
        x = leaf((draw(*shape) * 2).round() / 2)  # many ties
        record(store, f"max_pool2d/{name}", F.max_pool2d(x, kernel, stride, padding), {"x": x})
        options = {"kernel": kernel, "stride": stride, "padding": padding, "count_include_pad": include}
        meta[f"avg_pool2d/{name}"] = meta[f"max_pool2d/{name}"] = options
    for name, shape in {"image": (4, 5, 6, 7), "vector": (9, 6), "wide": (3, 2, 33, 31)}.items():
        c = shape[1]
        for training in (True, False):
            x = leaf(draw(*shape) * 3 + 2)
            gamma, beta = leaf(draw(c)), leaf(draw(c))
            mean, var = draw(c).detach().float().double(), (draw(c).detach().abs() + 0.5).float().double()
            key = f"batch_norm/{name}_{'train' if training else 'eval'}"
            store[f"{key}/old_mean"], store[f"{key}/old_var"] = mean.clone(), var.clone()
            out = F.batch_norm(x, mean, var, gamma, beta, training, 0.1, 1e-5)
            record(store, key, out, {"x": x, "gamma": gamma, "beta": beta})
            store[f"{key}/new_mean"], store[f"{key}/new_var"] = mean, var
            meta[key] = {"training": training}
    for name, (n, i, o, bias) in {"bias": (5, 7, 4, True), "plain": (3, 64, 10, False)}.items():
        x, w = leaf(draw(n, i)), leaf(draw(o, i, scale=0.3))
        inputs = {"x": x, "weight": w}
        if bias:
            inputs["bias"] = leaf(draw(o))
        record(store, f"linear/{name}", F.linear(x, w, inputs.get("bias")), inputs)
        meta[f"linear/{name}"] = {}
    for smoothing in (0.0, 0.1):
        x = leaf(draw(6, 5) * 2)
        labels = torch.tensor([0, 4, 2, 2, 1, 3])
        key = f"cross_entropy/{smoothing}"
        out = F.cross_entropy(x, labels, label_smoothing=smoothing).reshape(1)
        record(store, key, out, {"x": x})
        meta[key] = {"smoothing": smoothing, "labels": labels.tolist()}
    return store, meta


class Fire(torch.autograd.Function):
    """Spikes by a hard rule, gradient by a given slope."""

    @staticmethod
    def forward(ctx, u, hard, slope):
        ctx.save_for_backward(slope)
        return hard

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0], None, None


def lif(x, steps, decay=0.5, threshold=1.0, width=1.0):
    u, out = torch.zeros_like(x[: len(x) // steps]), []
    for current in x.chunk(steps):
        u = decay * u + current
        d = u.detach()
        s = Fire.apply(u, (d > threshold).to(d), (width - (d - threshold).abs()).clamp(min=0) / width**2)
        u = (1 - s) * u
        out.append(s)
    return torch.cat(out)


def multi_if(x, steps, threshold=1.0, v_min=-1.0, width=0.5):
    v, out = torch.zeros_like(x[: len(x) // steps]), []
    for current in x.chunk(steps):
        v = v + current
        d = v.detach()
        count = torch.where(d > 0, torch.trunc(d / threshold), torch.zeros_like(d))
        n = Fire.apply(v, count, torch.exp(-(d - threshold).abs() / width) / width)
        v = v - n * threshold
        v = F.relu(v - v_min) + v_min
        out.append(n)
    return torch.cat(out)


def neurons():
    store, meta = {}, {}
    grid = lambda x: leaf((x * 64).round() / 64)  # currents whose sums are exact, so that no spike hangs on rounding
    for name, (steps, shape, scale, args) in {
        "default": (5, (3, 2, 4, 3), 1.2, {}),
        "one_step": (1, (4, 7), 1.5, {}),
        "leaky_wide": (6, (2, 9), 1.5, {"decay": 0.25, "threshold": 0.75, "width": 2.0}),
        "no_leak": (8, (2, 5), 0.7, {"decay": 1.0}),
    }.items():
        x = grid(draw(steps * shape[0], *shape[1:], scale=scale))
        record(store, f"lif/{name}", lif(x, steps, **args), {"x": x})
        meta[f"lif/{name}"] = {"steps": steps, "decay": 0.5, "threshold": 1.0, "width": 1.0, **args}
    for name, (steps, shape, scale, args) in {
        "default": (6, (2, 3, 4, 2), 1.5, {}),
        "one_step": (1, (4, 9), 2.0, {}),
        "low_floor": (7, (3, 5), 1.2, {"threshold": 0.5, "v_min": -2.0, "width": 0.25}),
    }.items():
        x = grid(draw(steps * shape[0], *shape[1:], scale=scale))
        out = multi_if(x, steps, **args)
        assert out.max() >= 2, "the case must show several spikes in a step"
        record(store, f"if/{name}", out, {"x": x})
        meta[f"if/{name}"] = {"steps": steps, "threshold": 1.0, "v_min": -1.0, "width": 0.5, **args}
    # The exact threshold: LIF must stay silent, IF must fire.
    x = leaf(torch.tensor([[1.0, 2.0, -3.0], [1.0, 0.5, 4.0]]))
    record(store, "lif/threshold", lif(x, 2), {"x": x})
    meta["lif/threshold"] = {"steps": 2, "decay": 0.5, "threshold": 1.0, "width": 1.0}
    x = leaf(torch.tensor([[1.0, 2.0, -3.0], [1.0, 0.5, 4.0]]))
    record(store, "if/threshold", multi_if(x, 2), {"x": x})
    meta["if/threshold"] = {"steps": 2, "threshold": 1.0, "v_min": -1.0, "width": 0.5}
    return store, meta


def optim():
    store, meta = {}, {}
    steps = 12
    rates = [0.1 * (0.5 + 0.5 * math.cos(math.pi * i / steps)) for i in range(steps)]
    rules = {
        "sgd": (torch.optim.SGD, {}),
        "sgd_momentum": (torch.optim.SGD, {"momentum": 0.9}),
        "sgd_decay": (torch.optim.SGD, {"momentum": 0.9, "weight_decay": 5e-4}),
        "sgd_nesterov": (torch.optim.SGD, {"momentum": 0.9, "weight_decay": 1e-2, "nesterov": True}),
        "adam": (torch.optim.Adam, {}),
        "adam_decay": (torch.optim.Adam, {"weight_decay": 1e-2, "betas": (0.8, 0.95), "eps": 1e-6}),
        "adamw": (torch.optim.AdamW, {"weight_decay": 0.05}),
    }
    start = torch.randn(37)
    grads = torch.randn(steps, 37) * torch.logspace(-4, 1, 37)
    store["start"], store["grads"] = start, grads
    for name, (rule, args) in rules.items():
        p = torch.nn.Parameter(start.clone())  # float32, as the optimisers run in practice
        optimiser = rule([p], lr=1.0, **args)
        for i, rate in enumerate(rates):
            optimiser.param_groups[0]["lr"] = rate * (0.1 if "adam" in name else 1.0)
            p.grad = grads[i].clone()
            optimiser.step()
            store[f"{name}/{i}"] = p.detach().clone()
        meta[name] = args
    return store, meta


def snn():
    """A spiking network, step by step in PyTorch: three SGD steps, gradients of the first, running statistics."""
    torch.manual_seed(7)
    steps, n, h = 4, 6, 12
    store = {}
    shapes = {
        "conv1.weight": (8, 1, 3, 3), "bn1.weight": (8,), "bn1.bias": (8,),
        "conv2.weight": (12, 8, 3, 3), "bn2.weight": (12,), "bn2.bias": (12,),
        "fc.weight": (10, 12 * 9), "fc.bias": (10,),
    }
    params = {}
    for name, shape in shapes.items():
        value = torch.rand(shape) * 0.5 + 0.75 if name.endswith("n1.weight") or name.endswith("n2.weight") else torch.randn(shape) * 0.4 / math.sqrt(max(1, math.prod(shape[1:])) / 4)
        params[name] = leaf(value)
        store[f"before/{name}"] = params[name].detach().clone()
    running = {f"bn{i}.running_{k}": (torch.zeros if k == "mean" else torch.ones)(c).double() for i, c in ((1, 8), (2, 12)) for k in ("mean", "var")}
    optimiser = torch.optim.SGD(params.values(), lr=0.05, momentum=0.9, weight_decay=1e-3)
    for step in range(3):
        x = leaf(torch.randn(n, 1, h, h))
        labels = torch.randint(0, 10, (n,))
        store[f"step{step}/x"], store[f"step{step}/labels"] = x, labels
        def norm(i, x):
            return F.batch_norm(x, running[f"bn{i}.running_mean"], running[f"bn{i}.running_var"], params[f"bn{i}.weight"], params[f"bn{i}.bias"], True, 0.1, 1e-5)
        y = x.repeat(steps, 1, 1, 1)
        y = lif(norm(1, F.conv2d(y, params["conv1.weight"], padding=1)), steps)
        y = F.avg_pool2d(y, 2)
        y = lif(norm(2, F.conv2d(y, params["conv2.weight"], padding=1)), steps)
        y = F.avg_pool2d(y, 2).flatten(1)
        y = F.linear(y, params["fc.weight"], params["fc.bias"])
        loss = F.cross_entropy(y.reshape(steps, n, 10).mean(0), labels)
        store[f"step{step}/loss"] = loss.reshape(1)
        optimiser.zero_grad()
        loss.backward()
        if step == 0:
            store.update({f"grad/{name}": p.grad.clone() for name, p in params.items()})
        optimiser.step()
    store.update({f"after/{name}": p for name, p in {**params, **running}.items()})
    return store, {"steps": steps}


def registration():
    """Warping and local correlation, of images with two and three axes."""
    store, meta = {}, {}
    for name, grid in {"plane": (7, 9), "volume": (5, 4, 6)}.items():
        axes = len(grid)
        image, flow = leaf(torch.randn(2, 2, *grid)), leaf(torch.randn(2, axes, *grid) * 2.0)
        # Identity in samples, x (fastest axis) first, as the displacement's channels are.
        identity = torch.stack([*torch.meshgrid(*[torch.arange(float(n)) for n in grid], indexing="ij")][::-1]).double()
        sizes = torch.tensor([float(n) for n in grid[::-1]]).double().reshape(1, axes, *[1] * axes)
        place = (identity + flow) * 2 / (sizes - 1) - 1
        warped = F.grid_sample(image, place.movedim(1, -1), mode="bilinear", padding_mode="zeros", align_corners=True)
        record(store, f"warp/{name}", warped, {"image": image, "displacement": flow})
        meta[f"warp/{name}"] = {}
        for window, eps in ((3, 1e-2), (5, 0.5)):
            a, b = leaf(torch.randn(2, 1, *grid)), leaf(torch.randn(2, 1, *grid))
            ones = torch.ones(1, 1, *[window] * axes).double()
            convolve = F.conv2d if axes == 2 else F.conv3d
            total = lambda x: convolve(x, ones, padding=window // 2)
            count = window**axes
            cross = total(a * b) - total(a) * total(b) / count
            va, vb = total(a * a) - total(a) ** 2 / count, total(b * b) - total(b) ** 2 / count
            record(store, f"local_ncc/{name}_{window}", (cross**2 + eps) / (va * vb + eps), {"a": a, "b": b})
            meta[f"local_ncc/{name}_{window}"] = {"window": window, "eps": eps}
    x, weight, bias = leaf(torch.randn(2, 3, 4, 5)), leaf(torch.randn(3, 2, 2, 2)), leaf(torch.randn(2))
    record(store, "conv_transpose/2x2", F.conv_transpose2d(x, weight, bias, stride=2), {"x": x, "weight": weight, "bias": bias})
    meta["conv_transpose/2x2"] = {}
    return store, meta


def main():
    check = "--check" in sys.argv[1:]
    worst = 0.0
    for name, make in {"layers": layers, "neurons": neurons, "optim": optim, "snn": snn, "registration": registration}.items():
        store, meta = make()
        store = {k: v.detach().contiguous().float() if v.is_floating_point() else v.contiguous() for k, v in store.items()}
        path = HERE / f"{name}.safetensors"
        if not check:
            safetensors.torch.save_file(store, path, {"cases": json.dumps(meta, sort_keys=True)})
            print(path.name, len(store), "tensors,", path.stat().st_size, "bytes")
            continue
        kept = safetensors.torch.load_file(path)
        assert kept.keys() == store.keys(), f"{name}: other tensors than stored"
        for key, value in store.items():
            error = ((kept[key] - value).abs().max() / value.abs().max().clamp(min=1e-12)).item()
            worst = max(worst, error)
            assert error <= 1e-6, f"{name}, {key}: relative error {error}"
    if check:
        print("all values agree; largest relative error", worst)
    else:
        versions = {"python": sys.version.split()[0], "torch": torch.__version__, "numpy": numpy.__version__, "safetensors": safetensors.__version__}
        (HERE / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")


main()
