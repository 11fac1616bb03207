"""Reference values for the girnet plugin: networks and integration by PyTorch, measures by SimpleITK, losses by hand in PyTorch.

Run:  python make.py      (writes golden.safetensors, golden.json and versions.json beside this file)
"""

import json
import pathlib
import sys

import numpy as np
import safetensors.torch
import SimpleITK as sitk
import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).parent
torch.manual_seed(2310)
torch.set_num_threads(1)
RANGE, SQUARINGS = 6.0, 5


def leaky(x):
    return F.leaky_relu(x, 0.2)


class Nets:
    """Functional networks over a store of weights drawn on first use."""

    def __init__(self, axes):
        self.axes, self.weights = axes, {}
        self.conv = F.conv2d if axes == 2 else F.conv3d
        self.up = F.conv_transpose2d if axes == 2 else F.conv_transpose3d
        self.pool = F.max_pool2d if axes == 2 else F.max_pool3d

    def tensor(self, name, *shape, scale):
        if name not in self.weights:
            self.weights[name] = (torch.randn(*shape) * scale).float()
        return self.weights[name].double()

    def layer(self, name, x, out, kernel=3, stride=1, padding=1, bias=True):
        c = x.shape[1]
        w = self.tensor(f"{name}.weight", out, c, *[kernel] * self.axes, scale=1.4 / (c * kernel**self.axes) ** 0.5)
        b = self.tensor(f"{name}.bias", out, scale=0.1) if bias else None
        return self.conv(x, w, b, stride=stride, padding=padding)

    def encode(self, prefix, widths, x):
        skips = []
        for level, width in enumerate(widths):
            x = leaky(self.layer(f"{prefix}.encoder.{level}.0.conv.0", x, width))
            skips.append(x)
            x = self.pool(x, 2)
        return x, skips

    def decode(self, prefix, decoder, tail, x, skips):
        for level, width in enumerate(decoder):
            x = leaky(self.layer(f"{prefix}.decoder.decoder.{level}.0.conv.0", x, width))
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = torch.cat([x, skips[len(skips) - 1 - level]], 1)
        for i, width in enumerate(tail):
            x = leaky(self.layer(f"{prefix}.decoder.remaining.{i}.conv.0", x, width))
        return self.layer(f"{prefix}.final.0", x, 1)

    def seg(self, widths, x):
        encoder, decoder, tail = widths
        x, skips = self.encode("mask_generator.encoder", encoder, x)
        return torch.sigmoid(self.decode("mask_generator", decoder, tail, x, skips))

    def inp(self, widths, masked, mask, reference):
        encoder, decoder, tail = widths
        a, a_skips = self.encode("inpainter.encoder1", encoder, torch.cat([masked, mask], 1))
        b, b_skips = self.encode("inpainter.encoder2", encoder, reference)
        skips = [torch.cat(pair, 1) for pair in zip(a_skips, b_skips)]
        return self.decode("inpainter", decoder, tail, torch.cat([a, b], 1), skips)

    def reg(self, c, x, y):
        p = "symnet.unet"
        act = lambda name, v, out, **k: torch.relu(self.layer(f"{p}.{name}.0", v, out, **k))

        def up(name, v, out):
            w = self.tensor(f"{p}.{name}.0.weight", v.shape[1], out, *[2] * self.axes, scale=1.0 / v.shape[1] ** 0.5)
            return torch.relu(self.up(v, w, self.tensor(f"{p}.{name}.0.bias", out, scale=0.1), stride=2))

        e0 = act("eninput", torch.cat([x, y], 1), c)
        e0 = act("ec1", e0, c)
        e1 = act("ec3", act("ec2", e0, 2 * c, stride=2), 2 * c)
        e2 = act("ec5", act("ec4", e1, 4 * c, stride=2), 4 * c)
        e3 = act("ec7", act("ec6", e2, 8 * c, stride=2), 8 * c)
        v = act("ec9", act("ec8", e3, 16 * c, stride=2), 8 * c)
        v = torch.cat([up("up1", v, 8 * c), e3], 1)
        v = act("dc2", act("dc1", v, 8 * c), 4 * c)
        v = torch.cat([up("up2", v, 4 * c), e2], 1)
        v = act("dc4", act("dc3", v, 4 * c), 2 * c)
        v = torch.cat([up("up3", v, 2 * c), e1], 1)
        v = act("dc6", act("dc5", v, 4 * c), 2 * c)
        v = torch.cat([up("up4", v, 2 * c), e0], 1)
        v = act("dc8", act("dc7", v, 2 * c), 2 * c)
        head = lambda name: F.softsign(self.layer(f"{p}.{name}.0", v, self.axes, kernel=5, padding=2, bias=False))
        return head("dc9"), head("dc10")


