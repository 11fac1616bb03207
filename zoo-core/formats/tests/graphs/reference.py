"""What the graphs of `cases.rs` compute, in numpy. Each function takes inputs and weights and gives outputs by name."""

import itertools
import math

import numpy as np

erf_of = np.vectorize(math.erf)


def softmax_of(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def unary(inputs, _):
    x = inputs["x"]
    positive = np.abs(x) + np.float32(0.5)
    return {
        "abs": np.abs(x), "neg": -x, "sqrt": np.sqrt(positive), "exp": np.exp(x), "log": np.log(positive), "floor": np.floor(x),
        "ceil": np.ceil(x), "round": np.rint(x), "sign": np.sign(x), "reciprocal": 1 / positive, "erf": erf_of(x),
        "relu": np.maximum(x, 0), "leaky": np.where(x > 0, x, 0.1 * x), "elu": np.where(x > 0, x, 1.5 * np.expm1(x)),
        "sigmoid": 1 / (1 + np.exp(-x)), "tanh": np.tanh(x), "softplus": np.log1p(np.exp(x)), "sin": np.sin(x), "cos": np.cos(x),
        "gelu": x * (1 + erf_of(x / math.sqrt(2))) / 2, "softmax": softmax_of(x, 1), "log_softmax": np.log(softmax_of(x, -1)),
        "clip": np.clip(x, -0.5, 0.75), "clip_low": np.clip(x, 0, None), "clip_high": np.clip(x, None, 0), "same": x, "again": np.abs(x),
    }


def binary(inputs, weights):
    a, b, c = inputs["a"], weights["row"], weights["column"]
    return {
        "add": a + b, "sub": c - a, "mul": b * c, "div": a / (np.abs(c) + 1), "pow": a * a, "max": np.maximum(a, b),
        "min": np.minimum(np.minimum(a, b), c), "greater": a > b, "greater_or_equal": a >= a, "less": a < c, "less_or_equal": a <= c,
        "equal": a == a, "and": (a > b) & (a < c), "or": (a > b) | (a < c), "not": ~(a < c), "select": np.where(a < c, a, b),
    }


def convolve(x, w, bias=None, strides=None, pads=None, dilations=None, groups=1):
    """By the definition: a sum over the kernel's offsets."""
    rank = x.ndim - 2
    strides, dilations, pads = strides or [1] * rank, dilations or [1] * rank, pads or [0] * 2 * rank
    x = np.pad(x, [(0, 0), (0, 0), *zip(pads[:rank], pads[rank:])])
    size = [(n - (k - 1) * d - 1) // s + 1 for n, k, d, s in zip(x.shape[2:], w.shape[2:], dilations, strides)]
    y = np.zeros((x.shape[0], w.shape[0], *size), np.float64)
    for group in range(groups):
        ins = slice(group * w.shape[1], (group + 1) * w.shape[1])
        outs = slice(group * w.shape[0] // groups, (group + 1) * w.shape[0] // groups)
        for at in itertools.product(*map(range, w.shape[2:])):
            window = tuple(slice(k * d, k * d + (n - 1) * s + 1, s) for k, d, n, s in zip(at, dilations, size, strides))
            y[:, outs] += np.einsum("nc...,oc->no...", x[(slice(None), ins, *window)], w[(outs, slice(None), *at)])
    return y if bias is None else y + bias.reshape(1, -1, *[1] * rank)


def conv(inputs, weights):
    x, w, b = inputs["x"], weights["w"], weights["b"]
    # SAME over 9 x 8 with stride 2 and kernel 3: 5 x 4 outputs, needing 2 and 1 more rows and columns, the odd one behind.
    return {
        "plain": convolve(x, w, b, pads=[1, 1, 1, 1]), "valid": convolve(x, w),
        "odd": convolve(x, weights["grouped_w"], b, [2, 1], [1, 0, 2, 1], [1, 2], 2),
        "depthwise": convolve(x, weights["depthwise_w"], None, [2, 2], [1, 1, 1, 1], None, 4),
        "line": convolve(x.reshape(len(x), 4, -1), weights["line_w"], None, [3]), "same": convolve(x, w, None, [2, 2], [1, 0, 1, 1]),
    }


def deconvolve(x, w, bias=None, strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1), groups=1, extra=(0, 0)):
    """By the definition: each input element adds its kernel to the output."""
    full = [(n - 1) * s + (k - 1) * d + 1 + e for n, s, k, d, e in zip(x.shape[2:], strides, w.shape[2:], dilations, extra)]
    each, inputs = w.shape[1], x.shape[1] // groups
    y = np.zeros((x.shape[0], each * groups, *full), np.float64)
    for group, i, j in itertools.product(range(groups), *map(range, x.shape[2:])):
        ins = slice(group * inputs, (group + 1) * inputs)
        top, left = i * strides[0], j * strides[1]
        rows = slice(top, top + (w.shape[2] - 1) * dilations[0] + 1, dilations[0])
        columns = slice(left, left + (w.shape[3] - 1) * dilations[1] + 1, dilations[1])
        y[:, group * each : (group + 1) * each, rows, columns] += np.einsum("nc,cohw->nohw", x[:, ins, i, j], w[ins])
    y = y[:, :, pads[0] : full[0] - pads[2], pads[1] : full[1] - pads[3]]
    return y if bias is None else y + bias.reshape(1, -1, 1, 1)


def conv_transpose(inputs, weights):
    x, w, b = inputs["x"], weights["w"], weights["b"]
    return {
        "plain": deconvolve(x, w, b), "padded": deconvolve(x, w, b, (2, 2), (1, 0, 1, 1), extra=(1, 1)),
        "grouped": deconvolve(x, weights["grouped_w"], None, (1, 2), dilations=(2, 1), groups=2),
    }


def windows(x, kernel, stride, pads, size):
    """Windows `[N, C, h, w, kernel * kernel]` over `x` padded with NaN."""
    x = np.pad(x, [(0, 0), (0, 0), (pads[0], pads[2] + kernel), (pads[1], pads[3] + kernel)], constant_values=np.nan)
    offsets = itertools.product(range(kernel), repeat=2)
    cut = [x[:, :, i : i + stride * (size[0] - 1) + 1 : stride, j : j + stride * (size[1] - 1) + 1 : stride] for i, j in offsets]
    return np.stack(cut, -1)


def pool(inputs, _):
    x = inputs["x"]
    padded = windows(x, 3, 2, [1, 1, 0, 1], [4, 4])
    return {
        "max": np.nanmax(padded, -1), "max_ceil": np.nanmax(windows(x, 2, 2, [0] * 4, [5, 4]), -1), "average": np.nanmean(padded, -1),
        "average_counted": np.nansum(padded, -1) / 9, "global": x.mean((2, 3), keepdims=True),
        "global_max": x.max((2, 3), keepdims=True),
    }


def recurrent(inputs, weights):
    """By the definition: gates in the order input, output, forget, cell; the second direction runs from the last step to the first."""
    steps = inputs["x"].transpose(1, 0, 2)
    w, r, b = weights["w"], weights["r"], weights["b"]
    alls, lasts, cells = [], [], []
    for d in range(2):
        h = c = np.zeros((steps.shape[1], 4))
        states = []
        for x in steps if d == 0 else steps[::-1]:
            i, o, f, g = np.split(x @ w[d].T + h @ r[d].T + b[d, :16] + b[d, 16:], 4, axis=1)
            gate = lambda v: 1 / (1 + np.exp(-v))
            c = gate(f) * c + gate(i) * np.tanh(g)
            h = gate(o) * np.tanh(c)
            states.append(h)
        alls.append(np.stack(states if d == 0 else states[::-1]))
        lasts.append(h)
        cells.append(c)
    return {"all": np.stack(alls, 1), "hidden": np.stack(lasts), "cell": np.stack(cells)}


def linear(inputs, weights):
    x, s, w, b = inputs["x"], inputs["sequence"], weights["w"], weights["b"]
    return {
        "linear": x @ w.T + b, "no_bias": x @ w.T, "deep": s @ w.T + b, "matmul": s @ s.transpose(0, 2, 1), "vector": s @ weights["v"],
        "einsum": (s @ w.T).transpose(0, 2, 1), "gemm": 0.5 * (x @ w.T) + 2 * b,
    }


def norm(inputs, weights):
    x = inputs["x"]
    scale, bias, mean, variance = (weights[k].reshape(1, 3, 1, 1) for k in ("scale", "bias", "mean", "variance"))
    own_mean, own_variance = x.mean((2, 3), keepdims=True), x.var((2, 3), keepdims=True)
    return {
        "batch": (x - mean) / np.sqrt(variance + 1e-3) * scale + bias,
        "instance": (x - own_mean) / np.sqrt(own_variance + 1e-3) * scale + bias,
    }


def layer_norm(inputs, weights):
    x = inputs["x"]
    normal = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3)
    return {"layer": normal * weights["scale"] + weights["bias"]}


def reduce(inputs, _):
    x = inputs["x"]
    order = np.argsort(-x, -1)[..., :2]
    return {
        "mean": x.mean(1, keepdims=True), "mean_all": x.mean(), "sum": x.sum((1, 2)), "max": x.max(2), "min": x.min((0, 2), keepdims=True),
        "arg_max": x.argmax(1), "arg_max_kept": x.argmax(-1, keepdims=True), "top": np.take_along_axis(x, order, -1),
        "top_indices": order, "cum_sum": x.cumsum(1),
    }


def layout(inputs, _):
    x = inputs["x"]
    n = len(x)
    return {
        "flatten": x.reshape(n, 12), "flatten_back": x.reshape(n * 3, 4), "reshape": x.reshape(n, 6, 2), "reshape_batch": x.reshape(-1, 6),
        "transpose": x.transpose(3, 0, 2, 1), "reversed": x.T, "squeeze": x[:, :, 0], "unsqueeze": x[None, ..., None],
        "expand": np.broadcast_to(x, (n, 3, 5, 4)), "tile": np.tile(x, (1, 2, 3, 1)),
    }


def select(inputs, _):
    x = inputs["x"]
    return {
        "concat": np.concatenate([x, inputs["other"]], 1), "part_0": x[:, :1], "part_1": x[:, 1:4], "part_2": x[:, 4:],
        "equal_1": x[:, 2:4], "slice": x[:, 1:-1], "slice_end": x[:, :, -2:], "slice_back": x[:, ::-2, 1:4], "gather": x[:, [4, 0, -1]],
        "gather_one": x[:, :, 2], "pad": np.pad(x, [(0, 0), (1, 0), (0, 2)], constant_values=0.5),
        "pad_reflect": np.pad(x, [(0, 0), (1, 2), (2, 1)], mode="reflect"),
    }


def source(inputs, _):
    x = inputs["x"]
    return {
        "shape": np.array(x.shape), "range": np.arange(1, 8, 3), "filled": np.full((2, 3), 7), "constant": np.array([1.5, -2.0]),
        "state": np.full((len(x), 5), 0.25),
    }


def interpolated(x, axis, length, corners):
    n = x.shape[axis]
    at = np.arange(length) * (n - 1) / (length - 1) if corners else (np.arange(length) + 0.5) * n / length - 0.5
    at = np.clip(at, 0, n - 1)
    low = np.minimum(np.floor(at).astype(int), n - 2)
    weight = (at - low).reshape([-1 if a == axis else 1 for a in range(x.ndim)])
    return x.take(low, axis) * (1 - weight) + x.take(low + 1, axis) * weight


def resize(inputs, _):
    x = inputs["x"]
    return {
        "nearest": x.repeat(2, 2).repeat(3, 3), "linear": interpolated(interpolated(x, 2, 6, False), 3, 8, False),
        "corners": interpolated(interpolated(x, 2, 9, True), 3, 8, True),
    }


def sampled(x, grid, corners):
    n, c, h, w = x.shape
    padded = np.pad(x, [(0, 0), (0, 0), (2, 2), (2, 2)])
    y = np.zeros((n, c, *grid.shape[1:3]))
    for b, i, j in np.ndindex(grid.shape[:3]):
        gx, gy = grid[b, i, j]
        px, py = ((gx + 1) / 2 * (w - 1), (gy + 1) / 2 * (h - 1)) if corners else (((gx + 1) * w - 1) / 2, ((gy + 1) * h - 1) / 2)
        left, top = math.floor(px), math.floor(py)
        for dx, dy in itertools.product((0, 1), repeat=2):
            share = (1 - abs(px - left - dx)) * (1 - abs(py - top - dy))
            y[b, :, i, j] += share * padded[b, :, np.clip(top + dy + 2, 0, h + 3), np.clip(left + dx + 2, 0, w + 3)]
    return y


def grid_sample(inputs, _):
    return {"centres": sampled(inputs["x"], inputs["grid"], False), "corners": sampled(inputs["x"], inputs["grid"], True)}


def integers(inputs, _):
    x = inputs["x"]
    whole = np.trunc(x * np.float32(10)).astype(np.int64)
    return {
        "whole": whole, "doubled": 2 * whole, "narrow": 2 * whole, "back": whole.astype(np.float32), "numbers": np.zeros(x.shape),
        "wide": x.astype(np.float64),
    }


def computed_shape(inputs, weights):
    x, w = inputs["x"], weights["w"]
    strided = convolve(x, w, None, [2, 2], [1, 1, 1, 1])
    return {
        "y": convolve(x, w, None, None, [1, 1, 1, 1]) + x, "strided": strided, "flat": x.reshape(*x.shape[:2], -1),
        "features": strided.mean((2, 3)),
    }


def halves(inputs, _):
    return {"half": inputs["x"].astype(np.float16) + np.float16(0.5)}
