# SPDX-License-Identifier: BSD-3-Clause
"""Math-L2O GD in PyTorch, the peer of bench_training.c: the same network, data, loss and update, batched over instances.

  math_l2o_gd.py version
  math_l2o_gd.py check DIR T THREADS TOLERANCE     loss and gradients against DIR/gradient.safetensors
  math_l2o_gd.py train DIR T THREADS REPEATS       one training step: T iterations on all instances, back, one update
  math_l2o_gd.py solve DIR T THREADS REPEATS       T iterations on instance 0
  math_l2o_gd.py iterate DIR T THREADS REPEATS     T iterations on all instances; the time of one

The last three print: median and least seconds, repeats, megabytes of peak resident memory, final objective.
L2O_PRECISION=double computes in double; single is the default.
"""
import os
import resource
import statistics
import sys
import time

try:
    import torch
    from safetensors.torch import load_file
except ImportError as error:
    sys.exit(f"math_l2o_gd.py: {error}; the comparison needs PyTorch and safetensors: pip install torch numpy safetensors, "
             "then PYTHON=/path/to/that/python3")

DTYPE = torch.float64 if os.environ.get("L2O_PRECISION") == "double" else torch.float32
LEARNING_RATE = 1e-30  # the weights do not move while the clock runs: both sides repeat the same step
STEP_SCALE = 0.9999
MIN_SECONDS = 0.5
MAX_REPEATS = 50000


class StepSizes(torch.nn.Module):
    """p = 2 sigmoid(relu(relu(u W1) W2) w3), the same for every coordinate."""

    def __init__(self, weights):
        super().__init__()
        self.W1 = torch.nn.Parameter(weights["dnn.0.weight"].to(DTYPE))
        self.W2 = torch.nn.Parameter(weights["linear.weight"].to(DTYPE))
        self.w3 = torch.nn.Parameter(weights["linear_p.weight"].to(DTYPE))

    def forward(self, u):
        z = torch.relu(u @ self.W1)
        return 2 * torch.sigmoid(torch.relu(z @ self.W2) @ self.w3)


class LeastSquares:
    """f_i(x) = 1/2 |W_i x - y_i|^2 for a batch of instances."""

    def __init__(self, W, Y):
        self.step = (STEP_SCALE / torch.linalg.matrix_norm(W.double(), ord=2).square()).to(DTYPE).view(-1, 1, 1)
        self.W = W.to(DTYPE).contiguous()
        self.Y = Y.to(DTYPE).reshape(len(W), -1, 1)

    def objective(self, x):
        return 0.5 * (torch.bmm(self.W, x) - self.Y).square().sum()

    def gradient(self, x):
        return torch.bmm(self.W.transpose(1, 2), torch.bmm(self.W, x) - self.Y)


def unroll(network, problem, T):
    batch, _, n = problem.W.shape
    x = torch.zeros(batch, n, 1, dtype=DTYPE)
    for _ in range(T):
        g = problem.gradient(x)
        u = torch.cat((g, x), dim=2).detach().view(-1, 2)
        x = x - problem.step * network(u).view(batch, n, 1) * g
    return x


def loss_and_gradient(network, problem, T):
    loss = problem.objective(unroll(network, problem, T))
    loss.backward()
    return loss.item()


def report(task, repeats, per=1):
    seconds = []
    objective = task()  # warm-up
    while len(seconds) < MAX_REPEATS and (len(seconds) < repeats or sum(seconds) < MIN_SECONDS):
        begin = time.perf_counter()
        objective = task()
        seconds.append(time.perf_counter() - begin)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{statistics.median(seconds) / per:.9g} {min(seconds) / per:.9g} {len(seconds)} {memory:.1f} {objective:.9g}")


def check(network, problem, T, folder, tolerance):
    theirs = load_file(f"{folder}/gradient.safetensors")
    loss = loss_and_gradient(network, problem, T)
    worst = {"loss": abs(theirs["loss"].item() - loss) / abs(loss)}
    for name, tensor in (("dnn.0.weight", network.W1), ("linear.weight", network.W2), ("linear_p.weight", network.w3)):
        ours = tensor.grad.double()
        worst[name] = ((theirs[f"grad.{name}"] - ours).abs().max() / ours.abs().max()).item()
    print(f"loss {loss:.6g}; relative differences: " + ", ".join(f"{name} {error:.1e}" for name, error in worst.items()))
    if not all(error <= tolerance for error in worst.values()):  # a not-a-number fails too
        sys.exit(f"math_l2o_gd.py: the two sides differ by more than {tolerance:g}")


def main(arguments):
    if arguments == ["version"]:
        return print(f"PyTorch {torch.__version__}, Python {sys.version.split()[0]}")
    if len(arguments) != 5 or arguments[0] not in ("check", "train", "solve", "iterate"):
        sys.exit(__doc__)
    task, folder, T, threads = arguments[0], arguments[1], int(arguments[2]), int(arguments[3])
    torch.set_num_threads(threads)
    instances = load_file(f"{folder}/instances.safetensors")
    count = 1 if task == "solve" else len(instances["W"])
    problem = LeastSquares(instances["W"][:count], instances["Y"][:count])
    network = StepSizes(load_file(f"{folder}/model.safetensors"))
    if task == "check":
        return check(network, problem, T, folder, float(arguments[4]))
    optimizer = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE)

    def train_step():
        optimizer.zero_grad()
        loss = loss_and_gradient(network, problem, T)
        optimizer.step()
        return loss

    @torch.inference_mode()
    def solve():
        return problem.objective(unroll(network, problem, T)).item()

    if task == "train":
        report(train_step, int(arguments[4]))
    else:
        report(solve, int(arguments[4]), T if task == "iterate" else 1)


main(sys.argv[1:])
