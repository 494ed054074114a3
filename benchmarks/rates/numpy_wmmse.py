# SPDX-License-Identifier: BSD-3-Clause
"""WMMSE in NumPy, the peer of bench_rates.c: as one writes it down, in complex double, all users of a channel in one array.

  numpy_wmmse.py version
  numpy_wmmse.py run DIR TX ROUND TOLERANCE   the channels of DIR/channels.safetensors, one after another

Each channel is solved once: rows `numpy` end at the rate in DIR/targets.csv, rows `numpy-tolerance` where a step gains less than 1e-6
of the rate. The rates after CHECKED_STEPS must agree with the library's to TOLERANCE. Lines are those of `bench_rates compare`.
"""
import json
import struct
import sys
from time import perf_counter

import numpy as np

MOST_STEPS = 500
CHECKED_STEPS = 10
GAIN = 1e-6
TYPES = {"F64": np.float64, "F32": np.float32, "I64": np.int64}


def load(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(length)), file.read()
    arrays = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            arrays[name] = np.frombuffer(data[begin:end], TYPES[entry["dtype"]]).reshape(entry["shape"])
    return arrays


def adjoint(A):
    return A.conj().swapaxes(-1, -2)


class Wmmse:
    """One channel: H (users, cells, rx, tx), V (users, tx, streams)."""

    def __init__(self, H, V, weights, noise, power):
        self.H, self.V, self.a, self.power = H, V, weights[:, None, None], power
        self.users, self.cells = H.shape[:2]
        self.cell = np.arange(self.users) // (self.users // self.cells)
        self.to_users = H[:, self.cell]
        self.noise = noise * np.eye(H.shape[2])
        self.I = np.eye(V.shape[2])
        self.own = np.arange(self.users)

    def evaluate(self):
        """U_u = C_u^-1 F_uu, E_u = I - F_uu^H U_u = W_u^-1; sum_u a_u ln det W_u, in bit/s/Hz."""
        F = self.to_users @ self.V
        C = self.noise + (F @ adjoint(F)).sum(axis=1)
        own = F[self.own, self.own]
        self.U = np.linalg.solve(C, own)
        self.E = self.I - adjoint(own) @ self.U
        return -(self.a[:, 0, 0] * np.linalg.slogdet(self.E)[1]).sum() / np.log(2)

    def step(self):
        """V_u = (D_j + mu_j I)^-1 Lambda_u, D_j = sum_u a_u H_uj^H U_u W_u U_u^H H_uj, Lambda_u = a_u H_uj^H U_u W_u."""
        W = np.linalg.inv(self.E)
        A = adjoint(self.H) @ self.U[:, None]
        AW = self.a[:, None] * A @ W[:, None]
        eigenvalues, Q = np.linalg.eigh((AW @ adjoint(A)).sum(axis=0))
        B = adjoint(Q)[self.cell] @ AW[self.own, self.cell]
        phi = (np.abs(B) ** 2).sum(axis=2).reshape(self.cells, -1, B.shape[1]).sum(axis=1)
        shifted = eigenvalues + self.multipliers(eigenvalues, phi)[:, None]
        self.V = Q[self.cell] @ (B / shifted[self.cell][:, :, None])

    def multipliers(self, eigenvalues, phi):
        """mu_j >= 0 with sum_m phi_m / (lambda_m + mu)^2 = power, by bisection for all base stations at once."""
        regular = eigenvalues[:, 0] > 1e-14 * eigenvalues[:, -1]
        invertible = np.where(regular[:, None], eigenvalues, 1)
        free = regular & ((phi / invertible**2).sum(axis=1) <= self.power)
        low, high = np.zeros(self.cells), np.where(free, 0, np.sqrt(phi.sum(axis=1) / self.power))
        while np.any(high - low > 1e-12 * high):
            middle = 0.5 * (low + high)
            over = (phi / (eigenvalues + middle[:, None]) ** 2).sum(axis=1) > self.power
            low, high = np.where(over, middle, low), np.where(over, high, middle)
        return high


def channel(arrays, i):
    H = arrays["H"][i].astype(np.float64)
    H = H[..., 0] + 1j * H[..., 1]
    x0 = arrays["x0"][i].astype(np.float64).reshape(H.shape[0], H.shape[3], int(arrays["streams"]), 2)
    return Wmmse(H, x0[..., 0] + 1j * x0[..., 1], arrays["weights"][i].astype(np.float64), arrays["noise"][i], arrays["power"][i])


def solve(problem, target):
    """Steps, rate and seconds at the target (None where it is not reached) and at the end; the rate after CHECKED_STEPS."""
    begin = perf_counter()
    reached, before, checked = None, -np.inf, None
    for k in range(MOST_STEPS + 1):
        stepped = perf_counter()  # the rate comes with the next step's receivers: a reader of the clock alone would be done
        rate = problem.evaluate()
        if reached is None and rate >= target:
            reached = k, rate, stepped - begin
        if k == CHECKED_STEPS:
            checked = rate
        if k >= CHECKED_STEPS and (rate - before <= GAIN * abs(rate) or k == MOST_STEPS):
            return reached, (k, rate, perf_counter() - begin), checked
        before = rate
        problem.step()


def run(folder, tx, turn, tolerance):
    arrays = load(f"{folder}/channels.safetensors")
    targets = np.loadtxt(f"{folder}/targets.csv", delimiter=",", ndmin=2)
    solve(channel(arrays, 0), np.inf)  # warm-up
    for i, (target, expected) in enumerate(targets):
        reached, end, checked = solve(channel(arrays, i), target)
        if abs(checked - expected) > tolerance * expected:
            sys.exit(f"numpy_wmmse.py: channel {i}: {checked:.12g} bit/s/Hz after {CHECKED_STEPS} steps, the library has {expected:.12g}")
        for method, found in ("numpy", reached), ("numpy-tolerance", end):
            row = f"{found[0]},{found[1]:.9g},{1e6 * found[2]:.6g}" if found else ",,"
            print(f"{tx},{turn},{i},{method},{row}")


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1] == "version":
        print(f"NumPy {np.__version__}")
    elif len(sys.argv) == 6 and sys.argv[1] == "run":
        run(sys.argv[2], sys.argv[3], sys.argv[4], float(sys.argv[5]))
    else:
        sys.exit(__doc__)
