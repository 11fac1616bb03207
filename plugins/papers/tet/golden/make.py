"""Golden values for tet, from PyTorch's autograd and SpikingJelly's neuron. Run in a Python with torch, spikingjelly and
safetensors; writes golden.safetensors and versions.json beside itself. Nothing here calls the Rust code."""

import json
import pathlib
import platform

import safetensors
import torch
import torch.nn.functional as F
from importlib.metadata import version
from safetensors.torch import save_file
from spikingjelly.activation_based import neuron

HERE = pathlib.Path(__file__).parent
SEED = 20220211
torch.manual_seed(SEED)
torch.set_num_threads(1)
store = {}


class Triangle(torch.autograd.Function):
    """1[u > threshold] forward, a triangle of half width g backward."""

    @staticmethod
    def forward(ctx, u, threshold, g):
        ctx.save_for_backward(u)
        ctx.numbers = (threshold, g)
        return (u > threshold).to(u.dtype)

    @staticmethod
    def backward(ctx, grad):
        (u,) = ctx.saved_tensors
        threshold, g = ctx.numbers
        return grad * torch.clamp(g - (u - threshold).abs(), min=0) / g**2, None, None


def lif(x, decay=0.5, threshold=1.0, g=1.0, sigmoid=None):
    """x [T, ...] to spikes; the reset is part of the graph."""
    u = torch.zeros_like(x[0])
    out = []
    for now in x:
        u = decay * u + now
        s = Triangle.apply(u, threshold, g) if sigmoid is None else torch.sigmoid(sigmoid * (u - threshold))
        u = (1 - s) * u
        out.append(s)
    return torch.stack(out)


def sdt(o, y, smoothing=0.0):
    return F.cross_entropy(o.mean(0), y, label_smoothing=smoothing)


def tet(o, y, lam, phi):
    by_step = torch.stack([F.cross_entropy(row, y) for row in o]).mean()
    return (1 - lam) * by_step + lam * F.mse_loss(o, torch.full_like(o, phi))


# --- Losses and their gradients.
logits = (2 * torch.randn(3, 4, 5)).requires_grad_()
labels = torch.tensor([0, 3, 4, 3])
store["loss.logits"], store["loss.labels"] = logits.detach(), labels
LOSSES = {"sdt": lambda o: sdt(o, labels), "sdt-smooth": lambda o: sdt(o, labels, 0.1)}
for lam, phi in [(0.0, 1.0), (0.001, 1.0), (0.05, 1.0), (0.3, 0.5), (1.0, 1.0)]:
    LOSSES[f"tet:{lam}:{phi}"] = lambda o, lam=lam, phi=phi: tet(o, labels, lam, phi)
for name, loss in LOSSES.items():
    value = loss(logits)
    (grad,) = torch.autograd.grad(value, logits)
    store[f"loss.{name}.value"], store[f"loss.{name}.grad"] = value.detach().reshape(1), grad

# --- The neuron: gradients through time, and SpikingJelly's spikes on the same currents.
current = (0.9 * torch.randn(6, 40) + 0.4).requires_grad_()
weight = torch.randn(6, 40)
for name, kwargs in {"lif": {}, "lif-wide": {"decay": 0.75, "threshold": 0.5, "g": 2.0}, "sigmoid": {"sigmoid": 10.0}}.items():
    spikes = lif(current, **kwargs)
    (grad,) = torch.autograd.grad((spikes * weight).sum(), current)
    store[f"{name}.spikes"], store[f"{name}.grad"] = spikes.detach(), grad
store["lif.current"], store["lif.weight"] = current.detach(), weight
node = neuron.LIFNode(tau=2.0, decay_input=False, v_threshold=1.0, v_reset=0.0, step_mode="m")
store["spikingjelly.spikes"] = node(current.detach())

# --- VGGSNN-mini on 2 x 12 x 12, T = 4, three items: logits in both modes, gradients of both losses.
T, B = 4, 3
params, stats = {}, {}
cin = 2
for n, cout in enumerate([12, 24, 32, 32]):
    params[f"convs.{n}.weight"] = torch.randn(cout, cin, 3, 3) * (2.0 / (cin * 9)) ** 0.5
    params[f"convs.{n}.bias"] = 0.1 * torch.randn(cout)
    params[f"bns.{n}.gamma"] = 1 + 0.2 * torch.randn(cout)
    params[f"bns.{n}.beta"] = 0.3 + 0.2 * torch.randn(cout)
    stats[f"bns.{n}.mean"] = 0.1 * torch.randn(cout)
    stats[f"bns.{n}.var"] = 0.5 + torch.rand(cout)
    cin = cout
params["head.0.weight"] = torch.randn(10, 32) * 0.3
params["head.0.bias"] = 0.1 * torch.randn(10)
params = {k: v.requires_grad_() for k, v in params.items()}
frames = torch.rand(B, T, 2, 12, 12)
targets = torch.tensor([1, 7, 2])


def network(training, sigmoid=None):
    x = frames.transpose(0, 1).reshape(T * B, 2, 12, 12)
    for n in range(4):
        x = F.conv2d(x, params[f"convs.{n}.weight"], params[f"convs.{n}.bias"], stride=2 if n == 0 else 1, padding=1)
        mean, var = stats[f"bns.{n}.mean"].clone(), stats[f"bns.{n}.var"].clone()
        x = F.batch_norm(x, mean, var, params[f"bns.{n}.gamma"], params[f"bns.{n}.beta"], training=training)
        x = lif(x.reshape(T, B, *x.shape[1:]), sigmoid=sigmoid).reshape(x.shape)
        if n in (1, 3):
            x = F.avg_pool2d(x, 2)
    return F.linear(x.flatten(1), params["head.0.weight"], params["head.0.bias"]).reshape(T, B, 10)


for key, value in {**params, **stats}.items():
    store[f"net.{key}"] = value.detach()
store["net.frames"], store["net.labels"] = frames, targets
store["net.eval"] = network(False).detach()
store["net.train"] = network(True).detach()
for name, loss in {"sdt": lambda o: sdt(o, targets), "tet": lambda o: tet(o, targets, 0.05, 1.0)}.items():
    for mode, sigmoid in [("", None), (".sigmoid", 10.0)]:
        grads = torch.autograd.grad(loss(network(True, sigmoid)), list(params.values()))
        for key, grad in zip(params, grads):
            store[f"net.{name}{mode}.grad.{key}"] = grad

save_file({k: v.contiguous() for k, v in store.items()}, HERE / "golden.safetensors")
versions = {
    "python": platform.python_version(),
    "torch": torch.__version__.split("+")[0],
    "spikingjelly": version("spikingjelly"),
    "safetensors": safetensors.__version__,
    "seed": SEED,
}
(HERE / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")
