"""Makes golden values with PyTorch, bctpy, SciPy and NetworkX. Writes beside itself, or to the folder given."""

import importlib.metadata
import json
import pathlib
import platform
import sys

import bct
import networkx
import numpy as np
import scipy.special
import scipy.stats
import torch

folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
SEED = 20231112
rng = np.random.default_rng(SEED)
torch.manual_seed(SEED)
torch.set_default_dtype(torch.float64)


def task(d, steps, delay, p):
    items, familiar = [], []
    for t in range(steps):
        again = t >= delay and not familiar[t - delay] and rng.random() < p
        items.append(items[t - delay] if again else rng.choice([-1.0, 1.0], d))
        familiar.append(bool(again))
    return np.array(items), familiar


def hebb_case(d, n, steps, delay, force):
    items, familiar = task(d, steps, delay, 0.5)
    w1 = torch.randn(n, d) / d**0.5
    b1, w2, b2 = 0.1 * torch.randn(n), torch.randn(1, n) / n**0.5, 0.1 * torch.randn(1)
    raw = torch.tensor([-0.2 if force == "none" else float(np.log(0.2))])
    lam = torch.tensor([0.93])
    leaves = [w1, b1, w2, b2, raw, lam]
    for leaf in leaves:
        leaf.requires_grad_(True)
    eta = {"none": raw, "anti": -raw.exp(), "hebb": raw.exp()}[force]
    x = torch.tensor(items)
    state, answers, pre = torch.zeros(n, d), [], []
    for t in range(steps):
        a = (w1 + state) @ x[t] + b1
        h = torch.sigmoid(a)
        state = lam * state + eta * torch.outer(h, x[t])
        answers.append(torch.sigmoid(w2 @ h + b2))
        pre.append(a)
    answers = torch.cat(answers)
    loss = torch.nn.functional.binary_cross_entropy(answers, torch.tensor(familiar).double())
    loss.backward()
    names = ["w1", "b1", "w2", "b2", "_eta", "_lam"]
    return {
        "d": d, "n": n, "force": force, "items": items.tolist(), "familiar": familiar, "loss": float(loss.detach()),
        "answers": answers.detach().tolist(), "last_pre_activation": pre[-1].detach().tolist(), "state": state.detach().tolist(),
        "values": {k: v.detach().flatten().tolist() for k, v in zip(names, leaves)},
        "gradients": {k: v.grad.flatten().tolist() for k, v in zip(names, leaves)},
    }


def lstm_case(d, n, steps):
    items, familiar = task(d, steps, 3, 0.5)
    cell, head = torch.nn.LSTM(d, n), torch.nn.Linear(n, 1)
    # PyTorch keeps two biases, of which only the sum matters.
    torch.nn.init.zeros_(cell.bias_hh_l0)
    hidden, _ = cell(torch.tensor(items)[:, None])
    answers = torch.sigmoid(head(hidden))[:, 0, 0]
    loss = torch.nn.functional.binary_cross_entropy(answers, torch.tensor(familiar).double())
    loss.backward()
    leaves = [cell.weight_ih_l0, cell.weight_hh_l0, cell.bias_ih_l0, head.weight, head.bias]
    return {
        "d": d, "n": n, "items": items.tolist(), "familiar": familiar, "loss": float(loss.detach()), "answers": answers.detach().tolist(),
        "values": torch.cat([v.detach().flatten() for v in leaves]).tolist(),
        "gradients": torch.cat([v.grad.flatten() for v in leaves]).tolist(),
    }


def det_hebb_case(address, plastic, steps, delay, f=0.5, pfp=0.01, ptp=0.99):
    items, familiar = task(address + plastic, steps, delay, f)
    units = 2**address
    inverse = scipy.special.erfcinv
    alpha = (inverse(2 * pfp) - inverse(2 * ptp)) * np.sqrt(2 * np.e)
    gamma = 1 - alpha**2 * f / (2 * plastic * units)
    bias = plastic * (inverse(2 * pfp) * np.sqrt(2) / alpha - address)
    w = plastic * np.array([[1.0 if u >> b & 1 else -1.0 for b in range(address)] for u in range(units)])
    state, answers = np.zeros((units, plastic)), []
    for x in items:
        h = (w @ x[:address] + bias + state @ x[address:] > 0).astype(float)
        answers.append(float(h.sum() == 0))
        state = gamma * state - np.outer(h, x[address:])
    return {
        "address": address, "plastic": plastic, "items": items.tolist(), "familiar": familiar, "gamma": gamma, "bias": bias,
        "answers": answers,
    }


