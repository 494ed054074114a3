# SPDX-License-Identifier: BSD-3-Clause
"""Math-L2O GD in PyTorch, the peer of bench_training.c: the same network, data, loss and update, batched over instances.

  math_l2o_gd.py version
  math_l2o_gd.py check DIR T THREADS TOLERANCE     loss and gradients against DIR/gradient.safetensors
  math_l2o_gd.py train DIR T THREADS REPEATS       one training step: T iterations on all instances, back, one update
  math_l2o_gd.py solve DIR T THREADS REPEATS       T iterations on instance 0
  math_l2o_gd.py iterate DIR T THREADS REPEATS     T iterations on all instances; the time of one

The last three print what peer.report() does. L2O_MODE=compiled hands iterations to torch.compile: one as a function of its own for
training, which measures as fast as ten or all of them and compiles in seconds, and all T without training, where the calls between
iterations would be half of the time.
"""
import sys

import torch
from safetensors.torch import load_file

from peer import DTYPE, check, maybe_compiled, report, version

LEARNING_RATE = 1e-30  # the weights do not move while the clock runs: both sides repeat the same step
STEP_SCALE = 0.9999


class StepSizes(torch.nn.Module):
    """p = 2 sigmoid(relu(relu(u W1) W2) w3), the same for every coordinate."""

    def __init__(self, weights):
        super().__init__()
        self.W1 = torch.nn.Parameter(weights["dnn.0.weight"].to(DTYPE))
        self.W2 = torch.nn.Parameter(weights["linear.weight"].to(DTYPE))
        self.w3 = torch.nn.Parameter(weights["linear_p.weight"].to(DTYPE))


class LeastSquares:
    """f_i(x) = 1/2 |W_i x - y_i|^2 for a batch of instances."""

    def __init__(self, W, Y):
        self.step = (STEP_SCALE / torch.linalg.matrix_norm(W.double(), ord=2).square()).to(DTYPE).view(-1, 1, 1)
        self.W = W.to(DTYPE).contiguous()
        self.Y = Y.to(DTYPE).reshape(len(W), -1, 1)

    def objective(self, x):
        return 0.5 * (torch.bmm(self.W, x) - self.Y).square().sum()


def iterations(count):
    """The function that takes x through `count` iterations, compiled if so asked."""

    def iterate(x, W, Y, step, W1, W2, w3):
        for _ in range(count):
            g = torch.bmm(W.transpose(1, 2), torch.bmm(W, x) - Y)
            u = torch.cat((g, x), dim=2).detach().view(-1, 2)
            p = 2 * torch.sigmoid(torch.relu(torch.relu(u @ W1) @ W2) @ w3)
            x = x - step * p.view_as(x) * g
        return x

    return maybe_compiled(iterate)


def unroll(iterate, count, network, problem, T):
    batch, _, n = problem.W.shape
    x = torch.zeros(batch, n, 1, dtype=DTYPE)
    for _ in range(T // count):
        x = iterate(x, problem.W, problem.Y, problem.step, network.W1, network.W2, network.w3)
    return x


def main(arguments):
    if arguments == ["version"]:
        return version()
    if len(arguments) != 5 or arguments[0] not in ("check", "train", "solve", "iterate"):
        sys.exit(__doc__)
    task, folder, T, threads = arguments[0], arguments[1], int(arguments[2]), int(arguments[3])
    torch.set_num_threads(threads)
    instances = load_file(f"{folder}/instances.safetensors")
    batch = 1 if task == "solve" else len(instances["W"])
    problem = LeastSquares(instances["W"][:batch], instances["Y"][:batch])
    network = StepSizes(load_file(f"{folder}/model.safetensors"))
    optimizer = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE)
    count = 1 if task in ("check", "train") else T
    iterate = iterations(count)

    def gradient():
        optimizer.zero_grad()
        loss = problem.objective(unroll(iterate, count, network, problem, T))
        loss.backward()
        return loss.item()

    def train_step():
        loss = gradient()
        optimizer.step()
        return loss

    @torch.inference_mode()
    def solve():
        return problem.objective(unroll(iterate, count, network, problem, T)).item()

    if task == "check":
        names = (("dnn.0.weight", network.W1), ("linear.weight", network.W2), ("linear_p.weight", network.w3))
        return check(gradient(), names, folder, float(arguments[4]))
    if task == "train":
        return report(train_step, int(arguments[4]))
    return report(solve, int(arguments[4]), T if task == "iterate" else 1)


main(sys.argv[1:])
