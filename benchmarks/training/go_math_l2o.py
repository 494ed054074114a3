# SPDX-License-Identifier: BSD-3-Clause
"""GO-Math-L2O on LASSO in PyTorch, a peer of bench_training.c: the same network, data, loss and update, batched over instances.

  go_math_l2o.py check DIR T THREADS TOLERANCE     loss and gradients against DIR/gradient.safetensors
  go_math_l2o.py train DIR T THREADS REPEATS       one training step: T iterations on all instances, back, clipping, one update
  go_math_l2o.py solve DIR T THREADS REPEATS       T iterations on instance 0

The last two print what peer.report() does. L2O_MODE=compiled hands one iteration to torch.compile. The network is torch.nn.LSTM, a
sequence of one step a call, since the features of a step come out of the step before; compiled, which torch.nn.LSTM cannot be
as one graph, it is the same weights in functions of torch.
"""
import sys

import torch
from safetensors.torch import load_file

from peer import COMPILED, DTYPE, check, maybe_compiled, report

LEARNING_RATE = 1e-30  # the weights do not move while the clock runs: both sides repeat the same step
CLIP_NORM = 1
STEP_SCALE = 0.9999
LEAST = 1e-20
HEADS = ("r", "q", "b")


class Lasso:
    """F_i(x) = 1/2 |A_i x - y_i|^2 + rho_i |x|_1 for a batch of instances; x (instances, n, 1)."""

    def __init__(self, instances, batch):
        A = instances["W"][:batch]
        self.step = (STEP_SCALE / torch.linalg.matrix_norm(A.double(), ord=2).square()).to(DTYPE).view(-1, 1, 1)
        self.A = A.to(DTYPE).contiguous()
        self.y = instances["Y"][:batch].to(DTYPE).reshape(batch, -1, 1)
        self.x0 = instances["x0"][:batch].to(DTYPE).reshape(batch, -1, 1)
        self.rho = instances["rho"][:batch].to(DTYPE).reshape(batch, 1, 1)


class Network(torch.nn.Module):
    """Two layers of LSTM, a rectified linear one, and the heads R, Q, B, the same for every coordinate."""

    def __init__(self, weights):
        super().__init__()
        hidden = weights["linear.weight"].shape[0]
        self.layers = sum(name.startswith("lstm.weight_hh") for name in weights)
        self.lstm = torch.nn.LSTM(weights["lstm.weight_ih_l0"].shape[1], hidden, self.layers, dtype=DTYPE)
        self.linear = torch.nn.Linear(hidden, hidden, dtype=DTYPE)
        for head in HEADS:
            setattr(self, f"linear_{head}", torch.nn.Linear(hidden, 1, dtype=DTYPE))
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                parameter.copy_(weights[name])
        self.tensors = [tuple(layer) for layer in self.lstm.all_weights]
        self.hidden = hidden

    def start(self, coordinates):
        return (torch.zeros(self.layers, coordinates, self.hidden, dtype=DTYPE),) * 2

    def cells(self, u, h, c):
        """The LSTM by its formulas, for the compiler."""
        new_h, new_c = [], []
        for layer, (w_ih, w_hh, b_ih, b_hh) in enumerate(self.tensors):
            i, f, g, o = (torch.addmm(b_ih + b_hh, u, w_ih.t()) + h[layer] @ w_hh.t()).chunk(4, dim=1)
            new_c.append(torch.sigmoid(f) * c[layer] + torch.sigmoid(i) * torch.tanh(g))
            u = torch.sigmoid(o) * torch.tanh(new_c[-1])
            new_h.append(u)
        return u, torch.stack(new_h), torch.stack(new_c)

    def forward(self, u, h, c):
        if COMPILED:
            u, h, c = self.cells(u, h, c)
        else:
            out, (h, c) = self.lstm(u.unsqueeze(0), (h, c))
            u = out[0]
        z = torch.relu(self.linear(u))
        r, q, b = (getattr(self, f"linear_{head}")(z) for head in HEADS)
        return 2 * torch.sigmoid(r), 2 * torch.sigmoid(q), torch.sigmoid(b), h, c


def subdifferential(x, rho):
    """Its ends, where h = rho |x|_1: constants to the backward pass."""
    sign = rho * torch.sign(x.detach())
    zero = x.detach() == 0
    return torch.where(zero, -rho, sign), torch.where(zero, rho, sign)


def norms(*vectors):
    return [v.norm(dim=1, keepdim=True).clamp(min=LEAST) for v in vectors]


def iteration(network):
    """The function of one iteration, compiled if so asked; it takes and returns A x - y, which the objective has made."""

    def iterate(x, v, h, c, residual, A, y, step, rho, gammas):
        g = torch.bmm(A.transpose(1, 2), residual)
        low, high = subdifferential(x, rho)
        u = torch.cat((g / gammas[0], low / gammas[1], high / gammas[2]), dim=2).view(-1, 3)
        R, Q, B, h, c = network(u, h, c)
        tau = step * R.view_as(x)
        p = x - tau * g - Q.view_as(x) * v
        new = torch.sign(p) * torch.relu(p.abs() - rho * tau)
        B = B.view_as(x)
        v = B * v + (1 - B) * (x - new)
        residual = torch.bmm(A, new) - y
        F = 0.5 * residual.square().sum() + (rho * new.abs()).sum()
        return new, v, h, c, residual, F

    return maybe_compiled(iterate)


def unroll(iterate, network, problem, T):
    """The objectives at x_1 .. x_T, summed over the instances."""
    x, v = problem.x0, torch.zeros_like(problem.x0)
    h, c = network.start(x.numel())
    residual = torch.bmm(problem.A, x) - problem.y
    gammas = norms(torch.bmm(problem.A.transpose(1, 2), residual), *subdifferential(x, problem.rho))
    objectives = []
    for _ in range(T):
        x, v, h, c, residual, F = iterate(x, v, h, c, residual, problem.A, problem.y, problem.step, problem.rho, gammas)
        objectives.append(F)
    return objectives


def main(arguments):
    if len(arguments) != 5 or arguments[0] not in ("check", "train", "solve"):
        sys.exit(__doc__)
    task, folder, T, threads = arguments[0], arguments[1], int(arguments[2]), int(arguments[3])
    torch.set_num_threads(threads)
    instances = load_file(f"{folder}/instances.safetensors")
    batch = 1 if task == "solve" else len(instances["W"])
    problem = Lasso(instances, batch)
    network = Network(load_file(f"{folder}/model.safetensors"))
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    iterate = iteration(network)

    def gradient():
        optimizer.zero_grad()
        loss = torch.stack(unroll(iterate, network, problem, T)).mean() / batch
        loss.backward()
        return loss.item()

    def train_step():
        loss = gradient()
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
        optimizer.step()
        return loss

    @torch.inference_mode()
    def solve():
        return unroll(iterate, network, problem, T)[-1].item()

    if task == "check":
        return check(gradient(), network.named_parameters(), folder, float(arguments[4]))
    return report(train_step if task == "train" else solve, int(arguments[4]))


main(sys.argv[1:])
