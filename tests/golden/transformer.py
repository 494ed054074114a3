# Makes transformer_*.safetensors (README.md): losses, scores and gradients of small decoders by PyTorch, written from the formulas
# of docs/derivations/transformer.md, section 1, and differentiated automatically.
#   python tests/golden/transformer.py tests/golden
import sys

import torch
from safetensors.torch import save_file
from torch.nn import functional as F

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)

CASES = {
    "layer": dict(vocab=13, width=8, layers=2, heads=2, kv_heads=2, head_dim=4, mlp=12, gated=False, act="gelu", norm="layer",
                  eps=1e-5, qk_norm=False, position="learned", base=0, context=9, tied=False, lengths=[9, 2, 6, 10, 6], seed=60),
    "rms": dict(vocab=11, width=12, layers=2, heads=4, kv_heads=2, head_dim=6, mlp=10, gated=True, act="silu", norm="rms",
                eps=1e-3, qk_norm=True, position="rotary", base=50, context=16, tied=True, lengths=[7, 3, 12], seed=61),
    "tanh": dict(vocab=10, width=9, layers=1, heads=3, kv_heads=1, head_dim=4, mlp=7, gated=True, act="tanh-gelu", norm="rms",
                 eps=1e-6, qk_norm=False, position="none", base=0, context=8, tied=False, lengths=[5, 8], seed=62),
}
UNITS = {"gelu": F.gelu, "tanh-gelu": lambda a: F.gelu(a, approximate="tanh"), "silu": F.silu}


def tensors(c):
    shapes = {"model.embed_tokens.weight": (c["vocab"], c["width"])}
    norms = ["weight", "bias"] if c["norm"] == "layer" else ["weight"]
    if c["position"] == "learned":
        shapes["model.embed_positions.weight"] = (c["context"], c["width"])
    own, shared = c["heads"] * c["head_dim"], c["kv_heads"] * c["head_dim"]
    for layer in range(c["layers"]):
        at = f"model.layers.{layer}."
        shapes |= {at + "input_layernorm." + n: (c["width"],) for n in norms}
        shapes |= {at + f"self_attn.{n}_proj.weight": (rows, c["width"]) for n, rows in (("q", own), ("k", shared), ("v", shared))}
        if c["qk_norm"]:
            shapes |= {at + f"self_attn.{n}_norm.weight": (c["head_dim"],) for n in "qk"}
        shapes |= {at + "self_attn.o_proj.weight": (c["width"], own)}
        shapes |= {at + "post_attention_layernorm." + n: (c["width"],) for n in norms}
        shapes |= {at + f"mlp.{n}_proj.weight": (c["mlp"], c["width"]) for n in (["gate"] if c["gated"] else []) + ["up"]}
        shapes |= {at + "mlp.down_proj.weight": (c["width"], c["mlp"])}
    shapes |= {"model.norm." + n: (c["width"],) for n in norms}
    if not c["tied"]:
        shapes["lm_head.weight"] = (c["vocab"], c["width"])
    return {name: (0.5 * torch.randn(shape) + (len(shape) == 1 and name.endswith("weight"))).requires_grad_()
            for name, shape in shapes.items()}


def norm(c, p, name, x):
    if c["norm"] == "layer" and x.shape[-1] == c["width"] and "self_attn" not in name:
        return F.layer_norm(x, x.shape[-1:], p[name + ".weight"], p[name + ".bias"], c["eps"])
    return F.rms_norm(x, x.shape[-1:], p[name + ".weight"], c["eps"])


def rotate(c, x):                                                                     # (heads, T, head_dim)
    half = x.shape[-1] // 2
    angle = torch.outer(torch.arange(x.shape[1]), c["base"] ** (-torch.arange(half) / half))
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], -1)


def scores(c, p, tokens):                                                             # (T) -> (T, vocab)
    T = len(tokens)
    h = p["model.embed_tokens.weight"][tokens]
    if c["position"] == "learned":
        h = h + p["model.embed_positions.weight"][:T]
    for layer in range(c["layers"]):
        at = f"model.layers.{layer}."
        a = norm(c, p, at + "input_layernorm", h)
        q, k, v = ((a @ p[at + f"self_attn.{n}_proj.weight"].T).view(T, -1, c["head_dim"]).transpose(0, 1) for n in "qkv")
        if c["qk_norm"]:
            q, k = norm(c, p, at + "self_attn.q_norm", q), norm(c, p, at + "self_attn.k_norm", k)
        if c["position"] == "rotary":
            q, k = rotate(c, q), rotate(c, k)
        o = F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True, enable_gqa=True)[0]
        h = h + o.transpose(0, 1).reshape(T, -1) @ p[at + "self_attn.o_proj.weight"].T
        b = norm(c, p, at + "post_attention_layernorm", h)
        up = b @ p[at + "mlp.up_proj.weight"].T
        m = UNITS[c["act"]](b @ p[at + "mlp.gate_proj.weight"].T) * up if c["gated"] else UNITS[c["act"]](up)
        h = h + m @ p[at + "mlp.down_proj.weight"].T
    return norm(c, p, "model.norm", h) @ p["model.embed_tokens.weight" if c["tied"] else "lm_head.weight"].T


for name, c in CASES.items():
    torch.manual_seed(c["seed"])
    p = tensors(c)
    text = [torch.randint(0, c["vocab"], (length,)) for length in c["lengths"]]
    z = [scores(c, p, t[:-1]) for t in text]
    losses = torch.stack([F.cross_entropy(s, t[1:]) for s, t in zip(z, text)])
    losses.mean().backward()
    tokens = torch.full((len(text), max(c["lengths"])), -1.0)
    for row, t in zip(tokens, text):
        row[:len(t)] = t
    out = {"tokens": tokens, "losses": losses.detach(), "scores": z[0].detach()}
    out |= {"param__" + n: w.detach().clone() for n, w in p.items()} | {"grad__" + n: w.grad for n, w in p.items()}
    save_file(out, f"{sys.argv[1]}/transformer_{name}.safetensors")
