# SPDX-License-Identifier: BSD-3-Clause
"""SciPy's minimisers on the functions of bench_optimizers, called through ctypes, counted and logged by the same C function.

  scipy_solvers.py version
  scipy_solvers.py solvers
  scipy_solvers.py run LIBRARY FOLDER LOG SECONDS PROBLEM...
  scipy_solvers.py time LIBRARY FOLDER PROBLEM TARGET SOLVER SECONDS

The last two do what the tasks of the same name of bench_optimizers do.
"""
import ctypes
import math
import statistics
import sys
import time
import warnings

try:
    import numpy as np
    import scipy
    from scipy.optimize import minimize
except ImportError as error:
    sys.exit(f"scipy_solvers.py: {error}: pip install scipy numpy, then PYTHON=/path/to/that/python3")

WARM_UPS = 2
RUN_LIMIT = 20  # seconds of one timed run at most
ENDLESS = 10**9

# Its own stopping tests are off. L-BFGS-B keeps 10 pairs unless it is told otherwise.
SOLVERS = {
    "SciPy BFGS": ("BFGS", {"gtol": 0, "maxiter": ENDLESS}),
    "SciPy L-BFGS-B": ("L-BFGS-B", {"gtol": 0, "ftol": 0, "maxiter": ENDLESS, "maxfun": ENDLESS}),
    "SciPy L-BFGS-B m=5": ("L-BFGS-B", {"gtol": 0, "ftol": 0, "maxiter": ENDLESS, "maxfun": ENDLESS, "maxcor": 5}),
    "SciPy L-BFGS-B m=6": ("L-BFGS-B", {"gtol": 0, "ftol": 0, "maxiter": ENDLESS, "maxfun": ENDLESS, "maxcor": 6}),
    "SciPy CG": ("CG", {"gtol": 0, "maxiter": ENDLESS}),
}


class Over(Exception):
    """The log says that the run is over."""


class Cost(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_double), ("iterations", ctypes.c_size_t), ("evaluations", ctypes.c_size_t),
                ("reached", ctypes.c_int)]


def load(path):
    library = ctypes.CDLL(path)
    for name, result, arguments in (
            ("bench_open", ctypes.c_void_p, [ctypes.c_char_p] * 2), ("bench_close", None, [ctypes.c_void_p]),
            ("bench_n", ctypes.c_size_t, [ctypes.c_void_p]),
            ("bench_begin", None, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_double, ctypes.c_double]),
            ("bench_evaluate", ctypes.c_double, [ctypes.c_void_p] * 3), ("bench_iteration", None, [ctypes.c_void_p]),
            ("bench_over", ctypes.c_bool, [ctypes.c_void_p]), ("bench_end", None, [ctypes.c_void_p, ctypes.c_char_p]),
            ("bench_write", None, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]),
            ("bench_cost_of", Cost, [ctypes.c_void_p])):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def open_problem(library, name, folder):
    bench = library.bench_open(name.encode(), folder.encode())
    if not bench:
        sys.exit(1)
    return bench


def solve(library, bench, solver, seconds, target):
    n = library.bench_n(bench)
    x0 = np.empty(n)
    evaluate, over, iteration = library.bench_evaluate, library.bench_over, library.bench_iteration

    def objective(x):
        g = np.empty(n)
        f = evaluate(bench, x.ctypes.data, g.ctypes.data)
        if over(bench):
            raise Over
        return f, g

    method, options = SOLVERS[solver]
    library.bench_begin(bench, x0.ctypes.data, seconds, target)
    try:
        reason = minimize(objective, x0, jac=True, method=method, options=options, callback=lambda x: iteration(bench)).message
    except Over:
        iteration(bench)
        reason = "over"
    library.bench_end(bench, reason.split(".")[0].replace(",", ";").lower().encode())


def run(library, folder, log, seconds, problems):
    for problem in problems:
        bench = open_problem(library, problem, folder)
        for solver in SOLVERS:
            solve(library, bench, solver, seconds, -math.inf)
            library.bench_write(bench, solver.encode(), log.encode())
        library.bench_close(bench)


def measure(library, folder, problem, target, solver, seconds):
    bench = open_problem(library, problem, folder)
    outside, count, begin = [], 0, time.perf_counter()
    while True:
        solve(library, bench, solver, RUN_LIMIT, target)
        cost = library.bench_cost_of(bench)
        enough = time.perf_counter() - begin >= seconds
        if count >= WARM_UPS or enough:
            outside.append(1e6 * cost.seconds)
        count += 1
        if enough:
            break
    median = statistics.median(outside)
    print(f"{median / cost.iterations if cost.iterations else math.nan:.9g} {median / cost.evaluations:.9g} {cost.iterations} "
          f"{cost.evaluations} {len(outside)} {cost.reached}")


def main(arguments):
    task = arguments[0] if arguments else ""
    warnings.simplefilter("ignore")  # overflow in a line search, precision loss: ordinary events here
    np.seterr(all="ignore")
    if arguments == ["version"]:
        print(f"SciPy {scipy.__version__} (NumPy {np.__version__}, Python {sys.version.split()[0]})")
    elif arguments == ["solvers"]:
        print("\n".join(SOLVERS))
    elif task == "run" and len(arguments) > 5:
        run(load(arguments[1]), arguments[2], arguments[3], float(arguments[4]), arguments[5:])
    elif task == "time" and len(arguments) == 7:
        measure(load(arguments[1]), arguments[2], arguments[3], float(arguments[4]), arguments[5], float(arguments[6]))
    else:
        sys.exit(__doc__)


main(sys.argv[1:])