def sample(image, flow):
    """image(p + flow(p)), flow in samples with the fastest axis first."""
    grid = image.shape[2:]
    axes = len(grid)
    identity = torch.stack([*torch.meshgrid(*[torch.arange(float(n)) for n in grid], indexing="ij")][::-1]).double()
    sizes = torch.tensor([float(n) for n in grid[::-1]]).double().reshape(1, axes, *[1] * axes)
    place = (identity + flow) * 2 / (sizes - 1) - 1
    return F.grid_sample(image, place.movedim(1, -1), mode="bilinear", padding_mode="zeros", align_corners=True)


def exponential(v):
    f = v / 2**SQUARINGS
    for _ in range(SQUARINGS):
        f = f + sample(f, f)
    return f


def fields(vxy, vyx):
    hxy, hyx, bxy, byx = (exponential(RANGE * v) for v in (vxy, vyx, -vxy, -vyx))
    return hxy, hyx, sample(hxy, byx) + byx, sample(hyx, bxy) + bxy


def ncc(a, b, window, eps):
    ones = torch.ones(1, 1, window, window).double()
    total = lambda x: F.conv2d(x, ones, padding=window // 2)
    n = window**2
    cross = total(a * b) - total(a) * total(b) / n
    va, vb = total(a * a) - total(a) ** 2 / n, total(b * b) - total(b) ** 2 / n
    return (cross**2 + eps) / (va * vb + eps)


def main():
    store, numbers = {}, {}
    widths = ([3, 4], [5, 4], [4, 3])
    for axes, grid in ((2, (16, 32)), (3, (16, 16, 32))):
        nets = Nets(axes)
        x, y, mask = (torch.rand(1, 1, *grid).float().double() for _ in range(3))
        mask = (mask > 0.5).double()
        seg, inp = nets.seg(widths, x), nets.inp(widths, x * (1 - mask), mask, y)
        vxy, vyx = nets.reg(2, x, y)
        hxy, hyx, fxy, fyx = fields(vxy, vyx)
        store |= {f"{axes}/weights/{k}": v for k, v in nets.weights.items()}
        values = {"x": x, "y": y, "mask": mask, "seg": seg, "inp": inp, "v_xy": vxy, "v_yx": vyx, "flow_xy": fxy, "flow_yx": fyx,
                  "warped_xy": sample(x, fxy), "warped_yx": sample(y, fyx)}
        store |= {f"{axes}/{k}": v for k, v in values.items()}

    # Losses, on smooth fields so that nothing folds by chance, and on rough ones that fold.
    x, y, r, s = (torch.rand(2, 1, 12, 10).float().double() for _ in range(4))
    brain = (torch.rand(2, 1, 12, 10) > 0.3).double()
    m = torch.rand(2, 1, 12, 10).float().double()
    vxy, vyx = (torch.randn(2, 2, 12, 10).float().double() * 0.2 for _ in range(2))
    vxy, vyx = vxy.float().double(), vyx.float().double()
    hole = (m > 0.5).double()
    window, eps, reg_window, reg_eps = 5, 1e-2, 3, 2e-2

    def unlike(w, r):
        total = (w * (1 - ncc(x, r, window, eps))).sum((1, 2, 3))
        return (total / (w.sum((1, 2, 3)) + 120 / 32)).mean()

    inside, outside = unlike(m * brain, r), unlike((1 - m) * brain, s)
    numbers["seg_loss"], numbers["seg_loss_both_negative"] = (outside - inside).item(), (-inside - outside).item()
    wanted = x * (1 - hole) + y * hole
    numbers["inp_loss"] = (-ncc(x, r, window, eps).mean() + 100 * F.mse_loss(r, wanted)).item()

    def gradients(image, whole):
        image = F.pad(image, (1, 0, 1, 0)) if whole else image
        parts = [image[..., 1:, 1:] - image[..., :-1, 1:], image[..., 1:, 1:] - image[..., 1:, :-1]]
        return [F.conv2d(p, torch.ones(1, 1, 7, 7).double(), padding=3) for p in parts]

    def edges_alike(a, b, whole):
        (ay, ax), (by, bx) = gradients(a, whole), gradients(b, whole)
        return ((ay * by + ax * bx).abs() + 1e-2) / torch.sqrt((ay**2 + ax**2 + 1e-2) * (by**2 + bx**2 + 1e-2))

    region = lambda weight, values: (weight * values).sum() / (weight.sum() + 1e-5)
    numbers["inp_loss_gradients"] = (
        -ncc(x, r, window, eps).mean() + 2 * F.mse_loss(r, wanted) - 0.5 * edges_alike(wanted, r, False).mean()).item()
    numbers["inp_loss_exclude"] = (
        -ncc(x, r, window, eps).mean() + sum(
            2 * region(w, (t - r) ** 2) - 0.5 * region(w, edges_alike(t, r, True)) for w, t in ((hole, y), (1 - hole, x)))).item()
    hxy, hyx, fxy, fyx = fields(vxy, vyx)
    jneg = lambda f: torch.relu(-(
        (f[:, 0, :-1, 1:] - f[:, 0, :-1, :-1] + 1) * (f[:, 1, 1:, :-1] - f[:, 1, :-1, :-1] + 1)
        - (f[:, 0, 1:, :-1] - f[:, 0, :-1, :-1]) * (f[:, 1, :-1, 1:] - f[:, 1, :-1, :-1]))).mean()
    smooth = lambda f: (((f[..., 1:] - f[..., :-1]) ** 2).mean() + ((f[..., 1:, :] - f[..., :-1, :]) ** 2).mean()) / 2
    like = lambda a, b: -ncc(a, b, reg_window, reg_eps).mean()
    numbers["reg_loss"] = (
        like(sample(r, hxy), sample(y, hyx)) + 0.1 * (hxy.abs().mean() - hyx.abs().mean()).abs() + like(y, sample(r, fxy))
        + like(r, sample(y, fyx)) + jneg(fxy) + jneg(fyx) + 3 * (smooth(RANGE * vxy) + smooth(RANGE * vyx))).item()
    numbers["folds"] = jneg(fyx).item()
    store |= {f"losses/{k}": v for k, v in {"x": x, "y": y, "r": r, "s": s, "brain": brain, "m": m, "v_xy": vxy, "v_yx": vyx}.items()}

    # Measures against SimpleITK: Jacobian, overlap and distance of outlines.
    for name, shape, spacing in (("plane", (20, 24), (2.0, 2.0)), ("volume", (9, 12, 14), (1.0, 1.0, 1.0))):
        field = torch.randn(len(shape), *shape).float()
        field = F.avg_pool2d(field[None], 3, 1, 1)[0] if len(shape) == 2 else F.avg_pool3d(field[None], 3, 1, 1)[0]
        field = (field * 3).float()
        image = sitk.GetImageFromArray(np.moveaxis(field.numpy().astype(np.float64), 0, -1), isVector=True)
        jacobian = sitk.GetArrayFromImage(sitk.DisplacementFieldJacobianDeterminant(image))
        store[f"jacobian/{name}/field"], store[f"jacobian/{name}/det"] = field, torch.from_numpy(jacobian.astype(np.float32))
    a = np.zeros((24, 30), np.uint8)
    b = np.zeros((24, 30), np.uint8)
    a[4:15, 5:17] = 1
    a[12:20, 10:14] = 1
    b[6:18, 8:19] = 1
    pair = [sitk.GetImageFromArray(v) for v in (a, b)]
    for image in pair:
        image.SetSpacing((2.0, 2.0))
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*pair)
    edges = [sitk.LabelContour(image, fullyConnected=False) for image in pair]
    maps = [sitk.GetArrayFromImage(sitk.Abs(sitk.SignedMaurerDistanceMap(e, squaredDistance=False, useImageSpacing=True))) for e in edges]
    masks = [sitk.GetArrayFromImage(e) > 0 for e in edges]
    both = np.concatenate([maps[1][masks[0]], maps[0][masks[1]]])
    numbers["measures"] = {"a": a.ravel().tolist(), "b": b.ravel().tolist(), "rows": 24, "columns": 30, "spacing": 2.0,
                           "dice": overlap.GetDiceCoefficient(), "hd95": float(np.percentile(both, 95))}

    store = {k: v.detach().float().contiguous() for k, v in store.items()}
    safetensors.torch.save_file(store, HERE / "golden.safetensors")
    (HERE / "golden.json").write_text(json.dumps(numbers) + "\n")
    versions = {"python": sys.version.split()[0], "torch": torch.__version__, "numpy": np.__version__,
                "SimpleITK": sitk.Version_VersionString(), "safetensors": safetensors.__version__}
    (HERE / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")
    print(len(store), "tensors,", (HERE / "golden.safetensors").stat().st_size, "bytes")


main()
