"""Makes the golden files of the event readers and framings.

Writers and readers are other people's: expelliarmus writes DAT and EVT2, evt3 reads EVT3, dv-processing writes AEDAT4, tonic reads
N-MNIST, NumPy writes `.npz` and counts frames, Pillow resizes. Nothing here is our own output.

Run: python make.py   (numpy, pillow, expelliarmus, dv-processing, evt3, tonic; writes beside itself)
"""

import importlib.metadata
import json
import pathlib

import dv_processing as dv
import evt3
import numpy as np
import tonic.io
from expelliarmus import Wizard
from PIL import Image

HERE = pathlib.Path(__file__).parent
rng = np.random.default_rng(7)
expected = {
    "versions": {n: importlib.metadata.version(n) for n in ["numpy", "pillow", "expelliarmus", "dv-processing", "evt3", "tonic"]}
}


def columns(x, y, t, p):
    return [[int(v) for v in row] for row in zip(x, y, t, p)]


def times(n, first, last):
    return np.sort(rng.integers(first, last, n))


# Prophesee formats: 700 events of 640 x 480, with runs in a row so that EVT3 makes vectors of them.
n = 700
t = times(n, 3, 40_000_000)
x, y, p = rng.integers(0, 640, n), rng.integers(0, 480, n), rng.integers(0, 2, n)
t[100:140], y[100:140], p[100:140], x[100:140] = t[100], 33, 1, np.arange(64, 104)
array = np.empty(n, dtype=[("t", np.int64), ("x", np.int16), ("y", np.int16), ("p", np.uint8)])
for name, values in (("t", t), ("x", x), ("y", y), ("p", p)):
    array[name] = values


def write_evt3(path):
    """Words by the format's description: expelliarmus leaves out time words when it writes EVT3."""
    words, high, low, row, i = [], None, None, None, 0
    while i < n:
        if t[i] >> 12 != high:
            high, low = t[i] >> 12, None
            words.append(0x8000 | high & 0xFFF)
        if t[i] & 0xFFF != low:
            low = t[i] & 0xFFF
            words.append(0x6000 | low)
        if y[i] != row:
            row = y[i]
            words.append(row)
        run = 1
        while i + run < n and (t[i + run], y[i + run], p[i + run], x[i + run]) == (t[i], y[i], p[i], x[i] + run):
            run += 1
        if run < 8:
            words.append(0x2000 | int(p[i]) << 11 | x[i])
            i += 1
            continue
        words.append(0x3000 | int(p[i]) << 11 | x[i])
        i += run
        while run > 0:
            words.append((0x4000 | (1 << min(run, 12)) - 1) if run > 8 else (0x5000 | (1 << run) - 1))
            run -= 12 if run > 8 else 8
    path.write_bytes(b"% evt 3.0\n% geometry 640x480\n" + np.array(words, dtype="<u2").tobytes())


for encoding, file in (("dat", "events.dat"), ("evt2", "evt2.raw"), ("evt3", "evt3.raw")):
    if encoding == "evt3":
        # No wrap of the 24-bit clock, for `evt3` misses wraps that fall between time words; unit tests have them by hand.
        t = t // 4
        array["t"] = t
        write_evt3(HERE / file)
    else:
        Wizard(encoding=encoding).save(fpath=HERE / file, arr=array)
    back = Wizard(encoding=encoding).read(HERE / file)
    if encoding == "evt3":
        # The EVT3 reader of expelliarmus moves its clock on at a wrap of the low bits and again at the time word.
        decoded = evt3.decode_file(str(HERE / file))
        back = {"x": decoded.x, "y": decoded.y, "t": decoded.t, "p": decoded.p}
    assert all((np.asarray(back[name]) == array[name]).all() for name in "txyp"), encoding
    expected[file] = columns(back["x"], back["y"], back["t"], back["p"])

# AEDAT4: one file for each kind of compression; times are the epoch's, as cameras write them.
base = 1_605_507_430_438_338
store = dv.EventStore()
for i in range(500):
    store.push_back(base + 11 * i, int(x[i]) % 346, int(y[i]) % 260, bool(p[i]))
expected["aedat4"] = [[int(x[i]) % 346, int(y[i]) % 260, base + 11 * i, int(p[i])] for i in range(500)]
for name in ("NONE", "LZ4", "ZSTD"):
    config = dv.io.MonoCameraWriter.EventOnlyConfig("DVXplorer_sample", (346, 260), getattr(dv.CompressionType, name))
    writer = dv.io.MonoCameraWriter(str(HERE / f"{name.lower()}.aedat4"), config)
    writer.writeEvents(store)
    del writer

# N-MNIST: hand-packed bytes, read back by tonic.
t = times(300, 0, 1 << 23)
x, y, p = rng.integers(0, 34, 300), rng.integers(0, 34, 300), rng.integers(0, 2, 300)
raw = bytearray()
for xi, yi, ti, pi in zip(x, y, t, p):
    raw += bytes([xi, yi, (pi << 7) | (ti >> 16), (ti >> 8) & 255, ti & 255])
(HERE / "digit.bin").write_bytes(raw)
back = tonic.io.read_mnist_file(str(HERE / "digit.bin"), dtype=np.dtype([("x", int), ("y", int), ("t", int), ("p", int)]))
expected["digit.bin"] = columns(back["x"], back["y"], back["t"], back["p"])

# NumPy archives.
np.savez(HERE / "columns.npz", x=x.astype(np.uint16), y=y.astype(np.int32), t=t.astype(np.int64), p=p.astype(bool))
np.savez_compressed(HERE / "table.npz", events=np.stack([x, y, t, p], 1).astype(np.int64))

# Frames of the digit, counted by numpy.histogramdd and numpy.add.at.
T = 7
edges = [np.arange(T + 1), np.arange(3), np.arange(35), np.arange(35)]
bins = (t - t[0]) * T // (t[-1] - t[0] + 1)
by_time = np.histogramdd(np.stack([bins, p, y, x], 1), edges)[0]
fixed = t * T // (1 << 22)
inside = fixed < T
by_duration = np.histogramdd(np.stack([fixed, p, y, x], 1)[inside], edges)[0]
by_count = np.zeros((T, 2, 34, 34))
for i in range(T):
    part = slice(i * 300 // T, (i + 1) * 300 // T)
    np.add.at(by_count[i], (p[part], y[part], x[part]), 1)
expected["frames"] = {
    name: frames.astype(int).reshape(-1).nonzero()[0].tolist() + [-1] + frames.reshape(-1)[frames.reshape(-1) > 0].astype(int).tolist()
    for name, frames in (("time", by_time), ("duration", by_duration), ("count", by_count))
}

# Each frame over its maximum, through 8-bit images to 48 x 48 and to 20 x 25 (height, width).
scaled = (by_count / by_count.max(axis=(1, 2, 3), keepdims=True) * 255).astype(np.uint8)
for name, size in (("up", (48, 48)), ("down", (20, 25))):
    planes = [np.asarray(Image.fromarray(c).resize(size[::-1], Image.Resampling.BILINEAR)) for f in scaled for c in f]
    expected[f"resized_{name}"] = np.stack(planes).tobytes().hex()

(HERE / "expected.json").write_text(json.dumps(expected) + "\n")
