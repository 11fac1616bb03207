"""Makes the golden files of the vision data sets: small Parquet files as the hub lays them out, and a zip of JPEG files,
with the pixels that Pillow decodes from them.

Run: python make.py   (needs numpy, pillow and pyarrow; writes beside itself)
"""

import io
import json
import pathlib
import zipfile

import numpy as np
import PIL
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

HERE = pathlib.Path(__file__).parent
rng = np.random.default_rng(20)


def encoded(array, kind):
    out = io.BytesIO()
    Image.fromarray(array).save(out, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return out.getvalue()


def shard(name, images, labels, column, compression, group):
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = pa.array([{"bytes": encoded(i, "PNG"), "path": None} for i in images], kind)
    table = pa.table({column: rows, "label": pa.array(labels, pa.int64())})
    pq.write_table(table, HERE / name, compression=compression, row_group_size=group)


digits = rng.integers(0, 256, (7, 28, 28), dtype=np.uint8)
shard("test-00000-of-00002.parquet", digits[:4], [3, 1, 4, 1], "image", "snappy", 3)
shard("test-00001-of-00002.parquet", digits[4:], [5, 9, 2], "image", "zstd", 2)
photos = rng.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
shard("train-00000-of-00001.parquet", photos, [0, 9, 4], "img", "none", 100)

classes = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
expected = []
with zipfile.ZipFile(HERE / "jpeg.zip", "w") as archive:
    for c in (1, 0):
        for n in range(2):
            # A smooth ramp, as photographs are, so that rounding in the decoders stays small.
            y, x = np.mgrid[0:32, 0:32]
            ramp = np.stack([(x * (3 + c) + y * (2 + n)) % 256, 200 - 3 * y + 5 * c, 40 + 4 * x + 20 * n], -1).astype(np.uint8)
            data = encoded(ramp, "JPEG")
            # A fixed date, so that the same file is made every time.
            archive.writestr(zipfile.ZipInfo(f"test/{classes[c]}/{n:04}.jpg"), data)
            pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).transpose(2, 0, 1)
            expected.append({"position": n, "label": c, "pixels": pixels.tobytes().hex()})
expected.sort(key=lambda e: (e["position"], e["label"]))

(HERE / "expected.json").write_text(
    json.dumps(
        {
            "versions": {"numpy": np.__version__, "pillow": PIL.__version__, "pyarrow": pa.__version__},
            "digits": [d.tobytes().hex() for d in digits],
            "digit_labels": [3, 1, 4, 1, 5, 9, 2],
            "photos": [p.transpose(2, 0, 1).tobytes().hex() for p in photos],
            "photo_labels": [0, 9, 4],
            "jpeg": expected,
        },
        indent=0,
    )
    + "\n"
)
