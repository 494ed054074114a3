# SPDX-License-Identifier: BSD-3-Clause
"""Two torch.nn.LSTMCell layers over all coordinates, the peer of bench_lstm.c: the same weights, inputs and loss.

  lstm.py check DIR T THREADS TOLERANCE     loss and gradients against DIR/gradient.safetensors
  lstm.py train DIR T THREADS REPEATS       one segment of T steps forward and back

Cells, and no torch.nn.LSTM over the whole segment, since in a solver the inputs of a step come out of the step before. `train` prints
what peer.report() does. L2O_MODE=compiled hands one step of both cells to torch.compile.
"""
import sys

import torch
from safetensors.torch import load_file

from peer import DTYPE, check, maybe_compiled, report

NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def cell(tensors, layer):
    hidden = tensors[f"{layer}.weight_hh"].shape[1]
    made = torch.nn.LSTMCell(tensors[f"{layer}.weight_ih"].shape[1], hidden, dtype=DTYPE)
    with torch.no_grad():
        for name in NAMES:
            getattr(made, name).copy_(tensors[f"{layer}.{name}"])
    return made


def main(arguments):
    if len(arguments) != 5 or arguments[0] not in ("check", "train"):
        sys.exit(__doc__)
    task, folder, T, threads = arguments[0], arguments[1], int(arguments[2]), int(arguments[3])
    torch.set_num_threads(threads)
    tensors = load_file(f"{folder}/lstm.safetensors")
    first, second = cell(tensors, 0), cell(tensors, 1)
    # (instances, T, unknowns, inputs) -> T times (coordinates, inputs)
    inputs = [tensors["x"][:, t].reshape(-1, tensors["x"].shape[3]).to(DTYPE) for t in range(T)]
    w = tensors["w"].to(DTYPE)
    coordinates = len(inputs[0])

    @maybe_compiled
    def step(x, h1, c1, h2, c2):
        h1, c1 = first(x, (h1, c1))
        h2, c2 = second(h1, (h2, c2))
        return h1, c1, h2, c2, (h2 @ w).sum()

    def gradient():
        for parameter in (*first.parameters(), *second.parameters()):
            parameter.grad = None
        state = (torch.zeros(coordinates, len(w), dtype=DTYPE),) * 4
        loss = 0
        for x in inputs:
            *state, part = step(x, *state)
            loss = loss + part
        loss = loss / coordinates
        loss.backward()
        return loss.item()

    if task == "check":
        loss = gradient()
        names = [(f"{layer}.{name}", getattr(made, name)) for layer, made in ((0, first), (1, second)) for name in NAMES]
        return check(loss, names, folder, float(arguments[4]))
    return report(gradient, int(arguments[4]))


main(sys.argv[1:])
