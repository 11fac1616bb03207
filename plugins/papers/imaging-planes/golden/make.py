"""Golden values from numpy (geometry, heat maps, metrics) and PyTorch (the U-Net forward, its gradient, Grad-CAM).

python make.py writes geometry.json, metrics.json, unet.safetensors and versions.json beside itself.
"""

import json
import pathlib

import numpy as np
import scipy
import sklearn
import torch
from safetensors.torch import save_file
from scipy.ndimage import binary_erosion, distance_transform_edt
from sklearn.metrics import f1_score, roc_auc_score
from torch import nn

here = pathlib.Path(__file__).parent
rng = np.random.default_rng(3)

# --- geometry: planes from random rotations; lines by a least-norm solution, not by the axis rule of the method. ---
cases = []
for _ in range(24):
    planes = []
    for _ in range(2):
        q, r = np.linalg.qr(rng.normal(size=(3, 3)))
        q = q * np.sign(np.diag(r))
        planes.append(np.concatenate([rng.uniform(-150, 150, 3), q[:, 0], q[:, 1], rng.uniform(0.5, 3, 2), rng.uniform(1, 10, 1)]))
    normals = [np.cross(p[3:6], p[6:9]) for p in planes]
    points = [p[:3] for p in planes]
    a = np.stack(normals)
    point = np.linalg.lstsq(a, np.array([n @ p for n, p in zip(normals, points)]), rcond=None)[0]
    direction = np.linalg.svd(a)[2][2]
    own = planes[0]

    def pixel(p):
        return np.array([(p - own[:3]) @ own[3:6] / own[10], (p - own[:3]) @ own[6:9] / own[9]])

    p0, p1 = pixel(point), pixel(point + 50 * direction)
    tangent = (p1 - p0) / np.linalg.norm(p1 - p0)
    normal = np.array([-tangent[1], tangent[0]])
    samples = rng.uniform(0, 100, (5, 2))
    cases.append({"planes": [p.tolist() for p in planes], "samples": samples.tolist(), "distances": np.abs((samples - p0) @ normal).tolist()})
(here / "geometry.json").write_text(json.dumps(cases) + "\n")

# --- metrics ---
a, b = rng.random((5, 9, 11)) < 0.3, rng.random((5, 9, 11)) < 0.3
a[1:4, 2:7, 3:9] = True
b[1:4, 3:8, 2:8] = True
spacing = [9.0, 2.0, 1.5]


def surface(x):
    return x & ~binary_erosion(x, border_value=0)


def directed(x, y):
    return distance_transform_edt(~surface(y), sampling=spacing)[surface(x)]


labels_a, labels_b = rng.integers(0, 3, 300), rng.integers(0, 3, 300)
scores = np.round(rng.random(80), 1)
positive = rng.random(80) < 0.4
metrics = {
    "a": a.astype(int).flatten().tolist(), "b": b.astype(int).flatten().tolist(), "shape": [5, 9, 11], "spacing": spacing,
    "hd95": float(np.percentile(np.concatenate([directed(a, b), directed(b, a)]), 95)),
    "labels": [labels_a.tolist(), labels_b.tolist()],
    "dice": [float(f1_score(labels_b == c, labels_a == c)) for c in range(3)],
    "scores": scores.tolist(), "positive": positive.tolist(), "auroc": float(roc_auc_score(positive, scores)),
    "f1": float(f1_score(positive, scores > 0.5)),
}
(here / "metrics.json").write_text(json.dumps(metrics) + "\n")

# --- the U-Net, feature scale 16, written down from the table of the specification ---
torch.manual_seed(0)
widths = [4, 8, 16, 32, 64]


def block(before, after):
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU())


class Double(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.conv1, self.conv2 = block(before, after), block(after, after)

    def forward(self, x):
        return self.conv2(self.conv1(x))


class Plain(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.ReLU())
        self.conv2 = nn.Sequential(nn.Conv2d(after, after, 3, padding=1), nn.ReLU())


class Up(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.up = nn.ConvTranspose2d(before, after, 2, stride=2)
        self.conv = Plain(2 * after, after)

    def forward(self, x, skip):
        return self.conv.conv2(self.conv.conv1(torch.cat([self.up(x), skip], 1)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        before = 1
        for i, w in enumerate(widths):
            setattr(self, "center" if i == 4 else f"conv{i + 1}", Double(before, w))
            before = w
        for i in range(4):
            setattr(self, f"up_concat{i + 1}", Up(widths[i + 1], widths[i]))
        self.final = nn.Conv2d(widths[0], 2, 1)
        self.global_layers = nn.Sequential(nn.Linear(widths[4], 128), nn.Dropout(0.5), nn.ReLU(), nn.Linear(128, 1))

    def forward(self, x):
        skips = []
        for i in range(4):
            x = getattr(self, f"conv{i + 1}")(x)
            skips.append(x)
            x = nn.functional.max_pool2d(x, 2)
        center = self.center(x)
        y = center
        for i in reversed(range(4)):
            y = getattr(self, f"up_concat{i + 1}")(y, skips[i])
        pooled = nn.functional.max_pool2d(center, center.shape[2:]).flatten(1)
        return self.final(y), self.global_layers(pooled), center


net = Net()
for module in net.modules():
    if isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.1)
        nn.init.normal_(module.bias, 0.0, 0.1)
        nn.init.normal_(module.running_mean, 0.0, 0.1)
        nn.init.uniform_(module.running_var, 0.5, 1.5)
x = torch.randn(2, 1, 32, 48)
tensors = {f"w.{k}": v.clone() for k, v in net.state_dict().items()}
net.eval()
heat, location, center = net(x)
tensors |= {"x": x, "heat": heat, "location": location}

# Grad-CAM by autograd on the first image.
center.retain_grad()
location[0, 0].backward()
weights = center.grad[0].mean((1, 2))
cam = torch.relu((weights[:, None, None] * center[0]).sum(0))[None, None]
cam = nn.functional.interpolate(cam, size=(32, 48), mode="bilinear", align_corners=False)[0, 0]
tensors |= {"center": center[0].detach(), "cam": (cam - cam.min()) / (cam.max() - cam.min())}

# One training loss and some of its gradients, dropout left out.
net.train()
net.global_layers[1].p = 0.0
net.zero_grad()
heat_target, place = torch.rand(2, 2, 32, 48), torch.rand(2, 1)
heat, location, _ = net(x)
loss = nn.functional.mse_loss(heat, heat_target) + nn.functional.mse_loss(location, place)
loss.backward()
tensors |= {"heat_target": heat_target, "place": place, "loss": loss.detach().reshape(1)}
for name in ["conv1.conv1.0.weight", "center.conv2.1.weight", "up_concat4.up.weight", "up_concat1.up.bias", "final.bias", "global_layers.0.weight"]:
    tensors[f"grad.{name}"] = dict(net.named_parameters())[name].grad
save_file({k: v.detach().contiguous() for k, v in tensors.items()}, here / "unet.safetensors")

versions = {"numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__, "torch": torch.__version__}
(here / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")