def multilayer(layers, gamma_plus, gamma_minus, omega):
    n = layers[0].shape[0]
    size = n * len(layers)
    b, total = np.zeros((size, size)), 0.0
    for s, a in enumerate(layers):
        place = slice(s * n, (s + 1) * n)
        b[place, place] = a
        for part, gamma, sign in [(np.maximum(a, 0), gamma_plus, -1), (np.maximum(-a, 0), gamma_minus, 1)]:
            total += part.sum()
            b[place, place] += sign * gamma * np.outer(part.sum(1), part.sum(1)) / part.sum()
    for s in range(len(layers) - 1):
        i = np.arange(n) + s * n
        b[i, i + n] = b[i + n, i] = omega
    return b, total + 2 * omega * n * (len(layers) - 1)


class Given:
    """An array that compares with strings, as bctpy's choice of objective needs."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


def bct_louvain(b, total, runs):
    weights = np.full(b.shape, total / b.size)
    results = [bct.community_louvain(weights, B=Given(b), seed=run) for run in range(runs)]
    labels, q = max(results, key=lambda r: r[1])
    return {"labels": labels.tolist(), "q": float(q), "all": [float(r[1]) for r in results]}


def graph_cases():
    cases = []
    for n, count in [(12, 3), (20, 4), (30, 5)]:
        courses = rng.standard_normal((3, count * 40))
        series = np.array([courses[i % 3] + 1.2 * rng.standard_normal(count * 40) for i in range(n)])
        layers = [np.corrcoef(series[:, s * 40:(s + 1) * 40]) for s in range(count)]
        b, total = multilayer(layers, 1.02, 1.0, 1.0)
        some = rng.integers(0, 4, n * count)
        cases.append({
            "units": n, "window": 40, "series": series.tolist(), "layers": [a.flatten().tolist() for a in layers], "total": total,
            "some_labels": some.tolist(), "some_q": float(b[some[:, None] == some[None, :]].sum() / total),
            "louvain": bct_louvain(b, total, 20),
            "entropy": float(0.5 * np.linalg.slogdet(np.cov(series) + 1e-6 * np.trace(np.cov(series)) / n * np.eye(n))[1] + 0.5 * n * (1 + np.log(2 * np.pi))),
        })
    return cases


def signed_static():
    """bctpy's own signed modularity: positive and negative part weighed alike."""
    a = np.corrcoef(rng.standard_normal((16, 30)))
    np.fill_diagonal(a, 0)
    labels, q = bct.modularity_louvain_und_sign(a, qtype="gja", seed=1)
    return {"units": 16, "layer": a.flatten().tolist(), "labels": np.asarray(labels).astype(int).tolist(), "q": float(q)}


karate = networkx.to_numpy_array(networkx.karate_club_graph(), weight=None)
a, b = rng.standard_normal(30), rng.integers(0, 6, 30).astype(float)
x, y = rng.standard_normal(6) + 1, rng.standard_normal(5)
document = {
    "hebb": [hebb_case(4, 6, 20, 2, "none"), hebb_case(5, 7, 26, 3, "anti"), hebb_case(3, 5, 17, 1, "hebb")],
    "lstm": lstm_case(5, 4, 15),
    "det_hebb": det_hebb_case(4, 12, 60, 4),
    "graphs": graph_cases(),
    "signed": signed_static(),
    "karate": bct_louvain(karate - np.outer(karate.sum(1), karate.sum(1)) / karate.sum(), karate.sum(), 20),
    "stats": {
        "a": a.tolist(), "b": b.tolist(), "pearson": float(scipy.stats.pearsonr(a, b)[0]), "spearman": float(scipy.stats.spearmanr(a, b)[0]),
        "x": x.tolist(), "y": y.tolist(), "mann_whitney": float(scipy.stats.mannwhitneyu(x, y, alternative="greater", method="exact").pvalue),
    },
}
(folder / "golden.json").write_text(json.dumps(document) + "\n")
(folder / "karate.json").write_text(json.dumps(karate.astype(int).tolist()) + "\n")
packages = ["torch", "bctpy", "numpy", "scipy", "networkx"]
versions = {"python": platform.python_version(), **{p: importlib.metadata.version(p) for p in packages}, "seed": SEED}
(folder / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")
