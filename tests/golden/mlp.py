# SPDX-License-Identifier: BSD-3-Clause
"""mlp_*.safetensors: losses and gradients of small fully connected networks, see README.md.   python mlp.py FOLDER"""
import sys
import torch
from safetensors.torch import save_file

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
F = torch.nn.functional
SAMPLES, INPUTS, WIDTH, OUTPUTS = 11, 5, 7, 4
CASES = [  # name, activation, hidden layers, loss
    ("relu", torch.relu, 2, "classification"),
    ("tanh", torch.tanh, 1, "one-hot"),
    ("gelu", F.gelu, 3, "classification"),
    ("silu", F.silu, 2, "regression"),
    ("linear", None, 0, "classification"),
]

for seed, (name, act, depth, loss) in enumerate(CASES):
    torch.manual_seed(60 + seed)
    sizes = [INPUTS] + [WIDTH] * depth + [1 if loss == "regression" else OUTPUTS]
    layers = [torch.nn.Linear(m, n) for m, n in zip(sizes, sizes[1:])]
    for layer in layers:  # wider than the start, so that tails of the activations are met
        torch.nn.init.normal_(layer.weight, std=0.8)
        torch.nn.init.normal_(layer.bias, std=0.5)
    z = A = torch.randn(SAMPLES, INPUTS)
    for l, layer in enumerate(layers):
        z = layer(act(z) if l else z)
    y = torch.randn(SAMPLES) if loss == "regression" else torch.arange(SAMPLES) * 3 % OUTPUTS
    if loss == "classification":
        f = F.cross_entropy(z, y)
    else:
        t = y.reshape(SAMPLES, 1) if loss == "regression" else F.one_hot(y, OUTPUTS)
        f = 0.5 * ((z - t) ** 2).sum() / SAMPLES
    f.backward()
    out = {"A": A, "labels": y, "loss": f.detach().reshape(1)}
    for l, layer in enumerate(layers):
        for part in ("weight", "bias"):
            p = getattr(layer, part)
            out[f"layers.{l}.{part}"] = p.detach()
            out[f"grad__layers.{l}.{part}"] = p.grad
    save_file({k: v.contiguous() for k, v in out.items()}, f"{sys.argv[1]}/mlp_{name}.safetensors")
