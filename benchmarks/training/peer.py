# SPDX-License-Identifier: BSD-3-Clause
"""What both peers need: precision, compilation, the comparison with the library's gradients, the line that run.sh reads.

Environment: L2O_PRECISION=double computes in double (default: single); L2O_MODE=compiled hands the iterations to torch.compile
(default: eager); L2O_CLOCK=processor counts seconds of the processor, not of the clock on the wall.
"""
import logging
import os
import resource
import statistics
import sys
import time

try:
    import torch
    from safetensors.torch import load_file
except ImportError as error:
    sys.exit(f"{sys.argv[0]}: {error}; the comparison needs PyTorch and safetensors: pip install torch numpy safetensors, "
             "then PYTHON=/path/to/that/python3")

DTYPE = torch.float64 if os.environ.get("L2O_PRECISION") == "double" else torch.float32
COMPILED = os.environ.get("L2O_MODE", "eager") == "compiled"
CLOCK = time.process_time if os.environ.get("L2O_CLOCK") == "processor" else time.perf_counter
MIN_SECONDS = 0.5
MAX_REPEATS = 50000
logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # that there is no GPU


def maybe_compiled(function):
    """As one graph for exactly these sizes, by inductor; or the function itself."""
    return torch.compile(function, fullgraph=True, dynamic=False) if COMPILED else function


def version():
    print(f"PyTorch {torch.__version__}, Python {sys.version.split()[0]}")


def report(task, repeats, per=1):
    """Median and least seconds, repeats, megabytes of peak resident memory, final objective, seconds of the first call (which
    compiles)."""
    begin = CLOCK()
    objective = task()
    first = CLOCK() - begin
    if COMPILED:
        objective = task()  # the warm-up: the call before was something else
    seconds = []
    while len(seconds) < MAX_REPEATS and (len(seconds) < repeats or sum(seconds) < MIN_SECONDS):
        begin = CLOCK()
        objective = task()
        seconds.append(CLOCK() - begin)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{statistics.median(seconds) / per:.9g} {min(seconds) / per:.9g} {len(seconds)} {memory:.1f} {objective:.9g} {first:.3g}")


def check(loss, parameters, folder, tolerance):
    """Ends the program unless the loss and every gradient agree with the library's; parameters: (name, tensor) pairs."""
    theirs = load_file(f"{folder}/gradient.safetensors")
    worst = {"loss": abs(theirs["loss"].item() - loss) / abs(loss)}
    for name, tensor in parameters:
        ours = tensor.grad.double()
        worst[name] = ((theirs[f"grad.{name}"] - ours).abs().max() / ours.abs().max()).item()
    print(f"loss {loss:.6g}; relative differences: " + ", ".join(f"{name} {error:.1e}" for name, error in worst.items()))
    if not all(error <= tolerance for error in worst.values()):  # a not-a-number fails too
        sys.exit(f"{sys.argv[0]}: the two sides differ by more than {tolerance:g}")
