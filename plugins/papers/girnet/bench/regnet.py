"""Times the registration network of the full-scale configurations in PyTorch: one random pair of 160 x 192 x 144 voxels.

Run:  python regnet.py [threads]      (prints one line of JSON)
Beside it: cargo xtask run girnet/girnet dry-run girnet_brats_pseudo_3d --backend onnxruntime
"""

import json
import resource
import sys
import time

import torch
import torch.nn as nn

C = 7
GRID = (144, 192, 160)


def conv(i, o, stride=1):
    return nn.Sequential(nn.Conv3d(i, o, 3, stride, 1), nn.ReLU())


def up(i, o):
    return nn.Sequential(nn.ConvTranspose3d(i, o, 2, 2), nn.ReLU())


class RegNet(nn.Module):
    """Layers of specification section 2, at c = 7."""

    def __init__(self):
        super().__init__()
        self.e0 = nn.Sequential(conv(2, C), conv(C, C))
        self.e1 = nn.Sequential(conv(C, 2 * C, 2), conv(2 * C, 2 * C))
        self.e2 = nn.Sequential(conv(2 * C, 4 * C, 2), conv(4 * C, 4 * C))
        self.e3 = nn.Sequential(conv(4 * C, 8 * C, 2), conv(8 * C, 8 * C))
        self.e4 = nn.Sequential(conv(8 * C, 16 * C, 2), conv(16 * C, 8 * C))
        self.u1, self.d1 = up(8 * C, 8 * C), nn.Sequential(conv(16 * C, 8 * C), conv(8 * C, 4 * C))
        self.u2, self.d2 = up(4 * C, 4 * C), nn.Sequential(conv(8 * C, 4 * C), conv(4 * C, 2 * C))
        self.u3, self.d3 = up(2 * C, 2 * C), nn.Sequential(conv(4 * C, 4 * C), conv(4 * C, 2 * C))
        self.u4, self.d4 = up(2 * C, 2 * C), nn.Sequential(conv(3 * C, 2 * C), conv(2 * C, 2 * C))
        self.heads = nn.ModuleList([nn.Conv3d(2 * C, 3, 5, padding=2, bias=False) for _ in range(2)])

    def forward(self, x, y):
        e0 = self.e0(torch.cat([x, y], 1))
        e1 = self.e1(e0)
        e2 = self.e2(e1)
        e3 = self.e3(e2)
        v = self.e4(e3)
        for u, d, skip in ((self.u1, self.d1, e3), (self.u2, self.d2, e2), (self.u3, self.d3, e1), (self.u4, self.d4, e0)):
            v = d(torch.cat([u(v), skip], 1))
        return [nn.functional.softsign(head(v)) for head in self.heads]


def main():
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
    net = RegNet().eval()
    x, y = (torch.rand(1, 1, *GRID) for _ in range(2))
    times = []
    with torch.inference_mode():
        for _ in range(3):
            start = time.perf_counter()
            out = net(x, y)
            times.append(time.perf_counter() - start)
    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads(), "shape": list(out[0].shape), "seconds": times,
                      "parameters": sum(p.numel() for p in net.parameters()),
                      "peak_resident_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


main()
