"""Values of scikit-learn and PyTorch: the support-vector machine, the metrics, and pooling, gate and head of the black box."""

import json
import pathlib
import sys

import numpy as np
import sklearn
import torch
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.svm import LinearSVC

here = pathlib.Path(__file__).parent
rng = np.random.default_rng(7)


def numbers(array):
    return [float(f"{v:.9g}") for v in np.asarray(array, dtype=np.float64).ravel()]


def svm():
    cases = []
    for n, d, c, shift in [(40, 6, 0.1, 0.8), (60, 12, 1.0, 0.3), (30, 4, 0.1, 2.0)]:
        x = rng.normal(size=(n, d)).astype(np.float32)
        y = rng.random(n) < 0.5
        x[y] += shift * rng.normal(size=d).astype(np.float32)
        fitted = LinearSVC(loss="hinge", C=c, dual=True, tol=1e-9, max_iter=5_000_000, random_state=0).fit(x.astype(np.float64), y)
        cases.append({"c": c, "x": [numbers(row) for row in x], "y": [bool(v) for v in y],
                      "weight": numbers(fitted.coef_), "intercept": float(fitted.intercept_[0])})
    return cases


def metrics():
    labels = rng.integers(0, 3, 40)
    answers = np.where(rng.random(40) < 0.6, labels, rng.integers(0, 3, 40))
    scores = np.round(rng.normal(size=40) + (labels == 1), 1)
    return {"labels": labels.tolist(), "answers": answers.tolist(), "scores": numbers(scores),
            "macro_f1": f1_score(labels, answers, average="macro"), "auroc_of_1": roc_auc_score(labels == 1, scores)}


def blackbox():
    torch.manual_seed(3)
    f, hidden, classes = 8, 4, 3
    linear = {"classifier.pool.weight.mlp.0": (hidden, f, True), "classifier.pool.weight.mlp.2": (f, hidden, True),
              "classifier.attn.linear_q": (f, f, False), "classifier.attn.linear_k": (f, f, False), "classifier.attn.linear_v": (f, f, False),
              "classifier.classifier.classifier.0": (hidden, f, True), "classifier.classifier.classifier.2": (classes, hidden, True)}
    layers = {name: torch.nn.Linear(i, o, bias=b) for name, (o, i, b) in linear.items()}
    leaky = torch.nn.functional.leaky_relu
    cases = []
    for bag in (1, 3):
        h = torch.randn(bag, f)
        z = layers["classifier.pool.weight.mlp.2"](leaky(layers["classifier.pool.weight.mlp.0"](h), 0.2))
        pooled = (torch.softmax(z, 0) * h).sum(0) if bag > 1 else h[0]
        q, k, v = (layers[f"classifier.attn.linear_{p}"](pooled) for p in "qkv")
        gated = leaky(torch.sigmoid(q * k) * v, 0.2)
        logits = layers["classifier.classifier.classifier.2"](layers["classifier.classifier.classifier.0"](gated))
        cases.append({"features": [numbers(row.detach()) for row in h], "logits": numbers(logits.detach())})
    weights = {}
    for name, layer in layers.items():
        weights[f"{name}.weight"] = {"shape": list(layer.weight.shape), "values": numbers(layer.weight.detach())}
        if layer.bias is not None:
            weights[f"{name}.bias"] = {"shape": list(layer.bias.shape), "values": numbers(layer.bias.detach())}
    return {"features": f, "classes": classes, "reduction": f // hidden, "weights": weights, "cases": cases}


(here / "golden.json").write_text(json.dumps({"svm": svm(), "metrics": metrics(), "blackbox": blackbox()}) + "\n")
(here / "versions.json").write_text(json.dumps({"python": sys.version.split()[0], "numpy": np.__version__,
                                                "scikit-learn": sklearn.__version__,
                                                "torch": torch.__version__.split("+")[0]}, indent=2) + "\n")
