"""Makes golden values of a dynamic convolution with PyTorch. Writes beside itself, or to the folder given."""

import importlib.metadata
import json
import pathlib
import platform
import sys

import torch
import torch.nn.functional as F

folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
SEED = 20220404
torch.manual_seed(SEED)
inputs, outputs, hidden, kernels, rows, columns, temperature = 3, 5, 2, 4, 6, 7, 1.7
x = torch.randn(2, inputs, rows, columns)
weight = torch.randn(kernels, outputs, inputs, 3, 3)
weight[weight.abs() < 0.6] = 0
bias, fc1, fc2, fc2_bias = torch.randn(kernels, outputs), torch.randn(hidden, inputs), torch.randn(kernels, hidden), torch.randn(kernels)
shares = torch.softmax((F.relu(x.mean((2, 3)) @ fc1.T) @ fc2.T + fc2_bias) / temperature, 1)
mixed = torch.einsum("nk,koihw->noihw", shares, weight)
y = F.conv2d(x.reshape(1, -1, rows, columns), mixed.reshape(-1, inputs, 3, 3), padding=1, groups=2)
y = y.reshape(2, outputs, rows, columns) + (shares @ bias)[:, :, None, None]
document = {
    "shape": [inputs, outputs, hidden, kernels, rows, columns], "temperature": temperature, "x": x.flatten(1).tolist(),
    "weight": weight.flatten().tolist(), "bias": bias.flatten().tolist(), "fc1": fc1.flatten().tolist(), "fc2": fc2.flatten().tolist(),
    "fc2_bias": fc2_bias.tolist(), "shares": shares.tolist(), "y": y.flatten(1).tolist(), "nonzeros": int((weight != 0).sum()),
    "union": int((weight != 0).any(0).sum()),
}
(folder / "golden.json").write_text(json.dumps(document) + "\n")
versions = {"python": platform.python_version(), "torch": importlib.metadata.version("torch"), "seed": SEED}
(folder / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")
